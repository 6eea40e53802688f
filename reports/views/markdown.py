"""The report as GitHub's Markdown: a step summary, and the body of a sticky comment."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.errors import BadInputError
from reports.parity import parity_sentence
from reports.plain import plain
from reports.schema import Pair, PairResult, Report, ScoringMode, TrialSummary
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
from reports.views.escaping import code, escape, table_head, table_rows
from reports.views.fitting import Block, fit, folded
from reports.views.text import archetype_cells, arm_cells, exclusion_text, legend, metric_cells
from reports.wording import percent, plural

SUMMARY_BYTES = 1 << 20  # what GitHub takes as a step summary
COMMENT_BYTES = 65_536  # what GitHub takes as a comment, in characters: never more than bytes
KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def render_markdown(report: Report, *, max_bytes: int = SUMMARY_BYTES) -> str:
    """The report as GitHub-flavoured Markdown of at most `max_bytes` bytes; what is left out is counted.

    Empty if there is not even room for the decision.
    """
    blocks = (
        *_decision(report),
        _arms(report),
        *_metrics(report),
        _costs(report),
        *_details(report),
        _notes(report),
        folded("Excluded pairs", "exclusion", (f"- {code(exclusion_text(e))}" for e in report.exclusions)),
        folded("Pairs", "pair", (_pair(pair) for pair in report.pairs)),
    )
    return fit(blocks, max_bytes)


def render_comment(report: Report, *, key: str = "report", max_bytes: int = COMMENT_BYTES) -> str:
    """The body of a comment: the decision, the metrics, and the pairs that the arms differ in.

    It begins with `comment_marker(key)`, by which a job finds its earlier comment to update it.

    Raises:
        BadInputError: the key is none.
    """
    lost = [pair for pair in report.pairs if pair.result is PairResult.LOSS]
    won = [pair for pair in report.pairs if pair.result is PairResult.WIN]
    blocks = (
        *_decision(report),
        *_metrics(report),
        _costs(report),
        _notes(report),
        folded("Pairs that only base gets right", "pair", (_pair(pair) for pair in lost)),
        folded("Pairs that only tuned gets right", "pair", (_pair(pair) for pair in won)),
        folded("Excluded pairs", "exclusion", (f"- {code(exclusion_text(e))}" for e in report.exclusions)),
    )
    marker = comment_marker(key) + "\n"
    return marker + fit(blocks, max_bytes - len(marker))


def comment_marker(key: str) -> str:
    """The hidden first line of a comment; the same for every run, another for every key.

    Raises:
        BadInputError: the key is none.
    """
    if not KEY.fullmatch(key):
        raise BadInputError(
            f"{plain(key, 80)} is no key for a comment", hint="letters, digits, dots, dashes; at most 64 characters"
        )
    return f"<!-- evalh:{key} -->"


def _decision(report: Report) -> tuple[Block, ...]:
    """What was decided, and why: first of all blocks, one line a reason."""
    head = f"## Paired report {code(report.run.id)}"
    verdict = f"**{report.gate_result.upper()}: {report.promotion_recommendation}**"
    fixture = ("", "**A script answered, not a model.**") if report.scoring.mode is ScoringMode.FIXTURE else ()
    score = escape(f"Tuned succeeds in {percent(report.aggregate_score)} of {_valid(report)}.")
    why = tuple(f"- {escape(sentence)}" for sentence in report.rationale)
    return (
        Block(title="the decision", noun="line", lines=(head, "", verdict, *fixture, "", score)),
        Block(title="the reasons", noun="reason", lines=why, before="\n"),
    )


def _valid(report: Report) -> str:
    stopped = f", {report.not_needed} not needed" if report.not_needed else ""
    return f"{plural(report.valid_pairs, 'valid pair')} ({report.pairwise.invalid} excluded{stopped})"


def _metrics(report: Report) -> tuple[Block, ...]:
    metrics = [metric_cells(metric, intervals=True) for metric in report.metrics]
    explained = tuple(f"{escape(line)}  " for line in legend(report, intervals=True))
    return (
        _table(
            "the metrics",
            ("metric", "base", "tuned", "difference in points [95 %]", "exact p", "won", "lost"),
            metrics,
        ),
        Block(title="how to read the metrics", noun="line", lines=explained, before="\n"),
    )


def _arms(report: Report) -> Block:
    rows = [(name, *arm_cells(arm)) for name, arm in (("base", report.arms.base), ("tuned", report.arms.tuned))]
    return _table("the arms", ("arm", "model", "passed", "failed", "invalid", "turns", "seconds", "tokens"), rows)


def _costs(report: Report) -> Block:
    return _table("the costs", MEASURE_HEADER, [measure_cells(measure) for measure in report.measures])


def _details(report: Report) -> tuple[Block, ...]:
    archetypes = archetype_cells({metric.name: metric for metric in report.metrics})
    lines = [*detail_lines(report), *(() if report.calibration else (NOT_CALIBRATED,))]
    return (
        _table("the archetypes", ("archetype", "pairs", "success", "right terminal", "task"), archetypes),
        _table("the axes", AXIS_HEADER, axis_cells(report)),
        _table("the repeats", REPEAT_HEADER, repeat_cells(report)),
        _table("the calibration", CALIBRATION_HEADER, [calibration_cells(row) for row in report.calibration]),
        Block(title="the details", noun="line", lines=tuple(f"- {escape(line)}" for line in lines), before="\n"),
    )


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Block:
    return Block(title=title, noun="row", lines=table_rows(rows), before=table_head(header))


def _notes(report: Report) -> Block:
    notes = [escape(f"What the models read: {parity_sentence(report.parity)}")]
    notes += [code(difference) for difference in (report.parity.differences if report.parity else ())]
    notes += [escape(note) for note in report.scoring.notes]
    return Block(title="the notes", noun="note", lines=tuple(f"> {note}\n>" for note in notes), before="\n")


def _pair(pair: Pair) -> str:
    name = code(f"{pair.scenario}.{pair.repeat}")
    return f"- {name} {pair.result}: base {_trial(pair.base)}, tuned {_trial(pair.tuned)}"


def _trial(trial: TrialSummary | None) -> str:
    if trial is None:
        return "never ran"
    return f"{trial.outcome} {code(trial.reason, 160)}"
