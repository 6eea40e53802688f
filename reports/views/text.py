"""The report for a terminal or a pipe: readable at 80 columns, free of markup and escapes from outside."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reports.parity import parity_sentence
from reports.plain import plain
from reports.schema import (
    ArmSection,
    Exclusion,
    GateResult,
    Metric,
    PairedTest,
    PairedTestName,
    Rate,
    Report,
    ScoringMode,
)
from reports.views.details import (
    AXIS_HEADER,
    CALIBRATION_HEADER,
    MEASURE_HEADER,
    NOT_CALIBRATED,
    REPEAT_HEADER,
    axis_cells,
    calibration_cells,
    detail_lines,
    measure_cells,
    repeat_cells,
)
from reports.views.printed import printed
from reports.wording import difference_text, fraction, fraction_with_interval, p_text, percent, plural

SHOWN_EXCLUSIONS = 10
WIDE = 100  # columns from which rates show their intervals
BY_ARCHETYPE = ("success", "right_terminal", "task")
COLOURS = {GateResult.PASS: "bold green", GateResult.FAIL: "bold red", GateResult.INCONCLUSIVE: "bold yellow"}


def render_text(report: Report, *, width: int = 80, colour: bool = False) -> str:
    """The report as lines of at most `width` columns; with escape sequences only if `colour`."""
    return printed(Group(*_parts(report, width)), width=width, colour=colour)


def _parts(report: Report, width: int) -> list[RenderableType]:
    wide = width >= WIDE
    parts: list[RenderableType] = [_heading(report), _arms(report), Text()]
    if report.scoring.mode is ScoringMode.FIXTURE:
        parts += [
            _line("A SCRIPT ANSWERED, NOT A MODEL: these numbers say nothing about a model.", "bold yellow"),
            Text(),
        ]
    parts += [_metrics(report, intervals=wide), Text()]
    parts += [*(_line(text, "dim") for text in legend(report, intervals=wide)), Text()]
    if any(metric.by_archetype for metric in report.metrics):
        parts += [_archetypes(report), Text()]
    parts += _details(report)
    if report.exclusions:
        parts += [*_exclusions(report), Text()]
    parts += [*_parity(report), Text()]
    if report.scoring.notes:
        parts += [*(_line(f"Note: {plain(note)}") for note in report.scoring.notes), Text()]
    return [*parts, *_decision(report)]


def _line(text: str, style: str = "") -> Text:
    return Text(text, style=style, overflow="fold")


def _heading(report: Report) -> Text:
    pairs, valid = len(report.pairs), report.valid_pairs
    engine = f", engine {plain(report.run.engine)}" if report.run.engine else ""
    some = f" ({valid} valid)" if valid < pairs else ""
    if report.not_needed:
        some = f" ({valid} valid, {report.not_needed} not needed)"
    return _line(f"Paired report of {plain(report.run.id)}: {plural(pairs, 'pair')}{some}{engine}", "bold")


def _arms(report: Report) -> Table:
    table = _table("arm", "model", "passed", "failed", "invalid", "turns", "seconds", "tokens")
    for name, arm in (("base", report.arms.base), ("tuned", report.arms.tuned)):
        table.add_row(*(Text(cell, overflow="fold") for cell in (name, *arm_cells(arm))))
    return table


def arm_cells(arm: ArmSection) -> tuple[str, ...]:
    """An arm's row: model, counts by outcome, medians; a dash where nothing was measured."""
    medians = (arm.median_turns, arm.median_seconds, arm.median_completion_tokens)
    model = plain(arm.model, 60) if arm.model else "-"
    return (
        model,
        *(str(count) for count in (arm.passed, arm.failed, arm.invalid)),
        *("-" if m is None else f"{m:.1f}".removesuffix(".0") for m in medians),
    )


def _metrics(report: Report, *, intervals: bool) -> Table:
    table = _table("metric", "base", "tuned", "difference [95 %]", "exact p", "won", "lost")
    for metric in report.metrics:
        table.add_row(*(Text(cell, overflow="fold") for cell in metric_cells(metric, intervals=intervals)))
    return table


def metric_cells(metric: Metric, *, intervals: bool) -> tuple[str, ...]:
    """A metric's row: rates (with Wilson intervals if asked), difference with interval, p, pairs won and lost."""
    won, lost = metric.pairs.tuned_only, metric.pairs.base_only
    if metric.better == "lower":
        won, lost = lost, won
    counted = metric.pairs.n > 0
    rate = fraction_with_interval if intervals else fraction
    return (
        metric.name,
        rate(metric.base),
        rate(metric.tuned),
        difference_text(metric.difference),
        p_text(metric.test.p) if metric.test else "-",
        str(won) if counted else "-",
        str(lost) if counted else "-",
    )


def legend(report: Report, *, intervals: bool) -> tuple[str, ...]:
    """How to read the metric table: what the columns are, and the smallest effect these pairs could show."""
    tests = {metric.test.name for metric in report.metrics if metric.test}
    test = "sign-flip over scenarios" if PairedTestName.SIGN_FLIP in tests else "McNemar, two-sided"
    lines = [
        f"Difference: tuned minus base in points, Tango score interval. Exact p: {test}. "
        "Won: pairs that only tuned gets right; lost: only base."
    ]
    if intervals:
        lines.append("Brackets behind rates: 95 % Wilson intervals, in percent.")
    lines += [f"In {metric.name} lower is better." for metric in report.metrics if metric.better == "lower"]
    lines += [
        f"No comparison for {metric.name}: {metric.unmeasured_reason}."
        for metric in report.metrics
        if metric.unmeasured_reason
    ]
    uneven = [metric.name for metric in report.metrics if _uneven(metric)]
    if uneven:
        lines.append(
            f"In {', '.join(uneven)} the arms were not measured on the same trials: "
            "difference and test use only pairs measured in both."
        )
    success = next((metric for metric in report.metrics if metric.name == "success"), None)
    if success and success.test:
        lines.append(_smallest(success.test, success.pairs.n))
    return tuple(lines)


def _smallest(test: PairedTest, pairs: int) -> str:
    """What the run could have seen; with repeats at worst, as if these added nothing."""
    clustered = test.name is PairedTestName.SIGN_FLIP
    units = (
        f"{plural(test.clusters, 'scenario')}, whose repeats may add nothing," if clustered else plural(pairs, "pair")
    )
    if test.smallest_detectable is None:
        return f"With {units} and losses as often as here, the test finds no difference in success in 8 runs of 10."
    return (
        f"With {units} and losses as rare as here, the test finds a difference in "
        f"success of {100 * test.smallest_detectable:.0f} points in 8 runs of 10; a smaller one is often missed."
    )


def _uneven(metric: Metric) -> bool:
    return any(rate is not None and rate.n != metric.pairs.n for rate in (metric.base, metric.tuned))


def _archetypes(report: Report) -> Table:
    by_name = {metric.name: metric for metric in report.metrics}
    table = _table("archetype, base -> tuned", "pairs", *BY_ARCHETYPE)
    for cells in archetype_cells(by_name):
        table.add_row(*(Text(cell, overflow="fold") for cell in cells))
    return table


def archetype_cells(by_name: dict[str, Metric]) -> list[tuple[str, ...]]:
    """A row for each archetype: its pairs, and base -> tuned for the three metrics that matter most."""
    columns = [{row.archetype: row for row in by_name[name].by_archetype} for name in BY_ARCHETYPE if name in by_name]
    return [
        (
            plain(archetype),
            str(columns[0][archetype].pairs.n),
            *(_change(column[archetype].base, column[archetype].tuned) for column in columns),
        )
        for archetype in (columns[0] if columns else ())
    ]


def _change(base: Rate | None, tuned: Rate | None) -> str:
    return f"{fraction(base)} -> {fraction(tuned)}"


def _details(report: Report) -> list[RenderableType]:
    """Axes, costs, repeats and calibration, each if there is something to show, and what is said in sentences."""
    parts: list[RenderableType] = []
    for header, rows in (
        (AXIS_HEADER, axis_cells(report)),
        (MEASURE_HEADER, [measure_cells(measure) for measure in report.measures]),
        (REPEAT_HEADER, repeat_cells(report)),
        (CALIBRATION_HEADER, [calibration_cells(row) for row in report.calibration]),
    ):
        if rows:
            table = _table(*header)
            for cells in rows:
                table.add_row(*(Text(cell, overflow="fold") for cell in cells))
            parts += [table, Text()]
    lines = [*detail_lines(report), *(() if report.calibration else (NOT_CALIBRATED,))]
    return [*parts, *(Padding(_line(line, "dim"), (0, 0, 0, 2)) for line in lines), Text()]


def _exclusions(report: Report) -> list[Text]:
    lines = [_line(f"Excluded, counted neither for nor against: {plural(len(report.exclusions), 'pair')}", "bold")]
    lines += [_line(f"  {exclusion_text(exclusion)}") for exclusion in report.exclusions[:SHOWN_EXCLUSIONS]]
    if (more := len(report.exclusions) - SHOWN_EXCLUSIONS) > 0:
        lines.append(_line(f"  and {more} more; paired_eval_report.json has them all"))
    return lines


def exclusion_text(exclusion: Exclusion) -> str:
    """One excluded pair: which, and what was wrong with each arm."""
    causes = []
    for cause in exclusion.causes:
        part = f" ({plain(cause.failed_part)})" if cause.failed_part else ""
        causes.append(f"{cause.arm} {cause.kind}{part}: {plain(cause.reason)}")
    return f"{plain(exclusion.scenario)}.{exclusion.repeat} {'; '.join(causes)}"


def _parity(report: Report) -> list[Text]:
    lines = [_line(f"What the models read: {parity_sentence(report.parity)}")]
    differences = report.parity.differences if report.parity else ()
    return lines + [_line(f"  {plain(difference, 600)}") for difference in differences]


def _decision(report: Report) -> list[Text]:
    lines = [_line(f"{report.gate_result.upper()}: {report.promotion_recommendation}", COLOURS[report.gate_result])]
    critical = (
        f"; on critical scenarios {percent(report.critical_pass_rate)}" if report.critical_pass_rate is not None else ""
    )
    lines += [_line(f"Tuned succeeds in {percent(report.aggregate_score)} of the valid pairs{critical}.")]
    return lines + [_line(f"- {plain(sentence, 600)}") for sentence in report.rationale]


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_edge=False)
    left = {"arm", "model", "metric", columns[0]}
    for name in columns:
        table.add_column(Text(name), justify="left" if name in left else "right", overflow="fold")
    return table
