"""The control tokens of a tokenizer's directory, read from its files: no tokenizer is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from render.control import sifted


def control_tokens_in(directory: Path) -> tuple[str, ...]:
    """What `control_tokens` says of the tokenizer that is saved in `directory`, sorted.

    Reads tokenizer.json, tokenizer_config.json, special_tokens_map.json, added_tokens.json, tekken.json and the chat
    template, as far as they are there; files that are missing or broken count as empty. Control pieces that only a
    SentencePiece model file knows are not seen; the fixed family of `break_control_tokens` has the usual ones.
    """
    special: set[str] = set()
    others: set[str] = set(_table(directory / "added_tokens.json"))
    config = _table(directory / "tokenizer_config.json")
    for table in (config, _table(directory / "special_tokens_map.json")):
        special.update(_named(table))
    tekken = _table(directory / "tekken.json").get("special_tokens")
    special.update(_spellings(tekken if isinstance(tekken, list) else ()))
    for row in (
        *_rows(_table(directory / "tokenizer.json").get("added_tokens")),
        *_rows(config.get("added_tokens_decoder")),
    ):
        (special if row.get("special") else others).update(_spellings((row,)))
    return sifted(special, others, _template(directory, config))


def _named(table: Mapping[str, object]) -> Iterator[str]:
    """The tokens that a config names: `eos_token` and its like, and the lists of further ones."""
    for key, value in table.items():
        if key.endswith("_token"):
            yield from _spellings((value,))
        elif key in {"additional_special_tokens", "extra_special_tokens"}:
            yield from _spellings(
                value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            )


def _spellings(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        text = (value.get("content") or value.get("token_str")) if isinstance(value, dict) else value
        if isinstance(text, str):
            yield text


def _rows(value: object) -> list[dict[str, object]]:
    rows = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [row for row in rows if isinstance(row, dict)]


def _template(directory: Path, config: Mapping[str, object]) -> str:
    parts = [str(config.get("chat_template") or "")]
    files = [directory / "chat_template.jinja", *sorted((directory / "additional_chat_templates").glob("*.jinja"))]
    for path in files:
        try:
            parts.append(path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
    parts.append(str(_table(directory / "chat_template.json").get("chat_template") or ""))
    return "\n".join(parts)


def _table(path: Path) -> dict[str, object]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
