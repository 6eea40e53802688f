"""Reads which pieces of a SentencePiece model file are control pieces, without its library."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

_VARINT, _EIGHT_BYTES, _COUNTED, _FOUR_BYTES = 0, 1, 2, 5  # protobuf's wire types
_PIECE: Final = 1  # the model's field that holds a piece
_TEXT, _TYPE = 1, 3  # the fields of a piece
_CONTROL: Final = 3


def control_pieces(model: bytes) -> set[str]:
    """The spellings of a serialised SentencePiece model's control pieces; empty if it is damaged or something else."""
    found: set[str] = set()
    try:
        for field, value in _fields(model):
            if field == _PIECE and isinstance(value, bytes):
                piece = dict(_fields(value))
                text = piece.get(_TEXT)
                if piece.get(_TYPE) == _CONTROL and isinstance(text, bytes):
                    found.add(text.decode("utf-8"))
    except (IndexError, ValueError):
        return set()
    return found


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Each field of a protobuf message: its number, and its value as a number or as bytes.

    Raises:
        ValueError: it is no such message.
        IndexError: it ends within a field.
    """
    place = 0
    while place < len(message):
        key, place = _number(message, place)
        kind = key & 7
        value: int | bytes
        if kind == _VARINT:
            value, place = _number(message, place)
        else:
            size = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}.get(kind)
            if kind == _COUNTED:
                size, place = _number(message, place)
            if size is None or place + size > len(message):
                raise ValueError(kind)
            value, place = message[place : place + size], place + size
        yield key >> 3, value


def _number(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while message[place] & 0x80:
        value |= (message[place] & 0x7F) << shift
        place, shift = place + 1, shift + 7
    return value | message[place] << shift, place + 1
