"""The daemonless engine: containers run by crun on an OCI bundle; root on Linux."""

from harness.sandbox.crun.engine import CrunEngine, probe
from harness.sandbox.crun.registry import ContainerInfo, list_containers, remove_owned, sweep

__all__ = ["ContainerInfo", "CrunEngine", "list_containers", "probe", "remove_owned", "sweep"]
