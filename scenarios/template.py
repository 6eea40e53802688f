"""A bundle with parameters becomes its instances: one plain bundle for every seed.

Expansion depends on the template's id, its parameters and the seed, and on nothing else; see
scenarios.drawing for how the draws are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scenarios.derive import DeriveError, derive
from scenarios.drawing import below, shuffled, stream
from scenarios.parameters import (
    BRACES,
    Data,
    Derive,
    Parameter,
    Range,
    Sample,
    check_use,
    read_parameters,
    read_seeds,
    span,
)
from scenarios.problems import KeyPath, Problem, ProblemError, dotted, quoted

Row = Mapping[str, str]
Drawn = str | Row | tuple[str | Row, ...]

_MOST_CHARACTERS = 1 << 18  # of one substituted text
_MOST_INSTANCE_CHARACTERS = 1 << 20
_FIXED = frozenset({"schema_version", "id", "archetype", "split"})  # the same in all instances, never substituted


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A parsed template: what is drawn, for which seeds, and the bundle that the draws go into."""

    id: str
    parameters: tuple[tuple[str, Parameter], ...]
    seeds: range
    body: dict[str, Data]


def is_template(data: Mapping[str, Data]) -> bool:
    """Whether a bundle declares parameters or instances."""
    return "parameters" in data or "instances" in data


def parse(data: Mapping[str, Data]) -> Template:
    """The template in a bundle's raw data; raises ProblemError with everything that is wrong in it."""
    problems: list[Problem] = []
    seeds = read_seeds(data.get("instances"), problems)
    parameters = read_parameters(data.get("parameters"), problems)
    body = {key: value for key, value in data.items() if key not in {"parameters", "instances"}}
    problems += check_use(parameters, {key: value for key, value in body.items() if key not in _FIXED})
    if problems:
        raise ProblemError(*problems)
    return Template(id=str(data.get("id", "")), parameters=tuple(parameters.items()), seeds=seeds, body=body)


def expand(template: Template, seed: int) -> dict[str, Data]:
    """The plain bundle of one seed; raises ProblemError when a value or a text cannot be made."""
    draws = _Draws(template, seed)
    fixed = {key: value for key, value in template.body.items() if key in _FIXED}
    rest = {key: value for key, value in template.body.items() if key not in _FIXED}
    expanded = _Filler(draws).fill(rest, ())
    if not isinstance(expanded, dict):  # pragma: no cover - a table stays a table
        raise TypeError(expanded)
    return {**fixed, **expanded, "id": f"{template.id}-{seed:03d}"}


class _Draws:
    """The values of one instance's parameters, each drawn when it is first asked for."""

    def __init__(self, template: Template, seed: int) -> None:
        self._template = template
        self._seed = seed
        self._parameters = dict(template.parameters)
        self._known: dict[str, Drawn] = {"seed": str(seed)}
        self._open: list[str] = []

    def text(self, reference: str) -> str:
        """What a placeholder `{{reference}}` stands for."""
        value = self.value(reference)
        if isinstance(value, str):
            return value
        if isinstance(value, tuple):
            texts = [item for item in value if isinstance(item, str)]
            if len(texts) == len(value):
                parameter = self._parameters[reference.split(".")[0]]
                return parameter.join.join(texts)
        raise DeriveError(f"{reference} is a row of several texts; name one of them, as in {{{{{reference}.key}}}}")

    def value(self, reference: str) -> Drawn:
        """The value of `name`, `name.0`, `name.key` or `name.0.key`."""
        name, *parts = reference.split(".")
        value = self._of(name)
        for part in parts:
            value = _part(value, part, reference)
        return value

    def _of(self, name: str) -> Drawn:
        if name in self._known:
            return self._known[name]
        if name not in self._parameters:
            raise DeriveError(f"there is no parameter {quoted(name)}; there are {', '.join(sorted(self._parameters))}")
        if name in self._open:
            raise DeriveError(f"parameters need each other in a circle: {' -> '.join([*self._open, name])}")
        self._open.append(name)
        try:
            self._known[name] = self._draw(name, self._parameters[name])
        finally:
            self._open.pop()
        return self._known[name]

    def _draw(self, name: str, parameter: Parameter) -> Drawn:
        if isinstance(parameter, Derive):
            return derive(parameter.derive, self._plain)
        words = stream(self._template.id, name, str(self._seed))
        lo, hi = span(parameter.count)
        count = lo + below(words, hi - lo + 1)
        if isinstance(parameter, Range):
            first, last = parameter.range
            numbers = tuple(str(first + below(words, last - first + 1)) for _ in range(count))
            return numbers if parameter.count is not None else numbers[0]
        if isinstance(parameter, Sample):
            return tuple(self._filled(item) for item in shuffled(words, parameter.sample)[:count])
        pool = parameter.choose
        if parameter.count is not None:
            return tuple(self._filled(pool[below(words, len(pool))]) for _ in range(count))
        lap, place = divmod(self._seed, len(pool))  # every item once in a lap, each lap in its own order
        order = shuffled(stream(self._template.id, name, "lap", str(lap)), pool)
        return self._filled(order[place])

    def _plain(self, reference: str) -> str | tuple[str, ...]:
        value = self.value(reference)
        if isinstance(value, str):
            return value
        texts = tuple(item for item in value if isinstance(item, str)) if isinstance(value, tuple) else ()
        if isinstance(value, tuple) and len(texts) == len(value):
            return texts
        raise DeriveError(f"{reference} has several texts in a row; name one of them, as in {reference}.key")

    def _filled(self, item: str | int | dict[str, str | int]) -> str | Row:
        if isinstance(item, dict):
            return {key: substitute(str(value), self) for key, value in item.items()}
        return substitute(str(item), self)


def _part(value: Drawn, part: str, reference: str) -> Drawn:
    if isinstance(value, tuple):
        if not part.isdigit():
            return tuple(_field(item, part, reference) for item in value)
        if int(part) >= len(value):
            raise DeriveError(f"{reference} counts from 0, and there are {len(value)} items")
        return value[int(part)]
    return _field(value, part, reference)


def _field(value: str | Row, part: str, reference: str) -> str:
    if isinstance(value, str):
        raise DeriveError(f"{reference}: a single text has no part {quoted(part)}")
    if part not in value:
        raise DeriveError(f"{reference}: a row has no {quoted(part)}, only {', '.join(sorted(value))}")
    return value[part]


def substitute(text: str, draws: _Draws) -> str:
    """`text` with every `{{name}}` replaced and every `{{{{` made `{{`; raises DeriveError."""
    if "{{" not in text:
        return text
    parts: list[str] = []
    length = position = 0
    for match in BRACES.finditer(text):
        if match["bad"]:
            shown = quoted(text[match.start() :], limit=30)
            raise DeriveError(f"{shown} is no placeholder such as {{{{name}}}}; a literal {{{{ is written {{{{{{{{")
        new = "{{" if match["escape"] else draws.text(match["name"])
        parts += [text[position : match.start()], new]
        length += len(parts[-2]) + len(new)
        if length > _MOST_CHARACTERS:
            raise DeriveError(f"the text with its parameters filled in is longer than {_MOST_CHARACTERS} characters")
        position = match.end()
    return "".join(parts) + text[position:]


class _Filler:
    """Fills the placeholders of a whole bundle, with a bound on what that may produce."""

    def __init__(self, draws: _Draws) -> None:
        self._draws = draws
        self._characters = 0

    def fill(self, value: Data, key: KeyPath) -> Data:
        """A copy of `value` with its texts and its tables' keys filled in."""
        if isinstance(value, str):
            return self._text(value, key)
        if isinstance(value, list):
            return [self.fill(item, (*key, index)) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        filled: dict[str, Data] = {}
        for name, item in value.items():
            new = self._text(name, (*key, name))
            if new in filled:
                message = f"two keys become the same: {quoted(new)}"
                raise ProblemError(Problem(key=(*key, name), message=message))
            filled[new] = self.fill(item, (*key, name))
        return filled

    def _text(self, text: str, key: KeyPath) -> str:
        try:
            filled = substitute(text, self._draws)
        except DeriveError as error:
            raise ProblemError(
                Problem(key=key, message=str(error), advice="see docs/scenarios.md, Templates")
            ) from None
        self._characters += len(filled)
        if self._characters > _MOST_INSTANCE_CHARACTERS:
            message = (
                f"{dotted(key) or 'the bundle'} makes the instance larger than {_MOST_INSTANCE_CHARACTERS} characters"
            )
            raise ProblemError(Problem(key=key, message=message))
        return filled
