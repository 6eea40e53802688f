"""Whether each arm answers the same beside the other as it does alone, and if not, whether one at a time helps."""

from __future__ import annotations

from dataclasses import dataclass

from harness.endpoint import OpenAIEndpoint
from harness.errors import ArmsError
from harness.preflight.contrast import Contrast, spread
from harness.preflight.witness import Beside, Witness

HINT = "a vLLM server needs --max-loras of one more than its adapters; or serve each arm from a server of its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contamination:
    """How often an arm answered otherwise beside the other arm than alone, its own noise set aside."""

    contaminated: bool  # when both arms are asked at once
    apart: bool  # then: one arm at a time is clean, so that is how to run
    rounds: int
    replies: int  # compared, of both arms
    base_disagreements: int
    tuned_disagreements: int
    apart_disagreements: int | None  # one arm at a time; None: not needed
    max_logprob_difference: float | None  # nats, of any reply beside the other arm from the same one alone
    noise: float | None  # nats, of either arm in company of itself
    verdict: str

    @property
    def usable(self) -> bool:
        """Whether there is a way to run both arms at this server."""
        return self.apart or not self.contaminated


def check_contamination(
    endpoint: OpenAIEndpoint, *, base: str, tuned: str, witness: Witness | None = None
) -> Contamination:
    """Ask each arm alone and beside the other; `apart` in the result says that they must run one at a time.

    Raises:
        ArmsError: they disturb each other even one at a time. EndpointError: a reply could not be had.
    """
    found = contamination(witness or Witness(endpoint, base=base, tuned=tuned))
    if not found.usable:
        raise ArmsError(found.verdict, hint=HINT)
    return found


def contamination(witness: Witness) -> Contamination:
    """The same finding, whatever it says."""
    told = witness.beside()
    base, tuned = _disagreements(witness, told)
    contaminated = bool(base or tuned)
    apart_wrong = sum(map(len, _disagreements(witness, witness.in_turn()))) if contaminated else None
    spreads = (spread(witness.base, told.base), spread(witness.tuned, told.tuned))
    replies = sum(len(one.contrasts) for one in spreads)
    return Contamination(
        contaminated=contaminated,
        apart=contaminated and not apart_wrong,
        rounds=witness.rounds,
        replies=replies,
        base_disagreements=len(base),
        tuned_disagreements=len(tuned),
        apart_disagreements=apart_wrong,
        max_logprob_difference=_largest(spreads[0].gap, spreads[1].gap),
        noise=_largest(witness.base_noise.gap, witness.tuned_noise.gap),
        verdict=_verdict(len(base), len(tuned), replies // 2, apart_wrong),
    )


def _disagreements(witness: Witness, told: Beside) -> tuple[tuple[Contrast, ...], tuple[Contrast, ...]]:
    base = spread(witness.base, told.base).beyond(witness.base_noise)
    return base, spread(witness.tuned, told.tuned).beyond(witness.tuned_noise)


def _largest(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else max(one, other)


def _verdict(base: int, tuned: int, each: int, apart_wrong: int | None) -> str:
    if apart_wrong is None:
        return f"each arm answers beside the other as it does alone ({each} replies of each)"
    wrong = [f"{count} of {each} {name} replies" for name, count in (("base", base), ("tuned", tuned)) if count]
    found = f"the arms disturb each other: {' and '.join(wrong)} changed while the other arm was asked"
    if apart_wrong:
        return f"{found}, and {apart_wrong} one arm at a time, too: no reply here is known to be its arm's"
    return f"{found}; one arm at a time they answer as they do alone, so they run one at a time"
