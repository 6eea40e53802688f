r"""The observation: what a terminal's bytes look like once its marks and its drawing are gone.

Pure and deterministic. The text is what a person would read on a dumb terminal of endless width: lines
are joined by `\n`, tabs stay tabs, nothing moves the cursor any more.
"""

from __future__ import annotations

import re

from render.line import shown

NOTHING = "[no output]"
MIN_CAP = 128  # bytes; the line that stands for what was left out fits, and some text beside it
_BOUNDARY = "\x1e"  # stands where a mark was: what follows (a prompt) is written after the line, not over it

# One pass removes everything at once, so that nothing removed can bring a new sequence together.
# No two alternatives can match at one place, each class ends where the next begins: linear on any input.
_MARK = r"\x1e(?:[^\x1e\x1f\n]{0,8192}\x1f|[0-9A-Za-z_-]{8,64}:[0-9A-Za-z:+/=?$()]{0,8192})"
_CSI = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # ECMA-48 5.4
_STRING = r"(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\x1e\n]*(?:\x07|\x1b\\|\x9c)?"  # ECMA-48 5.6, OSC
_ESCAPE = r"\x1b[ -/]*[0-~]?"  # ECMA-48 5.5, ISO 2022 4.3
_CONTROL = r"[\x00-\x07\x0b\x0c\x0e-\x1f\x7f-\x9f]"  # all but backspace, tab, line feed and carriage return
_DRAWING = re.compile(f"(?P<mark>{_MARK})|{_CSI}|{_STRING}|{_ESCAPE}|{_CONTROL}")


def observation(raw: bytes, *, cap_bytes: int = 8192, omitted_bytes: int = 0) -> str:
    r"""The text that a terminal showed, at most `cap_bytes` bytes of UTF-8.

    Removed: the harness's marks (`\x1e…\x1f`), escape sequences (ended or not), other control characters.
    Applied: carriage returns and backspaces, as overwriting; `\r\n` is `\n`. Invalid UTF-8 is U+FFFD. A prompt
    after a mark stands after the line's text even where the cursor had been moved back.
    `omitted_bytes` is how much a recorder already left out in the middle, at `len(raw) // 2`. That and what
    exceeds the cap become one line, `[... N bytes left out ...]`, between the text's head and tail.
    A text without a visible character is `[no output]`. Applied to its own result it changes nothing.
    ValueError for a cap below 128 bytes.
    """
    if cap_bytes < MIN_CAP:
        msg = f"cap_bytes must be at least {MIN_CAP}, not {cap_bytes}"
        raise ValueError(msg)
    if omitted_bytes > 0:
        middle = len(raw) // 2
        text = _left_out(_clean(_whole_start(raw[:middle])), _clean(_whole_end(raw[middle:])), omitted_bytes, cap_bytes)
    else:
        text = _clean(raw)
        if _size(text) > cap_bytes:
            half = len(text) // 2
            text = _left_out(text[:half], text[half:], 0, cap_bytes)
    return text if _visible(text) else NOTHING


def _clean(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    text = _DRAWING.sub(lambda found: _BOUNDARY if found["mark"] else "", text)
    return "\n".join("".join(map(shown, line.rstrip("\r").split(_BOUNDARY))) for line in text.split("\n"))


def _left_out(head: str, tail: str, omitted: int, cap: int) -> str:
    """Head, one line that counts what is missing, tail: together within `cap` bytes."""
    most = omitted + _size(head) + _size(tail)
    budget = cap - len(_notice(most)) - 1  # the longest the line can be, with a newline before it
    head_share = max(budget // 2, budget - _size(tail))
    kept_head = _first(head, min(head_share, _size(head)))
    kept_tail = _last(tail, budget - _size(kept_head))
    missing = most - _size(kept_head) - _size(kept_tail)
    separator = "" if not kept_head or kept_head.endswith("\n") else "\n"
    return f"{kept_head}{separator}{_notice(missing)}{kept_tail}"


def _notice(missing: int) -> str:
    return f"[... {missing} bytes left out ...]\n"


def _first(text: str, size: int) -> str:
    """The longest beginning of at most `size` bytes."""
    return text.encode()[:size].decode("utf-8", "ignore")


def _last(text: str, size: int) -> str:
    """The longest end of at most `size` bytes."""
    return text.encode()[-size:].decode("utf-8", "ignore") if size > 0 else ""


def _whole_start(raw: bytes) -> bytes:
    """Without the first bytes of a character that the end cuts."""
    for back in range(1, min(4, len(raw)) + 1):
        byte = raw[-back]
        if byte >= 0xC0:  # a lead byte; RFC 3629, section 3
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return raw[:-back] if back < length else raw
        if byte < 0x80:  # ASCII
            break
    return raw


def _whole_end(raw: bytes) -> bytes:
    """Without the last bytes of a character that the beginning cuts."""
    start = 0
    while start < min(3, len(raw)) and raw[start] & 0xC0 == 0x80:  # continuation bytes
        start += 1
    return raw[start:]


def _size(text: str) -> int:
    return len(text.encode())


def _visible(text: str) -> bool:
    return any(not character.isspace() and character.isprintable() for character in text)
