"""Random draws that are the same in every Python: SHA-256 in counter mode over a key of words.

A stream is a sequence of 64-bit words; word i of the stream with the key (a, b) is the first eight
bytes, big-endian, of SHA-256("evalh-template-1" US a US b US i), where US is the byte 0x1f.
Whole numbers below n come from words by rejection, orders by Fisher and Yates' shuffle from the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TypeVar

_Item = TypeVar("_Item")
_SPAN = 1 << 64


def stream(*key: str) -> Iterator[int]:
    """The endless stream of 64-bit words that belongs to `key`."""
    prefix = "\x1f".join(("evalh-template-1", *key)).encode()
    counter = 0
    while True:
        yield int.from_bytes(hashlib.sha256(prefix + b"\x1f%d" % counter).digest()[:8], "big")
        counter += 1


def below(words: Iterator[int], bound: int) -> int:
    """A whole number in 0 .. bound-1, each equally likely; `bound` is from 1 to 2**64."""
    limit = _SPAN - _SPAN % bound
    word = next(words)
    while word >= limit:
        word = next(words)
    return word % bound


def shuffled(words: Iterator[int], items: Sequence[_Item]) -> list[_Item]:
    """The items in a random order, each order equally likely."""
    order = list(items)
    for last in range(len(order) - 1, 0, -1):
        other = below(words, last + 1)
        order[last], order[other] = order[other], order[last]
    return order
