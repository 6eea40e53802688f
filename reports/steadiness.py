"""How steady the arms are over the repeats of a scenario: pass@k, pass^k, and where the variance lies."""

from __future__ import annotations

from collections.abc import Sequence

from harness.values import Arm, Outcome
from reports.schema import ArmRepeats, Pair, PassK, Repeats
from reports.statistics.repeats import mean_pass_at_k, mean_pass_hat_k, variance_components

Counts = list[tuple[int, int]]  # (repeats, successes) by scenario


def repeats_section(valid: Sequence[Pair]) -> Repeats | None:
    """The section of the valid pairs; None if no scenario has more than one of them."""
    counts = {arm: _counts(valid, arm) for arm in Arm}
    sizes = [n for n, _ in counts[Arm.BASE]]
    if not sizes or max(sizes) < 2:
        return None
    return Repeats(
        scenarios=len(sizes),
        least=min(sizes),
        most=max(sizes),
        base=_arm(counts[Arm.BASE]),
        tuned=_arm(counts[Arm.TUNED]),
    )


def _counts(valid: Sequence[Pair], arm: Arm) -> Counts:
    seen: dict[str, tuple[int, int]] = {}
    for pair in valid:
        trial = pair.base if arm is Arm.BASE else pair.tuned
        if trial is not None:
            n, passed = seen.get(pair.scenario, (0, 0))
            seen[pair.scenario] = n + 1, passed + (trial.outcome is Outcome.PASS)
    return list(seen.values())


def _arm(counts: Counts) -> ArmRepeats:
    rows = []
    for k in range(1, max(n for n, _ in counts) + 1):
        enough = [count for count in counts if count[0] >= k]
        at, hat = mean_pass_at_k(enough, k), mean_pass_hat_k(enough, k)
        if at is not None and hat is not None:
            rows.append(PassK(k=k, scenarios=len(enough), pass_at=at, pass_hat=hat))
    parts = variance_components(counts)
    return ArmRepeats(
        pass_k=tuple(rows),
        between=parts.between if parts else None,
        within=parts.within if parts else None,
        icc=parts.icc if parts else None,
    )
