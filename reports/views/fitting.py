"""Blocks of Markdown fitted into a size: what does not fit is left out line by line, and counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.wording import plural

NOTE = 80  # bytes kept free in a block for saying what it lost
TAIL = 300  # bytes kept free at the end for naming the blocks that are missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines between a fixed beginning and end; `noun` is what one line is, and `title` what the block is."""

    title: str
    noun: str
    lines: tuple[str, ...]
    before: str = ""
    after: str = ""


def folded(title: str, noun: str, lines: Iterable[str]) -> Block:
    """A block that GitHub shows folded, its number of lines in the heading."""
    kept = tuple(lines)
    before = f"\n<details><summary>{title} ({len(kept)})</summary>\n\n"
    return Block(title=title, noun=noun, lines=kept, before=before, after="\n</details>\n")


def fit(blocks: Iterable[Block], max_bytes: int) -> str:
    """The blocks in their order, in at most `max_bytes` bytes of UTF-8; empty blocks are no loss.

    The first is there whole, or nothing is. Every other is cut behind its last line that fits; one of
    which no line fits is named at the end.
    """
    filled = [block for block in blocks if block.lines]
    if not filled:
        return ""
    whole = _text(filled[0], filled[0].lines)
    room = max_bytes - TAIL - len(whole.encode())
    if room < 0:
        return ""
    parts, missing = [whole], list[str]()
    for block in filled[1:]:
        text = _cut(block, room)
        if text is None:
            missing.append(block.title)
        else:
            parts.append(text)
            room -= len(text.encode())
    if missing:
        parts.append(f"\nLeft out for size: {', '.join(missing)}.\n"[:TAIL])
    return "".join(parts)


def _cut(block: Block, room: int) -> str | None:
    """The block with as many lines as there is room for; None if that is not a single one."""
    room -= len((block.before + block.after).encode()) + NOTE
    kept = 0
    for line in block.lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept += 1
    if kept == 0:
        return None
    dropped = len(block.lines) - kept
    return _text(block, block.lines[:kept], f"\n{plural(dropped, block.noun)} left out for size.\n" if dropped else "")


def _text(block: Block, lines: Sequence[str], more: str = "") -> str:
    body = "".join(f"{line}\n" for line in lines)
    return f"{block.before}{body}{more}{block.after}"
