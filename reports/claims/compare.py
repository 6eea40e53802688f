"""Claims that compare the arms on a yes/no metric: superiority and non-inferiority."""

from __future__ import annotations

from reports.claims.judged import Judged, Question, needs_fixed_n, nothing, wins_and_losses, within
from reports.claims.needs import pairs_needed
from reports.policy import Claim
from reports.schema import PairResult
from reports.sequential import course, needed
from reports.statistics.difference import noninferiority_p, superiority_p
from reports.statistics.unconditional import MOST_EXACT, inferiority_exact_p, noninferiority_exact_p
from reports.statistics.values import PairedTable
from reports.tally import METRICS, Better, Tally, tally
from reports.wording import p_exact, plural
from reports.words import Status


def superiority(asked: Question) -> Judged:
    """Tuned is better than base: exact two-sided p at most alpha, and more wins than losses.

    With a minimum effect also a score test that the difference exceeds it (Tango 1998), two-sided at the same alpha.
    In a run that could stop early, the e-process decides instead.
    """
    claim = asked.claim
    counted = tally(asked.pairs, claim.metric, asked.imputation)
    if counted.n == 0:
        return nothing(asked.pairs)
    if asked.sequential:
        return _sequential(asked, counted)
    if claim.minimum_effect is not None:
        return _better_by(claim, counted)
    return _better(claim, counted)


def _seen(claim: Claim, counted: Tally) -> str:
    wins, losses = wins_and_losses(claim, counted)
    return f"{wins} won and {losses} lost of {plural(counted.n, 'pair')}"


def _test(counted: Tally) -> str:
    return "sign-flip test on scenarios" if counted.clustered else "exact McNemar"


def _too_few(claim: Claim, counted: Tally) -> Judged:
    units = f"{plural(len(counted.sizes), 'scenario')} with repeats" if counted.clustered else plural(counted.n, "pair")
    needed = f"at least {pairs_needed(claim)} are needed"
    text = f"{_seen(claim, counted)}; {units} can never reach p <= {claim.alpha:g}, {needed}."
    return Judged(status=Status.UNDECIDABLE, text=text, p=counted.p)


def _better(claim: Claim, counted: Tally) -> Judged:
    alpha, p = claim.alpha or 0.0, counted.p
    wins, losses = wins_and_losses(claim, counted)
    if counted.smallest_p > alpha:
        return _too_few(claim, counted)
    seen = f"{_seen(claim, counted)}, {_test(counted)} p = {p_exact(p)}"
    if not within(p, alpha):
        return Judged(status=Status.NOT_MET, text=f"{seen} > {alpha:g}: not shown.", p=p)
    if wins > losses:
        return Judged(status=Status.MET, text=f"{seen} <= {alpha:g}: shown.", p=p)
    return Judged(status=Status.REFUTED, text=f"{seen} <= {alpha:g}: the tuned model is worse.", p=p)


def _better_by(claim: Claim, counted: Tally) -> Judged:
    """Better at all by the exact test, and by more than the minimum effect by the score test: p is the larger."""
    alpha, least = claim.alpha or 0.0, claim.minimum_effect or 0.0
    wins, losses = wins_and_losses(claim, counted)
    if len(counted.sizes) < pairs_needed(claim):
        return _too_few(claim, counted)
    above = superiority_p(_table(claim, counted, 1 - alpha), least)
    p = min(1.0, max(counted.p, 2 * above))
    points = f"{100 * least:g} points"
    seen = f"{_seen(claim, counted)}, p = {p_exact(p)} for more than {points} better"
    tests = f"the larger of {_test(counted)} and score test"
    if within(p, alpha) and wins > losses:
        return Judged(status=Status.MET, text=f"{seen} ({tests}) <= {alpha:g}: shown.", p=p)
    if within(2 * (1 - above), alpha):
        return Judged(status=Status.REFUTED, text=f"{seen}: the gain is smaller than {points}.", p=p)
    return Judged(status=Status.NOT_MET, text=f"{seen} ({tests}) > {alpha:g}: not shown.", p=p)


def _sequential(asked: Question, counted: Tally) -> Judged:
    claim, alpha = asked.claim, asked.claim.alpha or 0.0
    if claim.minimum_effect is not None:
        return needs_fixed_n(_seen(claim, counted))
    planned = len({pair.scenario for pair in asked.pairs if pair.position is not None})
    told = course(asked.pairs, claim.metric, alpha, asked.imputation)
    seen = (
        f"{told.wins} won and {told.losses} lost of the first {plural(told.scenarios, 'scenario')}, "
        f"anytime-valid p = {p_exact(told.p)}"
    )
    if told.crossed > 0:
        return Judged(status=Status.MET, text=f"{seen} <= {alpha:g}: shown.", p=told.p)
    if told.crossed < 0:
        return Judged(status=Status.REFUTED, text=f"{seen} <= {alpha:g}: the tuned model is worse.", p=told.p)
    if any(pair.result is PairResult.INVALID and (pair.base is None or pair.tuned is None) for pair in asked.pairs):
        return Judged(status=Status.UNDECIDABLE, text=f"{seen}; the run is not finished.", p=told.p)
    if planned < needed(alpha):
        fewest = f"{plural(planned, 'scenario')} can never reach {alpha:g}, at least {needed(alpha)} are needed"
        return Judged(status=Status.UNDECIDABLE, text=f"{seen}; {fewest}.", p=told.p)
    return Judged(status=Status.NOT_MET, text=f"{seen} > {alpha:g}: not shown.", p=told.p)


def non_inferiority(asked: Question) -> Judged:
    """Tuned is worse by less than the margin: one-sided exact p at most alpha.

    Where scenarios have repeats, or there are more than MOST_EXACT pairs, p is that of Tango's score test.
    """
    claim = asked.claim
    counted = tally(asked.pairs, claim.metric, asked.imputation)
    alpha, margin = claim.alpha or 0.0, claim.margin or 0.0
    if counted.n == 0:
        return nothing(asked.pairs)
    if asked.sequential:
        return needs_fixed_n(_seen(claim, counted))
    exact = not counted.clustered and counted.n <= MOST_EXACT
    table = _table(claim, counted, 1 - 2 * alpha)
    p = noninferiority_exact_p(table, margin) if exact else noninferiority_p(table, margin)
    opposite = inferiority_exact_p(table, margin) if exact else 1 - p
    seen = f"{_seen(claim, counted)}, one-sided {'exact' if exact else 'score'} test p = {p_exact(p)}"
    if within(p, alpha):
        return Judged(status=Status.MET, text=f"{seen} <= {alpha:g}: less than {100 * margin:g} points worse.", p=p)
    if within(opposite, alpha):
        text = f"{seen}: the tuned model is worse by more than {100 * margin:g} points."
        return Judged(status=Status.REFUTED, text=text, p=p)
    fewest = pairs_needed(claim, repeats=counted.clustered)
    if table.n < fewest:
        text = f"{seen} > {alpha:g}, on too few pairs: even arms that agree on every pair need {fewest} pairs."
        return Judged(status=Status.UNDECIDABLE, text=text, p=p)
    text = f"{seen} > {alpha:g}: a loss of {100 * margin:g} points is not ruled out."
    return Judged(status=Status.NOT_MET, text=text, p=p)


def _table(claim: Claim, counted: Tally, level: float) -> PairedTable:
    """The paired table of a test that agrees with an interval of this level, turned so that the metric is good."""
    table = counted.table(level)
    if METRICS[claim.metric].better is Better.HIGHER:
        return table
    return PairedTable(both=table.neither, tuned_only=table.base_only, base_only=table.tuned_only, neither=table.both)
