"""What came of a reply: the text that a model is shown, and how each line ended."""

from __future__ import annotations

from harness.terminal import TerminalLimits
from harness.values import Exchange, LineEnd
from render.observation import observation

HASTY = TerminalLimits(turn_seconds=1.0, interrupt_seconds=4)
PROMPT, WAITING, CONTINUATION = LineEnd.PROMPT, LineEnd.WAITING, LineEnd.CONTINUATION


def shown(exchange: Exchange) -> str:
    return observation(exchange.output, omitted_bytes=exchange.omitted_bytes)


def ends(exchange: Exchange) -> list[LineEnd]:
    return [line.end for line in exchange.lines]
