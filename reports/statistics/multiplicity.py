"""Several tests at once: p-values adjusted for how many were made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import false_discovery_control


def holm(ps: Sequence[float]) -> tuple[float, ...]:
    """Holm's adjusted p-values, in the order given: rejecting those up to alpha errs anywhere at most in alpha.

    Holm 1979, Scandinavian Journal of Statistics 6:65-70, the sequentially rejective procedure of section 2; the
    adjusted form (running maximum of (m - i + 1) p_(i)) is Wright 1992, Biometrics 48:1005-1013.
    """
    _checked(ps)
    order = sorted(range(len(ps)), key=ps.__getitem__)
    adjusted, reached = [0.0] * len(ps), 0.0
    for rank, index in enumerate(order):
        reached = max(reached, min(1.0, (len(ps) - rank) * ps[index]))
        adjusted[index] = reached
    return tuple(adjusted)


def benjamini_hochberg(ps: Sequence[float]) -> tuple[float, ...]:
    """Benjamini and Hochberg's adjusted p-values, in the order given: of those up to q, at most q are expected false.

    Benjamini and Hochberg 1995, Journal of the Royal Statistical Society B 57:289-300, procedure (1). For
    independent or positively dependent tests; the metrics of one run mostly are the latter.
    """
    _checked(ps)
    if not ps:
        return ()
    return tuple(float(p) for p in false_discovery_control(np.asarray(ps, dtype=np.float64), method="bh"))


def _checked(ps: Sequence[float]) -> None:
    if not all(0 <= p <= 1 for p in ps):
        msg = f"p-values lie between 0 and 1, not {[p for p in ps if not 0 <= p <= 1]}"
        raise ValueError(msg)
