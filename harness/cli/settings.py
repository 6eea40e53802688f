"""The settings of a run: defaults, then evalh.toml, then flags; each remembers where it came from."""

from __future__ import annotations

import json
import os.path
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from harness.errors import BadInputError

CONFIG_FILE = Path("evalh.toml")
SUBSETS = ("smoke", "standard-16")  # of the shipped suite; a test holds them equal to scenarios.suites
Value = str | int | float | bool | None


class RunSettings(BaseModel):
    """Everything that `evalh run` can be told; the keys of `[run]` in evalh.toml are these names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    adapter: str | None = Field(None, description="LoRA adapter directory: the tuned arm")
    base: str | None = Field(None, description="base checkpoint directory; default: the one the adapter names")
    scenarios: str | None = Field(None, description="directory of bundles; default: the shipped suite")
    split: Literal["holdout", "train"] = Field("holdout", description="which split of the shipped suite")
    n: int | Literal["all", "smoke", "standard-16"] = Field(
        "all", description="how many scenarios, spread evenly over archetypes; or a fixed subset's name"
    )
    allow_uncertified: bool = Field(
        default=False, description="run scenarios without a certificate, too; such a run can promote nothing"
    )
    repeats: Annotated[int, Field(ge=1, le=100)] = Field(1, description="runs of each scenario and arm")
    seed: Annotated[int, Field(ge=0, lt=2**31)] = Field(0, description="seed of selection, order and sampling")
    temperature: Annotated[float, Field(ge=0, le=2)] = Field(0.0, description="sampling temperature; 0 is greedy")
    top_p: Annotated[float, Field(gt=0, le=1)] = Field(1.0, description="nucleus sampling mass")
    max_turns: Annotated[int, Field(ge=1, le=200)] = Field(12, description="turns before a session is ended")
    max_tokens: Annotated[int, Field(ge=1, le=32768)] = Field(128, description="tokens of one reply before it is cut")
    turn_seconds: Annotated[float, Field(gt=0, le=600)] = Field(20.0, description="seconds one reply may run")
    session_seconds: Annotated[float, Field(gt=0, le=3600)] = Field(120.0, description="seconds in the shell")
    concurrency: Annotated[int, Field(ge=1, le=256)] = Field(8, description="trials at a time")
    attempts: Annotated[int, Field(ge=1, le=10)] = Field(2, description="tries of a pair with an INVALID arm")
    out: str | None = Field(None, description="run directory; default: runs/<time>-<name>")
    engine: Literal["auto", "docker", "crun"] = Field("auto", description="sandbox engine")
    endpoint: str | None = Field(None, description="URL of an OpenAI-compatible server; default: the resident one")
    base_model: str | None = Field(None, description="the base's model name at --endpoint")
    tuned_model: str | None = Field(None, description="the tuned model's name at --endpoint")
    tokenizer: str | None = Field(None, description="tokenizer directory for parity; default: the base's own")
    chat_template_kwargs: str = Field("{}", description="JSON object: variables for the chat template")
    parity: Literal["block", "warn", "off"] = Field("block", description="when the server reads other tokens than ours")
    liveness: Literal["block", "warn", "off"] = Field("block", description="when the arms are not what they should be")
    contract: Literal["block", "warn"] = Field("block", description="when training had another render contract")
    serve: Literal["resident", "vllm"] = Field("resident", description="which server to start for both arms")
    api_key_env: str = Field("EVALH_API_KEY", description="environment variable that holds the endpoint's key")
    dtype: Literal["auto", "float32", "bfloat16"] = Field("auto", description="dtype of the resident server")
    load_4bit: bool = Field(default=False, description="load the base in 4 bits (CUDA and bitsandbytes)")
    deterministic: bool = Field(default=False, description="one request at a time: the same seed, the same bytes")
    stop_when: Literal["never", "decided"] = Field(
        "never", description="run every pair, or stop once the policy's superiority claim is decided"
    )
    calibration: bool = Field(
        default=True, description="also show what the metrics give to players that cannot think; cached"
    )
    gate: str | None = Field(None, description="policy that decides the exit code: promote, regression, smoke, a file")

    @field_validator("chat_template_kwargs")
    @classmethod
    def _an_object(cls, value: str) -> str:
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError) as error:
            msg = "must be a JSON object"
            raise ValueError(msg) from error
        if not isinstance(parsed, dict):
            msg = "must be a JSON object"
            raise ValueError(msg)
        return json.dumps(parsed, sort_keys=True, ensure_ascii=False)

    @field_validator("adapter", "base", "scenarios", "tokenizer", "out", "gate")
    @classmethod
    def _a_path(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value:
            msg = "must not be empty"
            raise ValueError(msg)
        try:
            Path(value).expanduser().exists()
        except RuntimeError as error:
            msg = "there is no such user"
            raise ValueError(msg) from error
        except OSError as error:
            raise ValueError(error.strerror) from error
        return value

    @property
    def template_variables(self) -> dict[str, object]:
        """The variables for the chat template."""
        return dict(json.loads(self.chat_template_kwargs))

    @field_validator("n", mode="before")
    @classmethod
    def _a_count_or_all(cls, value: Value) -> int | str:
        if value in ("all", *SUBSETS):
            return str(value)
        if isinstance(value, bool) or not str(value).isdecimal() or int(str(value)) < 1:
            msg = f"must be a whole number above 0, all, {' or '.join(SUBSETS)}"
            raise ValueError(msg)
        return int(str(value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """Settings together with where each value came from: default, evalh.toml, or flag."""

    settings: RunSettings
    sources: Mapping[str, str]


def effective(flags: Mapping[str, Value], config: Path | None = None, *, complete: bool = True) -> Effective:
    """Merge defaults, the configuration file and flags (a flag that is None was not given).

    With `complete`, the settings must also suffice for a run (an adapter, or an endpoint with two names).

    Raises:
        BadInputError: names the file, key and line, or the flag, and what is wrong with it.
    """
    path = config or CONFIG_FILE
    if config is not None and not os.path.isfile(config):  # noqa: PTH113 - Path.is_file() raises for a long name
        raise BadInputError(f"{config}: no such file", hint="give --config an existing TOML file")
    table, text = _read(path) if path.is_file() else ({}, "")
    given = {name: value for name, value in flags.items() if value is not None}
    for name in table:
        if name not in RunSettings.model_fields:
            raise BadInputError(
                f"{path}:{_line(text, name)}: run.{name}: unknown key",
                hint=f"known keys: {', '.join(RunSettings.model_fields)}",
            )
    sources = dict.fromkeys(RunSettings.model_fields, "default")
    sources |= dict.fromkeys(table, str(path)) | dict.fromkeys(given, "flag")
    try:
        settings = RunSettings.model_validate({**table, **given}, strict=False)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        where = f"--{name.replace('_', '-')}" if name in given else f"{path}:{_line(text, name)}: run.{name}"
        raise BadInputError(
            f"{where}: {first['msg'].removeprefix('Value error, ')}, not {first['input']!r}", hint=_meaning(name)
        ) from error
    if complete:
        _consistent(settings)
    return Effective(settings=settings, sources=sources)


def _meaning(name: str) -> str:
    return f"{name} is: {RunSettings.model_fields[name].description}"


def _read(path: Path) -> tuple[dict[str, Value], str]:
    try:
        text = path.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: not TOML: {error}", hint="see docs/cli.md for its shape") from error
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", hint="check its permissions") from error
    for name in document:
        if name != "run":
            raise BadInputError(f"{path}:{_line(text, name)}: {name}: unknown table", hint="settings go under [run]")
    table = document.get("run", {})
    if not isinstance(table, dict):
        raise BadInputError(f"{path}:{_line(text, 'run')}: run: must be a table", hint="write [run] on its own line")
    return table, text


def _line(text: str, key: str) -> int:
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.strip().lstrip("[").lstrip()
        if bare.startswith((key, f'"{key}"')) and not bare[len(key) :].lstrip('"').strip()[:1].isalnum():
            return number
    return 1


def _consistent(settings: RunSettings) -> None:
    if settings.repeats > 1 and settings.temperature == 0:
        raise BadInputError(
            f"--repeats {settings.repeats} at temperature 0: greedy replies would be the same every time",
            hint="give --temperature above 0, or leave --repeats at 1",
        )
    if settings.endpoint and not (settings.base_model and settings.tuned_model):
        raise BadInputError("--endpoint needs both names", hint="add --base-model NAME and --tuned-model NAME")
    if not settings.endpoint and (settings.base_model or settings.tuned_model):
        raise BadInputError(
            "--base-model and --tuned-model name models at --endpoint", hint="add --endpoint URL, or leave them out"
        )
    if settings.endpoint and settings.base_model == settings.tuned_model:
        raise BadInputError(
            f"both arms are {settings.base_model!r}: a model cannot be better than itself",
            hint="give two different model names",
        )
    if settings.endpoint and settings.serve != "resident":
        raise BadInputError(
            f"--serve {settings.serve} starts a server, and --endpoint names one that runs", hint="give one of the two"
        )
    for name in ("load_4bit", "deterministic"):
        if settings.serve != "resident" and getattr(settings, name):
            flag = f"--{name.replace('_', '-')}"
            raise BadInputError(
                f"{flag} is the resident server's, not {settings.serve}'s", hint=f"leave out {flag}, or --serve"
            )
    if not settings.endpoint and not settings.adapter:
        raise BadInputError("no adapter", hint="give --adapter DIR, or --endpoint URL with two model names")
