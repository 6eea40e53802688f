"""Shows a training example with what is learnt set apart."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from render import IGNORED, ChatTokenizer, TrainingExample


def masked(tokenizer: ChatTokenizer, example: TrainingExample) -> Text:
    """The example's text; what is learnt is green, the rest dim."""
    pieces = Text()
    for learnt, run in runs(example):
        pieces.append(visible(str(decoded(tokenizer, run))), style="green underline" if learnt else "dim")
    return pieces


def runs(example: TrainingExample) -> Iterator[tuple[bool, list[int]]]:
    """The example's ids in stretches that are learnt or are not."""
    run: list[int] = []
    learnt = False
    for token, label in zip(example.ids, example.labels, strict=True):
        if run and (label != IGNORED) != learnt:
            yield learnt, run
            run = []
        learnt = label != IGNORED
        run.append(token)
    yield learnt, run


def decoded(tokenizer: object, ids: list[int]) -> object:
    """The text of some ids, as far as the tokenizer can tell."""
    decode = getattr(tokenizer, "decode", None)
    return decode(ids) if callable(decode) else ""


def visible(text: str) -> str:
    """The text with control characters other than line ends and tabs as pictures, so that a terminal obeys none."""
    return "".join(
        character if character in "\n\t" or character.isprintable() else _picture(character) for character in text
    )


def _picture(character: str) -> str:
    return chr(0x2400 + ord(character)) if ord(character) < 0x20 else f"<U+{ord(character):04X}>"
