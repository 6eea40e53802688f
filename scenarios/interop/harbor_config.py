"""Reads task.toml of a Harbor task: what a bundle takes from it, and what has no counterpart."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from scenarios.interop.findings import Findings
from scenarios.interop.harbor_shared import is_secret
from scenarios.problems import KeyPath, dotted
from scenarios.toml_lines import line_numbers, line_of

_WORLD: Final = {"memory_mb": 256, "storage_mb": 64}
_USERS: Final = (None, "root", 0, "0", "operator", 1000)

# Keys that a world cannot give, wherever they say something: a sentence for each.
_REFUSED: Final[Mapping[tuple[str, ...], str]] = {
    ("steps",): "a task of several steps has no counterpart",
    ("environment", "gpus"): "worlds have no GPUs",
    ("environment", "gpu_types"): "worlds have no GPUs",
    ("environment", "tpu"): "worlds have no TPUs",
    ("environment", "mcp_servers"): "worlds have no MCP servers",
    ("environment", "skills_dir"): "skills have no counterpart",
    ("environment", "healthcheck"): "worlds run no services, so nothing is waited for",
    ("environment", "allowed_hosts"): "network allow-lists have no counterpart: worlds have no network",
    ("agent", "allowed_hosts"): "network allow-lists have no counterpart: worlds have no network",
    ("verifier", "allowed_hosts"): "network allow-lists have no counterpart: worlds have no network",
    ("verifier", "environment"): "a verifier with an environment of its own has no counterpart",
    ("verifier", "collect"): "collect hooks have no counterpart: there is one container",
}
_KNOWN: Final = frozenset(
    (
        *("schema_version", "version", "task", "metadata", "verifier", "agent", "environment", "solution"),
        *("source", "multi_step_reward_strategy", "artifacts", "steps"),
    )
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class _Agent(_Section):
    timeout_sec: float | None = Field(default=None, gt=0)
    user: str | int | None = None
    network_mode: str | None = None


class _Verifier(_Agent):
    timeout_sec: float | None = Field(default=600.0, gt=0)
    env: dict[str, str] = Field(default_factory=dict)
    environment_mode: str | None = None


class _Environment(_Section):
    docker_image: str | None = None
    os: str = "linux"
    memory_mb: float | None = None
    storage_mb: float | None = None
    env: dict[str, str] = Field(default_factory=dict)
    workdir: str | None = None
    network_mode: str | None = None
    allow_internet: bool | None = None


class _Solution(_Section):
    env: dict[str, str] = Field(default_factory=dict)


class _Package(_Section):
    name: str = ""


class _File(_Section):
    schema_version: str = "1.0"
    task: _Package = _Package()
    metadata: dict[str, Any] = Field(default_factory=dict)
    agent: _Agent = _Agent()
    verifier: _Verifier = _Verifier()
    environment: _Environment = _Environment()
    solution: _Solution = _Solution()
    artifacts: list[Any] = Field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class HarborConfig:
    """What a bundle takes from task.toml; seconds are as the task says them, None where it is silent."""

    schema: str
    name: str
    difficulty: str
    category: str
    agent_seconds: float | None
    verifier_seconds: float
    as_root: bool  # the agent is root in Harbor
    image: str | None
    workdir: str | None
    env: Mapping[str, str]
    verifier_env: Mapping[str, str]
    solution_env: Mapping[str, str]
    evalh: Mapping[str, Any]  # of a task that evalh exported, else empty


def read_config(path: Path, found: Findings) -> HarborConfig:
    """The settings of a task; what has no counterpart goes to `found`, with file and line.

    Raises RefusedError where the file cannot be read at all.
    """
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text)
        if "version" in data:
            data.setdefault("schema_version", data.pop("version"))
        file = _File.model_validate(data)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        found.refuse(str(path), f"it cannot be read: {getattr(error, 'strerror', None) or error}")
    except ValidationError as error:
        for item in error.errors():
            found.refuse(f"{path}:{line_of(line_numbers(text), item['loc'])}", f"{dotted(item['loc'])}: {item['msg']}")
    found.settle()
    lines = line_numbers(text)
    for key, what in _refusals(file, data):
        found.refuse(f"{path}:{line_of(lines, key)}", f"{dotted(key)}: {what}")
    for note in _notes(file, data):
        found.note(note)
    return _config(file)


def _refusals(file: _File, data: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    if file.schema_version.split(".")[0] != "1":
        yield ("schema_version",), f"this is version {file.schema_version}, and versions 1.x are known"
    for key, what in _REFUSED.items():
        value: Any = data
        for part in key:
            value = value.get(part) if isinstance(value, Mapping) else None
        if value:
            yield key, what
    for section in ("environment", "agent", "verifier"):
        if getattr(file, section).network_mode == "allowlist":
            yield (section, "network_mode"), "network allow-lists have no counterpart: worlds have no network"
    for section in ("agent", "verifier"):
        user = getattr(file, section).user
        if user not in _USERS:
            yield (section, "user"), f"worlds have the users root and operator, and no {user}"
    if file.verifier.environment_mode == "separate":
        yield ("verifier", "environment_mode"), "a verifier with an environment of its own has no counterpart"
    if file.environment.os.lower() != "linux":
        yield ("environment", "os"), "worlds are Debian"
    for section in ("environment", "verifier", "solution"):
        for name, value in getattr(file, section).env.items():
            if is_secret(name):
                yield (section, "env", name), "it looks like a secret, and a world has none"
            elif "${" in value:
                yield (section, "env", name), "its value comes from the host, and a world knows none"


def _notes(file: _File, data: Mapping[str, Any]) -> Iterator[str]:
    if "schema_version" not in data:
        yield "task.toml names no schema version, and was read as 1.0"
    if file.environment.network_mode == "public" or file.environment.allow_internet:
        yield "the task may use the network in Harbor; worlds have none"
    for name, most in _WORLD.items():
        asked = getattr(file.environment, name)
        if asked is not None and asked > most:
            yield f"it asks for {name} = {asked:g}; a world has {most}"
    if file.artifacts:
        yield "artifacts are not collected"
    for key in sorted(set(data) - _KNOWN):
        yield f"{dotted((key,))} in task.toml was not understood"


def _config(file: _File) -> HarborConfig:
    metadata = file.metadata
    own = metadata.get("evalh")
    return HarborConfig(
        schema=file.schema_version,
        name=file.task.name,
        difficulty=str(metadata.get("difficulty", "")),
        category=str(metadata.get("category", "")),
        agent_seconds=file.agent.timeout_sec,
        verifier_seconds=file.verifier.timeout_sec or 600.0,
        as_root=file.agent.user not in {"operator", 1000},
        image=file.environment.docker_image,
        workdir=file.environment.workdir,
        env=file.environment.env,
        verifier_env=file.verifier.env,
        solution_env=file.solution.env,
        evalh=own if isinstance(own, Mapping) else {},
    )
