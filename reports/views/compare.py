"""The comparison of two runs for a terminal or a pipe: one line a metric, then what changed and what was left out."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from reports.compare.schema import (
    ArmComparison,
    Change,
    ComparedMetric,
    Comparison,
    Finding,
    Gain,
    LeftOut,
    RunDifference,
    RunSide,
    Verdict,
)
from reports.plain import plain
from reports.schema_numbers import PairedTestName
from reports.views.printed import printed
from reports.wording import fraction, interval_text, p_text, plural, points

SHOWN = 20  # rows of a list
COLOURS = {Verdict.COMPARABLE: "bold green", Verdict.QUALIFIED: "bold yellow", Verdict.REFUSED: "bold red"}
FINDINGS = {
    Finding.B_BETTER: "B is better",
    Finding.A_BETTER: "A is better",
    Finding.NOT_SHOWN: "no difference is shown",
    Finding.UNDECIDABLE: "so few scenarios can show nothing",
    Finding.UNMEASURED: "it was not measured",
}


def render_compare(comparison: Comparison, *, width: int = 80, colour: bool = False) -> str:
    """The comparison as lines of at most `width` columns; with escape sequences only if `colour`."""
    return printed(Group(*_parts(comparison)), width=width, colour=colour)


def _parts(comparison: Comparison) -> list[RenderableType]:
    parts: list[RenderableType] = [_sides(comparison.a, comparison.b), Text()]
    parts += [part for arm in comparison.arms for part in (*_arm(arm, comparison), Text())]
    if comparison.base_control:
        parts += [_line(f"Base control: {plain(comparison.base_control.sentence)}.")]
    if comparison.gain:
        parts += [_line(_gain(comparison.gain, comparison.metric))]
    if comparison.base_control or comparison.gain:
        parts += [Text()]
    parts += [_line(f"Note: {plain(note)}.") for note in comparison.notes]
    parts += [_line(f"{comparison.verdict.upper()}: {_verdict(comparison)}", COLOURS[comparison.verdict])]
    reasons = (*comparison.refusals, *comparison.qualifications)
    return [*parts, *(_line(f"- {plain(reason, 600)}") for reason in reasons)]


def _line(text: str, style: str = "") -> Text:
    return Text(text, style=style, overflow="fold")


def _sides(a: RunSide, b: RunSide) -> Table:
    table = _table("", "run", "pairs", "base", "tuned", "started")
    for name, side in (("A", a), ("B", b)):
        cells = (side.run, str(side.pairs), side.base_model or "-", side.tuned_model or "-", side.started_at or "-")
        table.add_row(name, *(Text(plain(cell, 60), overflow="fold") for cell in cells))
    return table


def _arm(arm: ArmComparison, comparison: Comparison) -> list[RenderableType]:
    head = f"The {arm.arm} arm: {plural(arm.compared, 'row')} compared of {arm.rows}"
    if arm.arm != comparison.arm:
        return [_line(head, "bold"), *_left_out(arm.left_out)]
    asked = next(metric for metric in arm.metrics if metric.name == comparison.metric)
    return [
        _line(head, "bold"),
        _metrics(arm.metrics),
        Text(),
        _line(_legend(arm.metrics, comparison), "dim"),
        _line(f"{asked.name}: {FINDINGS[asked.finding]}.", "bold"),
        *_changes(arm.changes),
        *_left_out(arm.left_out),
    ]


def _metrics(metrics: Sequence[ComparedMetric]) -> Table:
    table = _table("metric", "A", "B", "B - A [95 %]", "exact p", "B only", "A only")
    for metric in metrics:
        counted = metric.pairs.n > 0
        cells = (
            metric.name,
            fraction(metric.a),
            fraction(metric.b),
            _difference(metric.difference),
            p_text(metric.test.p) if metric.test else "-",
            str(metric.pairs.b_only) if counted else "-",
            str(metric.pairs.a_only) if counted else "-",
        )
        table.add_row(*(Text(cell, overflow="fold") for cell in cells))
    return table


def _difference(difference: RunDifference | None) -> str:
    return f"{points(difference.estimate)} {interval_text(difference.tango)}" if difference else "-"


def _legend(metrics: Sequence[ComparedMetric], comparison: Comparison) -> str:
    tests = {metric.test.name for metric in metrics if metric.test}
    test = "sign-flip over scenarios" if PairedTestName.SIGN_FLIP in tests else "McNemar, two-sided"
    lower = [metric.name for metric in metrics if metric.better == "lower"]
    return (
        f"B - A: in points, Tango score interval. Exact p: {test}; {len(metrics)} metrics are tested, "
        f"the one asked for is {comparison.metric}. B only: rows that show it only in B."
        + (f" In {', '.join(lower)} lower is better." if lower else "")
    )


def _changes(changes: Sequence[Change]) -> list[Text]:
    lines = []
    for title, better in (("Right only in B", "b"), ("Right only in A", "a")):
        found = [change for change in changes if change.better == better]
        if found:
            lines.append(_line(f"{title}: {plural(len(found), 'row')}"))
            lines += _some([f"{plain(c.scenario)}.{c.repeat}  A {_ending(c, 'a')}, B {_ending(c, 'b')}" for c in found])
    return lines


def _ending(change: Change, side: str) -> str:
    ending = change.a if side == "a" else change.b
    return f"{ending.outcome} ({ending.terminal or 'no end'}, {plural(ending.turns, 'turn')})"


def _left_out(rows: Sequence[LeftOut]) -> list[Text]:
    if not rows:
        return []
    lines = [_line(f"Not compared: {plural(len(rows), 'row')}")]
    return lines + _some([f"{plain(row.scenario)}.{row.repeat}  {row.why}: {plain(row.reason)}" for row in rows])


def _some(texts: Sequence[str]) -> list[Text]:
    lines = [_line(f"  {text}") for text in texts[:SHOWN]]
    if (more := len(texts) - SHOWN) > 0:
        lines.append(_line(f"  and {more} more; --json lists them all"))
    return lines


def _gain(gain: Gain, metric: str) -> str:
    return (
        f"Gain over its own base in {metric}: A {points(gain.a)}, B {points(gain.b)}; difference "
        f"{points(gain.difference)} points over {plural(gain.rows, 'row')}, sign-flip p = {p_text(gain.p)}."
    )


def _verdict(comparison: Comparison) -> str:
    if comparison.verdict is Verdict.REFUSED:
        return "these runs are not comparable"
    if comparison.verdict is Verdict.QUALIFIED:
        return f"compared, with {plural(len(comparison.qualifications), 'reservation')}"
    return "what identifies the measurement is alike, and every row was compared"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    left = {"", "run", "metric", "base", "tuned", "started"}
    for name in columns:
        table.add_column(Text(name), justify="left" if name in left else "right", overflow="fold")
    return table
