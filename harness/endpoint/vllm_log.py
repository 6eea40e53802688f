"""Reads a vLLM server's log: what engine it made, and why it died."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.endpoint.refusals import printable

_ENGINE = re.compile(r"Initializing .*? engine .*? with config: (.*)")
_DTYPE = re.compile(r"(?<![\w-])dtype=(?:torch\.)?(\w+)")
_LENGTH = re.compile(r"(?<![\w-])max_seq_len=(\d+)")
_PREFIX = re.compile(r"^(\([\w ]+pid=\d+\) )?((ERROR|WARNING|INFO) [\d-]+ [\d:.]+ \[[^\]]*\] ?)?")
_CAUSE = re.compile(r"^([\w.]*(Error|Exception|Interrupt)\b|vllm[\w -]*: error:)")
_EMPTY = re.compile(r"Engine core initialization failed|WorkerProc initialization failed")
_CAUSES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineWords:
    """What the log states of the engine; None where it does not."""

    dtype: str | None
    max_model_len: int | None


def engine_words(log: str) -> EngineWords:
    """What the last engine of a log says of itself."""
    found = _ENGINE.findall(log)
    words = found[-1] if found else ""
    dtype, length = _DTYPE.search(words), _LENGTH.search(words)
    return EngineWords(dtype=dtype[1] if dtype else None, max_model_len=int(length[1]) if length else None)


def causes(log: str) -> list[str]:
    """The errors that a log names, the first ones first, without the frames around them and without repetition."""
    lines = (_PREFIX.sub("", line) for line in log.splitlines())
    named = dict.fromkeys(printable(line.strip(), 300) for line in lines if _CAUSE.match(line.strip()))
    told = [line for line in named if not _EMPTY.search(line)]
    return (told or list(named))[:_CAUSES]
