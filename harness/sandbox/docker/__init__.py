"""The docker engine: sandboxes made, read and removed through a Docker Engine's HTTP API."""

from harness.sandbox.docker.engine import DockerEngine, probe
from harness.sandbox.docker.remove import docker_containers, remove_owned

__all__ = ["DockerEngine", "docker_containers", "probe", "remove_owned"]
