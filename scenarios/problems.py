"""What is wrong with a bundle: a key, a sentence, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST_KEY = 60
KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, at one key of a bundle (the empty key means the file itself).

    `line` is given where the key does not tell it, as for a mistake in the TOML itself.
    """

    key: KeyPath
    message: str
    advice: str = ""
    line: int | None = None


class ProblemError(Exception):
    """Carries problems from the depth of a parser up to the loader, which names file and line."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


def dotted(key: KeyPath) -> str:
    """The key as people write it: `checks[2].path`, `landing.env.DIR`, `files."/odd name"`."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            plain = part.replace("_", "").replace("-", "")
            word = part if plain.isascii() and plain.isalnum() and len(part) <= _LONGEST_KEY else quoted(part)
            text += f".{word}" if text else word
    return text


def quoted(text: str, *, limit: int = 80) -> str:
    """A foreign text shown safely on one line: escaped, in double quotes, and cut to `limit` characters."""
    shown = text if len(text) <= limit else text[: limit - 3] + "..."
    escaped = shown.encode("unicode_escape").decode("ascii") if not shown.isprintable() else shown
    return '"' + escaped.replace('"', '\\"') + '"'
