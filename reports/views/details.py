"""What stands below the metrics in every view: costs, repeats, clusters, axes, calibration, as rows of text."""

from __future__ import annotations

from collections.abc import Iterator

from reports.plain import plain
from reports.schema import CalibrationRow, ClusteredTests, Measure, Metric, PassK, Report
from reports.wording import fraction, interval_text, p_text, percent, plural, points, probability_text

CALIBRATED = ("success", "right_terminal", "task", "clean", "any_command")
SHOWN_VALUES = 8  # of one axis; one with more is only counted
SHOWN_KS = (1, 2, 3, 5, 10, 20, 50, 100)
NOT_CALIBRATED = "Calibration: not run; what a player that cannot think would score here is unknown."

MEASURE_HEADER = ("cost, median", "pairs", "base", "tuned", "shift [95 %]", "p")
REPEAT_HEADER = ("k", "scenarios", "base pass@k", "tuned pass@k", "base pass^k", "tuned pass^k")
AXIS_HEADER = ("success by axis", "pairs", "base", "tuned", "won", "lost")
CALIBRATION_HEADER = ("calibration", "trials", *CALIBRATED)


def measure_cells(measure: Measure) -> tuple[str, ...]:
    """A cost's row: medians of both arms, Hodges-Lehmann shift with interval, p of the sign flip."""
    if measure.base_median is None or measure.tuned_median is None or measure.shift is None:
        return (f"{measure.name} ({measure.unit})", "-", "-", "-", "-", "-")
    interval = measure.interval
    limits = f"[{_signed(interval[0])}, {_signed(interval[1])}]" if interval else "[-]"
    return (
        f"{measure.name} ({measure.unit})" if measure.unit != measure.name else measure.name,
        str(measure.n),
        _short(measure.base_median),
        _short(measure.tuned_median),
        f"{_signed(measure.shift)} {limits}",
        p_text(measure.p) if measure.p is not None else "-",
    )


def repeat_cells(report: Report) -> list[tuple[str, ...]]:
    """A row for each k: of how many scenarios, and both arms' pass@k and pass^k."""
    if report.repeats is None or report.repeats.base is None or report.repeats.tuned is None:
        return []
    base, tuned = ({row.k: row for row in arm.pass_k} for arm in (report.repeats.base, report.repeats.tuned))
    ks = [k for k in base if k in tuned and (k in SHOWN_KS or k == max(base))]
    return [_pass_cells(base[k], tuned[k]) for k in ks]


def _pass_cells(base: PassK, tuned: PassK) -> tuple[str, ...]:
    shares = (base.pass_at, tuned.pass_at, base.pass_hat, tuned.pass_hat)
    return (str(base.k), str(base.scenarios), *(percent(share) for share in shares))


def axis_cells(report: Report) -> list[tuple[str, ...]]:
    """Success by each axis that has a few values: a row a value."""
    success = _success(report)
    if success is None:
        return []
    sizes = _axis_sizes(success)
    return [
        (
            f"{plain(row.axis, 30)}: {plain(row.value, 30) or '-'}",
            str(row.pairs.n),
            fraction(row.base),
            fraction(row.tuned),
            str(row.pairs.tuned_only),
            str(row.pairs.base_only),
        )
        for row in success.by_axis
        if 1 < sizes[row.axis] <= SHOWN_VALUES
    ]


def _axis_sizes(metric: Metric) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for row in metric.by_axis:
        sizes[row.axis] = sizes.get(row.axis, 0) + 1
    return sizes


def calibration_cells(row: CalibrationRow) -> tuple[str, ...]:
    """A player's row: its trials, and its rate of each metric that tells most."""
    rates = (row.rates.get(name) for name in CALIBRATED)
    cells = (f"{rate.count}/{rate.n}" if rate else "-" for rate in rates)
    return (plain(row.player, 30).replace("_", " "), str(row.trials), *cells)


def detail_lines(report: Report) -> Iterator[str]:
    """What of the comparison is said in sentences: odds, several metrics, several claims, variance and clusters."""
    success = _success(report)
    if success is not None and success.win_odds is not None:
        odds = success.win_odds
        low, high = odds.interval
        yield (
            f"Odds of a win on success: {odds.wins} to {odds.losses}; posterior median {odds.median:.3g} "
            f"[{low:.3g}, {high:.3g}], above 1 with probability {probability_text(odds.probability_better)}."
        )
    yield from _adjusted(report)
    yield from _variance(report)
    if success is not None:
        yield from (_clustered(row) for row in success.clustered)
        many = [f"{plain(axis, 30)} ({n} values)" for axis, n in _axis_sizes(success).items() if n > SHOWN_VALUES]
        if many:
            yield f"Too many values to list here: {', '.join(many)}; paired_eval_report.json has them."


def _adjusted(report: Report) -> Iterator[str]:
    tested = [metric for metric in report.metrics if metric.test is not None and metric.test.p_bh is not None]
    if tested:
        small = [m.name for m in tested if m.test and m.test.p_bh is not None and m.test.p_bh <= 0.05]
        named = ", ".join(small) if small else "none"
        yield f"Below 0.05 after Benjamini-Hochberg over {plural(len(tested), 'metric')} (to explore): {named}."
    claims = [claim for claim in report.findings if claim.p_holm is not None]
    if len(claims) > 1:
        listed = ", ".join(
            f"{claim.kind.replace('_', ' ')} on {claim.metric} {p_text(claim.p_holm)}"
            for claim in claims
            if claim.p_holm is not None
        )
        yield f"p after Holm over {len(claims)} claims (all critical ones must hold, so the gate needs none): {listed}."


def _variance(report: Report) -> Iterator[str]:
    if report.repeats is None:
        return
    for name, arm in (("base", report.repeats.base), ("tuned", report.repeats.tuned)):
        if arm is not None and arm.between is not None and arm.within is not None:
            share = f", {percent(arm.icc)} of it between" if arm.icc is not None else ""
            yield (
                f"Variance of success in {name}: {arm.between:.3f} between scenarios, {arm.within:.3f} within{share}."
            )


def _clustered(row: ClusteredTests) -> str:
    limits = f", cluster-robust {interval_text(row.cluster_robust)}" if row.cluster_robust else ""
    tests = [
        f"{name} p {p_text(p)}" for name, p in (("Yang", row.yang_p), ("Durkalski", row.durkalski_p)) if p is not None
    ]
    also = f" ({', '.join(tests)})" if tests else ""
    what = f"Success with {plural(row.clusters, row.by)} as units"
    return f"{what}: difference {points(row.difference)}{limits}; {plain(row.reason)}{also}."


def _success(report: Report) -> Metric | None:
    return next((metric for metric in report.metrics if metric.name == "success"), None)


def _short(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0") if abs(value) < 1e6 else f"{value:.3g}"


def _signed(value: float) -> str:
    shown = _short(value)
    return "0" if shown in {"0", "-0"} else shown if value < 0 else f"+{shown}"
