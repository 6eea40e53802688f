"""A session in the shape that the page plays: the terminal's events, the turns and the end, within a cap."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reports.views.html.casts import SessionCast

MAX_TEXT = 256 << 10  # characters of terminal output that a session keeps
MAX_END = 64 << 10  # of these, characters of its end
MAX_EVENT = 32 << 10  # characters that one event keeps, half from its beginning and half from its end
MAX_SAID = 256 << 10  # characters of replies, typed lines and opening messages that a session keeps
MAX_REPLY = 16 << 10  # characters that one of them keeps
MAX_EVENTS = 20_000
MAX_TURNS = 2_000
COLUMNS, ROWS = 200, 50  # of a terminal whose recording does not say
LARGEST = 500  # columns or rows that a page shows
MARK = re.compile("\x1e[^\x1e\x1f\n]{0,8192}\x1f")  # the harness's own prompt marks, which no reader sees

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]
Object = Mapping[str, Json]
Event = tuple[float, str, str]  # seconds, "o" or "m", text


@dataclass(slots=True)
class _Budget:
    """How many characters may still be kept in all and at once, and how many were left out."""

    room: int
    each: int
    newline: str = "\n"
    left_out: int = 0

    def keep(self, text: str) -> str:
        """The text, or its beginning and its end with a note between them; nothing once the room is used up."""
        allowed = min(self.each, self.room)
        if len(text) <= allowed:
            self.room -= len(text)
            return text
        half = allowed // 2
        omitted = len(text) - 2 * half
        self.left_out += omitted
        if self.room == 0:
            return ""
        self.room = 0 if allowed == self.room else self.room - 2 * half
        tail = text[len(text) - half :] if half else ""
        return f"{text[:half]}{self.newline}[{omitted} characters left out]{self.newline}{tail}"


def session_json(session: SessionCast) -> str:
    """The session as the page's JSON: width, height, events, opening, turns, end, recorded, left_out.

    Events are [seconds, "o" or "m", text]. Without a recording they are made from the turns. Lines that are
    damaged are passed over: a page about a broken run is worth more than none.
    """
    said = _Budget(room=MAX_SAID, each=MAX_REPLY)
    opening, turns, end = _turns(session.turns)
    header, raw = _cast(session.cast)
    events, left_out = _within(raw or list(_from_turns(opening, turns)))
    shape = {
        "width": _size(header.get("width"), COLUMNS),
        "height": _size(header.get("height"), ROWS),
        "events": events,
        "opening": [{"role": _text(m.get("role")), "content": said.keep(_text(m.get("content")))} for m in opening],
        "turns": [_turn(turn, said) for turn in turns],
        "end": {"terminal": _text(end.get("terminal")), "status": _whole(end.get("status"))} if end else None,
        "recorded": bool(raw),
        "left_out": left_out + said.left_out,
    }
    return json.dumps(shape, ensure_ascii=False, separators=(",", ":"))


def _lines(text: str) -> Iterator[Json]:
    for line in text.split("\n"):
        if line:
            try:
                yield json.loads(line)
            except (ValueError, RecursionError):
                continue


def _cast(text: str) -> tuple[Object, list[Event]]:
    header: Object = {}
    events: list[Event] = []
    for value in _lines(text):
        if isinstance(value, dict):
            header = value
        elif (event := _event(value)) is not None and len(events) < MAX_EVENTS:
            events.append(event)
    return header, events


def _event(value: Json) -> Event | None:
    match value:
        case [int() | float() as at, "o" | "m" as kind, str() as shown] if 0 <= at < 1e9:
            return round(float(at), 3), str(kind), shown
        case _:
            return None


def _within(events: list[Event]) -> tuple[list[Event], int]:
    """The events within the cap, and how many characters were left out: the session's end is kept before its middle."""
    events = [(at, kind, MARK.sub("", text) if kind == "o" else text[:200]) for at, kind, text in events]
    begin, used = len(events), 0
    while begin and used + len(events[begin - 1][2]) <= MAX_END:
        begin -= 1
        used += len(events[begin][2])
    budget = _Budget(room=MAX_TEXT - used, each=MAX_EVENT, newline="\r\n")
    kept = [(at, kind, budget.keep(text) if kind == "o" else text) for at, kind, text in events[:begin]]
    return [event for event in kept if event[2]] + events[begin:], budget.left_out


def _turns(text: str) -> tuple[list[Object], list[Object], Object]:
    opening: list[Object] = []
    turns: list[Object] = []
    end: Object = {}
    for value in _lines(text):
        if not isinstance(value, dict):
            continue
        kind, body = value.get("type"), value.get("value")
        if kind == "opening" and isinstance(body, list):
            opening = [message for message in body if isinstance(message, dict)]
        elif kind == "turn" and isinstance(body, dict) and len(turns) < MAX_TURNS:
            turns.append(body)
        elif kind == "end" and isinstance(body, dict):
            end = body
    return opening, turns, end


def _turn(turn: Object, budget: _Budget) -> Object:
    said = _object(turn.get("completion"))
    return {
        "index": _whole(turn.get("index")) or 0,
        "reply": budget.keep(_text(said.get("text"))),
        "finish": _text(said.get("finish_reason")),
        "seconds": _seconds(said.get("seconds")),
        "completion_tokens": _whole(said.get("completion_tokens")),
        "lines": [_line(line, budget) for line in _objects(turn.get("lines"))],
    }


def _line(line: Object, budget: _Budget) -> Json:
    return {
        "text": budget.keep(_text(line.get("text"))),
        "end": _text(line.get("end")),
        "status": _whole(line.get("status")),
    }


def _from_turns(opening: list[Object], turns: list[Object]) -> Iterator[Event]:
    """The events of a session that was not recorded, a second for each turn."""
    landing = _text(opening[-1].get("content")) if opening else ""
    yield 0.0, "o", landing.replace("\n", "\r\n")
    for turn in turns:
        index = _whole(turn.get("index")) or 0
        yield float(index), "m", f"{index}: "
        yield float(index), "o", _text(turn.get("observation")).replace("\n", "\r\n")


def _objects(value: Json) -> list[Object]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _object(value: Json) -> Object:
    return value if isinstance(value, dict) else {}


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _seconds(value: Json) -> float | None:
    return round(float(value), 3) if isinstance(value, int | float) and abs(value) < 1e9 else None


def _size(value: Json, otherwise: int) -> int:
    size = _whole(value)
    return size if size is not None and 0 < size <= LARGEST else otherwise
