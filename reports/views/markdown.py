"""The report as Markdown for a GitHub step summary: everything escaped, never over a mebibyte."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Sequence

from reports.parity import parity_sentence
from reports.plain import plain
from reports.schema import Pair, Report, ScoringMode, TrialSummary
from reports.views.text import archetype_cells, arm_cells, exclusion_text, legend, metric_cells
from reports.wording import percent, plural

MAX_BYTES = 1 << 20  # what GitHub takes as a step summary
SAFE = frozenset(string.ascii_letters + string.digits + " ,")
MARKUP = re.compile(r"[\\`*<&|~@#!{}]|(?<!\w)_|_(?!\w)|\](?=[(\[:])|[.](?=[^\W\d])|:(?=/)")


def render_markdown(report: Report, *, max_bytes: int = MAX_BYTES) -> str:
    """The report as GitHub-flavoured Markdown of at most `max_bytes` bytes; what is left out is counted."""
    parts = [_head(report), _tables(report), _notes(report)]
    text = "\n".join(parts)
    room = max_bytes - len(text.encode()) - 1000
    for heading, noun, lines in (
        ("Excluded pairs", "exclusion", [f"- {code(exclusion_text(e))}" for e in report.exclusions]),
        ("Pairs", "pair", _pair_rows(report.pairs)),
    ):
        section = _section(heading, noun, lines, room)
        room -= len(section.encode())
        text += section
    return text


def code(text: str, limit: int = 600) -> str:
    """Foreign text as inline code that no Markdown, HTML, mention or link can break out of."""
    return f"<code>{''.join(c if c in SAFE or ord(c) > 127 else _entity(c) for c in plain(text, limit))}</code>"


def escape(text: str, limit: int = 600) -> str:
    """The house's own words, with every character that begins markup, a mention or a link as a numeric entity."""
    return MARKUP.sub(lambda match: _entity(match[0]), plain(text, limit))


def _entity(character: str) -> str:
    return f"&#{ord(character)};"


def _head(report: Report) -> str:
    verdict = f"**{report.gate_result.upper()}: {report.promotion_recommendation}**"
    fixture = "\n**A script answered, not a model.**\n" if report.scoring.mode is ScoringMode.FIXTURE else ""
    why = "\n".join(f"- {escape(sentence)}" for sentence in report.rationale)
    score = escape(f"Tuned succeeds in {percent(report.aggregate_score)} of {_valid(report)}.")
    return f"## Paired report {code(report.run.id)}\n\n{verdict}\n{fixture}\n{score}\n\n{why}\n"


def _valid(report: Report) -> str:
    valid = len(report.pairs) - report.pairwise.invalid
    return f"{plural(valid, 'valid pair')} ({report.pairwise.invalid} excluded)"


def _tables(report: Report) -> str:
    arms = [(name, *arm_cells(arm)) for name, arm in (("base", report.arms.base), ("tuned", report.arms.tuned))]
    tables = [
        _table(("arm", "model", "passed", "failed", "invalid", "turns", "seconds", "tokens"), arms),
        _table(
            ("metric", "base", "tuned", "difference in points [95 %]", "exact p", "won", "lost"),
            (metric_cells(metric, intervals=True) for metric in report.metrics),
        ),
        "\n".join(f"{escape(line)}  " for line in legend(report, intervals=True)) + "\n",
    ]
    if rows := archetype_cells({metric.name: metric for metric in report.metrics}):
        tables.append(_table(("archetype", "pairs", "success", "right terminal", "task"), rows))
    return "\n".join(tables)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(header)} |", f"| {' | '.join(['---', *['---:'] * (len(header) - 1)])} |"]
    lines += [f"| {' | '.join(escape(cell) for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _notes(report: Report) -> str:
    notes = [escape(f"What the models read: {parity_sentence(report.parity)}")]
    notes += [code(difference) for difference in (report.parity.differences if report.parity else ())]
    notes += [escape(note) for note in report.scoring.notes]
    return "".join(f"> {note}\n>\n" for note in notes)


def _section(heading: str, noun: str, lines: Sequence[str], room: int) -> str:
    """A folded section with as many lines as there is room for."""
    if not lines:
        return ""
    kept: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    dropped = len(lines) - len(kept)
    more = f"\n{plural(dropped, noun)} left out for size.\n" if dropped else ""
    body = "\n".join(kept)
    return f"\n<details><summary>{heading} ({len(lines)})</summary>\n\n{body}\n{more}\n</details>\n"


def _pair_rows(pairs: Sequence[Pair]) -> list[str]:
    return [
        f"- {code(f'{p.scenario}.{p.repeat}')} {p.result}: base {_trial(p.base)}, tuned {_trial(p.tuned)}"
        for p in pairs
    ]


def _trial(trial: TrialSummary | None) -> str:
    if trial is None:
        return "never ran"
    return f"{trial.outcome} {code(trial.reason, 160)}"
