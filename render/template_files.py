"""The chat template of a tokenizer's directory, read from its files: no tokenizer is loaded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from render.contract import template_digest


@dataclass(frozen=True, slots=True, kw_only=True)
class _Template:
    """A chat template where a tokenizer is asked for."""

    chat_template: str | dict[str, str] | None


def template_digest_in(directory: Path) -> str | None:
    """What `template_digest` says of the tokenizer that is saved in `directory`; None if it has no template.

    Files of templates go before tokenizer_config.json, and several templates go by their names, as transformers reads
    them. What is missing or broken counts as absent.
    """
    found: dict[str, str] = {}
    for name, path in (
        ("default", directory / "chat_template.jinja"),
        *((path.stem, path) for path in sorted((directory / "additional_chat_templates").glob("*.jinja"))),
    ):
        if path.is_file():
            found[name] = path.read_text(encoding="utf-8", errors="replace")
    if found:
        return template_digest(_Template(chat_template=found["default"] if set(found) == {"default"} else found))
    return template_digest(_Template(chat_template=_stated(directory / "tokenizer_config.json")))


def _stated(config: Path) -> str | dict[str, str] | None:
    """The template that a config states: one text, or a list of named ones."""
    try:
        value = json.loads(config.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    template = value.get("chat_template") if isinstance(value, dict) else None
    if isinstance(template, list):
        named = [one for one in template if isinstance(one, dict)]
        return {str(one.get("name")): str(one.get("template")) for one in named}
    return template if isinstance(template, str) else None
