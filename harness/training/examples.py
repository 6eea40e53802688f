"""Turns trajectories into training examples, and accounts for every one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import render
from harness.errors import BadInputError, RenderError
from harness.training.trajectories import OnBad, Trajectory, read_trajectories
from render import TrainingExample


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The examples of a data set, and what was left out of it: by their length, or by a reason."""

    examples: tuple[TrainingExample, ...]
    trajectories: int  # that the examples come from
    dropped: int  # trajectories that cannot be rendered
    reasons: Mapping[str, int]  # of those
    too_long: int  # examples

    @property
    def tokens(self) -> int:
        """How many tokens are read in one pass, padding left out."""
        return sum(len(example.ids) for example in self.examples)

    @property
    def trained_tokens(self) -> int:
        """How many tokens are learnt in one pass."""
        return sum(example.trained for example in self.examples)

    @property
    def longest(self) -> int:
        """The tokens of the longest example."""
        return max(len(example.ids) for example in self.examples)

    @property
    def counts(self) -> dict[str, int]:
        """The accounting, under the names that the training record has for it."""
        return {
            "trajectories": self.trajectories,
            "dropped": self.dropped,
            "examples": len(self.examples),
            "too_long": self.too_long,
            "tokens": self.tokens,
            "trained_tokens": self.trained_tokens,
            "longest": self.longest,
        }


def read_examples(
    path: Path,
    tokenizer: render.ChatTokenizer,
    *,
    max_tokens: int,
    chat_template_kwargs: Mapping[str, object] | None = None,
    drop_bad: bool = False,
) -> Prepared:
    """The training examples of a file; with `drop_bad` what cannot be represented is left out and counted.

    Raises:
        BadInputError: no such file, nothing to learn in it, or (without `drop_bad`) a line that cannot be represented.
    """
    reasons: Counter[str] = Counter()

    def left_out(_line: int, reason: str) -> None:
        reasons[reason] += 1

    on_bad = left_out if drop_bad else None
    trajectories = read_trajectories(path, on_bad=on_bad)
    return prepare(
        tokenizer,
        trajectories,
        max_tokens=max_tokens,
        chat_template_kwargs=chat_template_kwargs,
        source=str(path),
        on_bad=on_bad,
        reasons=reasons,
    )


def prepare(
    tokenizer: render.ChatTokenizer,
    trajectories: Sequence[Trajectory],
    *,
    max_tokens: int,
    chat_template_kwargs: Mapping[str, object] | None = None,
    source: str = "trajectory ",
    on_bad: OnBad | None = None,
    reasons: Mapping[str, int] | None = None,
) -> Prepared:
    """The training examples of the trajectories under the render contract.

    `reasons` counts what `on_bad` heard, here and before. Raises RenderError where none is left, or where one cannot
    be rendered and there is no `on_bad`; it names the line and the turn.
    """
    examples: list[TrainingExample] = []
    kept = 0
    for number, trajectory in enumerate(trajectories, start=1):
        line = trajectory.line or number
        try:
            examples += render.training_examples(
                tokenizer, trajectory.messages, chat_template_kwargs=chat_template_kwargs
            )
        except RenderError as error:
            if on_bad is None:
                raise _unrendered(source, line, trajectory, error) from error
            on_bad(line, error.message)
            continue
        kept += 1
    fitting = tuple(example for example in examples if len(example.ids) <= max_tokens)
    counted = dict(reasons or {})
    if not fitting:
        raise _nothing(source, examples, max_tokens, counted)
    return Prepared(
        examples=fitting,
        trajectories=kept,
        dropped=sum(counted.values()),
        reasons=counted,
        too_long=len(examples) - len(fitting),
    )


def _unrendered(source: str, line: int, trajectory: Trajectory, error: RenderError) -> RenderError:
    place = f"{source}{line}" if source.endswith(" ") else f"{source}:{line}"
    name = f" ({trajectory.scenario})" if trajectory.scenario else ""
    hint = f"{error.hint}; --drop-bad leaves such out and counts them" if error.hint else error.hint
    return RenderError(f"{place}{name}: {error.message}", hint=hint)


def _nothing(
    source: str, examples: Sequence[TrainingExample], max_tokens: int, reasons: Mapping[str, int]
) -> BadInputError:
    if examples:
        shortest = min(len(example.ids) for example in examples)
        return RenderError(
            f"all {len(examples)} examples are longer than {max_tokens} tokens; the shortest has {shortest}",
            hint="record shorter sessions, or give more --max-tokens",
        )
    first = next(iter(reasons), "no trajectories")
    return RenderError(
        f"nothing to learn: none of {source.strip()} can be rendered; the first reason is: {first}",
        hint='a trajectory is {"messages": [...]}, user first, assistant last',
    )
