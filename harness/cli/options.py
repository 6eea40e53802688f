"""The flags of a run, made from the settings' own fields so that the two cannot drift apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeVar

import click

from harness.cli.settings import RunSettings

Flag = str | int | float | bool | None
F = TypeVar("F", bound=Callable[..., None])

CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "split": ("holdout", "train"),
        "engine": ("auto", "docker", "crun"),
        "parity": ("block", "warn", "off"),
        "liveness": ("block", "warn", "off"),
        "contract": ("block", "warn"),
        "serve": ("resident", "vllm"),
        "stop_when": ("never", "decided"),
        "dtype": ("auto", "float32", "bfloat16"),
    }
)
SWITCHES = frozenset({"allow_uncertified", "deterministic", "load_4bit"})
PAIRS = frozenset({"calibration"})  # switches that are on unless their --no- is given
METAVARS: Mapping[str, str] = MappingProxyType(
    {
        "adapter": "DIR",
        "base": "DIR",
        "scenarios": "DIR",
        "n": "N|all|SUBSET",
        "out": "DIR",
        "endpoint": "URL",
        "base_model": "NAME",
        "tuned_model": "NAME",
        "tokenizer": "DIR",
        "chat_template_kwargs": "JSON",
        "api_key_env": "VAR",
        "gate": "POLICY",
    }
)


def run_options(command: F) -> F:
    """Add one optional flag per setting; a flag not given is None, so that evalh.toml can speak."""
    for name, field in reversed(RunSettings.model_fields.items()):
        default = "" if field.default is None else f" [default: {field.default}]"
        text = f"{field.description}{default if 'default' not in str(field.description) else ''}"
        flag = f"--{name.replace('_', '-')}"
        if name in SWITCHES:
            option = click.option(flag, name, is_flag=True, default=None, help=text)
        elif name in PAIRS:
            option = click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=text)
        elif name in CHOICES:
            option = click.option(flag, name, type=click.Choice(CHOICES[name]), default=None, help=text)
        else:
            option = click.option(flag, name, type=_type(name), metavar=METAVARS.get(name), default=None, help=text)
        command = option(command)
    return command


def _type(name: str) -> click.ParamType[str] | click.ParamType[int] | click.ParamType[float]:
    annotation = str(RunSettings.model_fields[name].annotation)
    if name == "n" or "str" in annotation:
        return click.STRING
    return click.FLOAT if "float" in annotation else click.INT
