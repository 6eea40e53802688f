"""A phrase of a text by which a record shows that the text was read."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r"[\\.^$*+?{}\[\]|()]")
_SHORTEST, _LONGEST = 12, 60  # characters


def telling(text: str, others: tuple[str, ...] = ()) -> str:
    """A regular expression for words of `text`, from as far up as can be, that stand in none of the `others`."""
    best = ""
    for line in text.split("\n"):
        phrase = line.strip()
        if len(phrase) > _LONGEST:
            phrase = phrase[:_LONGEST].rsplit(" ", 1)[0]
        if not phrase.isprintable() or any(phrase in other for other in others):
            continue
        if len(phrase) >= _SHORTEST and not phrase.startswith(("#", "```", "---")):
            return _escaped(phrase)
        best = max(best, phrase, key=len)
    return _escaped(best or text.strip()[:_LONGEST])


def _escaped(phrase: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", phrase)
