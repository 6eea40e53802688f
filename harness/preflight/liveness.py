"""Whether the tuned arm is another model than the base at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.endpoint import OpenAIEndpoint
from harness.errors import ArmsError
from harness.preflight.contrast import limit, spread
from harness.preflight.witness import Witness

HINT = "see in the server's log that it loaded the adapter, under which name, and that its target modules exist there"


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """How the tuned arm's greedy replies differ from the base's, beside how the base differs when it is asked again."""

    alive: bool
    level: Literal["logprobs", "text"]  # what was compared: log-probabilities too, or words alone
    prompts: int
    differing: int  # prompts answered in other words
    max_logprob_difference: float | None  # nats; None: the server gives none
    noise: float | None  # nats, of the base asked again in the same way
    verdict: str


def check_liveness(endpoint: OpenAIEndpoint, *, base: str, tuned: str, witness: Witness | None = None) -> Liveness:
    """Compare both arms on the canaries; a `witness` that has asked already is not asked again.

    An adapter that changes log-probabilities but no word is alive; without log-probabilities such a one cannot be
    told from one that is ignored.

    Raises:
        ArmsError: the tuned arm answers as the base does. EndpointError: a reply could not be had.
    """
    found = liveness(witness or Witness(endpoint, base=base, tuned=tuned))
    if not found.alive:
        raise ArmsError(found.verdict, hint=HINT)
    return found


def liveness(witness: Witness) -> Liveness:
    """The same finding, whatever it says."""
    between = spread(witness.base, [witness.tuned])
    control = witness.base_again
    gap, noise = between.gap, control.gap
    measured = gap is not None and noise is not None
    alive = bool(between.beyond(control))
    words = f"{len(between.differing)} of {len(between.contrasts)} prompts in other words"
    if alive and measured:
        verdict = f"the tuned arm is alive: {words}, log-probabilities up to {gap:.3g} nats apart (noise {noise:.2g})"
    elif alive:
        verdict = f"the tuned arm is alive: {words}"
    else:
        verdict = _dead(len(between.contrasts), len(between.differing), gap, noise)
    return Liveness(
        alive=alive,
        level="logprobs" if measured else "text",
        prompts=len(between.contrasts),
        differing=len(between.differing),
        max_logprob_difference=gap,
        noise=noise,
        verdict=verdict,
    )


def _dead(prompts: int, differing: int, gap: float | None, noise: float | None) -> str:
    if gap is None or noise is None:
        if differing:
            return (
                f"the tuned arm answers {differing} of {prompts} prompts in other words than the base, but only where "
                "the base does not repeat itself either: whether the adapter is applied cannot be seen"
            )
        return (
            f"the tuned arm answers word for word as the base on {prompts} prompts, and the server gives no "
            "log-probabilities: the adapter is ignored, or too weak to show in words"
        )
    if noise > 0 and limit(noise) > limit(0.0):
        return (
            f"the tuned arm differs from the base on {prompts} prompts by no more than noise explains ({gap:.2g} nats; "
            f"the base differs from itself by {noise:.2g}): the adapter is ignored"
        )
    return (
        f"the tuned arm answers exactly as the base on {prompts} prompts, to {limit(0.0):g} nats of log-probability: "
        "the adapter is ignored"
    )
