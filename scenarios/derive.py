"""A tiny language of function calls that computes one template parameter from others; nothing is eval'd.

    expression = name | name.part | integer | "text" | function(expression, ...)

A value is a text or a list of texts; numbers are texts of decimal digits. There are no operators,
no loops and no variables of its own, so an expression always ends; sizes are bounded by the caller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from scenarios.problems import quoted

Value = str | tuple[str, ...]

_TOKEN = re.compile(
    r'\s*(?:(?P<name>[A-Za-z_][A-Za-z0-9_.]*)|(?P<number>-?[0-9]{1,18}(?![0-9]))|(?P<text>"[^"]*"|\'[^\']*\')|(?P<sign>[(),]))'
)
_MOST_TOKENS = 200
_MOST_CHARACTERS = 1 << 18


class DeriveError(ValueError):
    """The expression is not one, or does not fit its values; the message says why."""


def derive(expression: str, lookup: Callable[[str], Value]) -> Value:
    """The value of `expression`, names resolved by `lookup` (which may raise DeriveError).

    Raises DeriveError for anything that is not an expression of the module's grammar, for a
    function that does not exist, and for arguments that do not suit it.
    """
    tokens = _tokens(expression)
    value, rest = _expression(tokens, lookup)
    if rest:
        raise DeriveError(f"{quoted(rest[0][1])} follows a complete expression")
    return value


_Token = tuple[str, str]


def _tokens(expression: str) -> tuple[_Token, ...]:
    found: list[_Token] = []
    position = 0
    while expression[position:].strip():
        match = _TOKEN.match(expression, position)
        if match is None:
            raise DeriveError(f"cannot read {quoted(expression[position:].strip(), limit=30)}")
        found.append((str(match.lastgroup), match.group(str(match.lastgroup))))
        position = match.end()
        if len(found) > _MOST_TOKENS:
            raise DeriveError(f"the expression has more than {_MOST_TOKENS} words")
    return tuple(found)


def _expression(tokens: tuple[_Token, ...], lookup: Callable[[str], Value]) -> tuple[Value, tuple[_Token, ...]]:
    if not tokens:
        raise DeriveError("the expression ends too early")
    (kind, word), rest = tokens[0], tokens[1:]
    if kind == "number":
        return str(int(word)), rest
    if kind == "text":
        return word[1:-1], rest
    if kind == "sign":
        raise DeriveError(f"{quoted(word)} stands where a value should")
    if rest and rest[0] == ("sign", "("):
        arguments, rest = _arguments(rest[1:], lookup)
        return _call(word, arguments), rest
    return lookup(word), rest


def _arguments(
    tokens: tuple[_Token, ...], lookup: Callable[[str], Value]
) -> tuple[tuple[Value, ...], tuple[_Token, ...]]:
    found: list[Value] = []
    if tokens[:1] == (("sign", ")"),):
        return (), tokens[1:]
    while True:
        value, tokens = _expression(tokens, lookup)
        found.append(value)
        if not tokens or tokens[0] not in {("sign", ","), ("sign", ")")}:
            raise DeriveError("a `,` or `)` is missing")
        closing, tokens = tokens[0] == ("sign", ")"), tokens[1:]
        if closing:
            return tuple(found), tokens


def _call(name: str, arguments: tuple[Value, ...]) -> Value:
    function = FUNCTIONS.get(name)
    if function is None:
        raise DeriveError(f"there is no function {quoted(name)}; the functions are {', '.join(sorted(FUNCTIONS))}")
    try:
        value = function(*arguments)
    except TypeError:
        raise DeriveError(f"{name}() does not take {len(arguments)} arguments") from None
    if sum(map(len, _items(value))) > _MOST_CHARACTERS:
        raise DeriveError(f"the result of {name}() is longer than {_MOST_CHARACTERS} characters")
    return value


def _items(value: Value) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _text(value: Value) -> str:
    if isinstance(value, str):
        return value
    raise DeriveError("a list stands where a single text should")


def _number(value: Value) -> int:
    text = _text(value).strip()
    if re.fullmatch(r"-?[0-9]{1,18}", text, re.ASCII) is None:
        raise DeriveError(f"{quoted(text, limit=30)} is not a whole number")
    return int(text)


def _numbers(values: tuple[Value, ...]) -> list[int]:
    return [_number(item) for value in values for item in _items(value)]


def _add(*values: Value) -> str:
    return str(sum(_numbers(values)))


def _extreme(pick: Callable[[list[int]], int]) -> Callable[..., Value]:
    def extreme(*values: Value) -> str:
        numbers = _numbers(values)
        if not numbers:
            raise DeriveError("there is no largest or smallest of nothing")
        return str(pick(numbers))

    return extreme


def _multiply(first: Value, second: Value) -> str:
    return str(_number(first) * _number(second))


def _subtract(first: Value, second: Value) -> str:
    return str(_number(first) - _number(second))


def _each(change: Callable[[str], str]) -> Callable[..., Value]:
    def each(value: Value) -> Value:
        return change(value) if isinstance(value, str) else tuple(map(change, value))

    return each


def _unique(value: Value) -> Value:
    return tuple(dict.fromkeys(_items(value)))


def _head(value: Value, count: Value) -> Value:
    return _items(value)[: max(_number(count), 0)]


def _tail(value: Value, count: Value) -> Value:
    items = _items(value)
    return items[max(len(items) - max(_number(count), 0), 0) :]


def _with(value: Value, word: Value) -> Value:
    return tuple(item for item in _items(value) if _text(word) in item)


def _without(value: Value, word: Value) -> Value:
    return tuple(item for item in _items(value) if _text(word) not in item)


def _column(value: Value, number: Value) -> Value:
    at = _number(number)
    rows = [item.split() for item in _items(value)]
    if at < 1 or any(len(row) < at for row in rows):
        raise DeriveError(f"not every line has a column {at}")
    return tuple(row[at - 1] for row in rows)


def _paste(*values: Value) -> Value:
    lengths = {len(value) for value in values if not isinstance(value, str)}
    if len(lengths) > 1:
        raise DeriveError(f"paste() joins lists of one length, not of {sorted(lengths)}")
    count = lengths.pop() if lengths else 1
    if count * sum(len(value) for value in values if isinstance(value, str)) > _MOST_CHARACTERS:
        raise DeriveError(f"the result of paste() is longer than {_MOST_CHARACTERS} characters")
    rows = tuple("".join(v if isinstance(v, str) else v[i] for v in values) for i in range(count))
    return rows if any(not isinstance(value, str) for value in values) else rows[0]


def _list(*values: Value) -> Value:
    return tuple(item for value in values for item in _items(value))


def _join(value: Value, separator: Value) -> Value:
    items, between = _items(value), _text(separator)
    if len(between) * len(items) > _MOST_CHARACTERS:
        raise DeriveError(f"the result of join() is longer than {_MOST_CHARACTERS} characters")
    return between.join(items)


FUNCTIONS: Mapping[str, Callable[..., Value]] = MappingProxyType(
    {
        "sum": _add,
        "sub": _subtract,
        "mul": _multiply,
        "min": _extreme(min),
        "max": _extreme(max),
        "len": lambda value: str(len(_items(value))),
        "upper": _each(str.upper),
        "lower": _each(str.lower),
        "title": _each(str.title),
        "sort": lambda value: tuple(sorted(_items(value))),
        "sort_numbers": lambda value: tuple(sorted(_items(value), key=_number)),
        "reverse": lambda value: tuple(reversed(_items(value))),
        "unique": _unique,
        "head": _head,
        "tail": _tail,
        "with": _with,
        "without": _without,
        "column": _column,
        "paste": _paste,
        "list": _list,
        "join": _join,
    }
)
