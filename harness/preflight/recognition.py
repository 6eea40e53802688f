"""Tells which arm is which by a fingerprint, whatever names they are served under."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import Final, Literal

from harness.errors import ArmsError
from harness.preflight.contrast import FLOOR, shared_length
from harness.preflight.fingerprint import Canary, Fingerprint, Greedy
from harness.preflight.prompts import CANARIES, conversation_digest
from harness.values import Arm, Completion

TOLERANCE: Final = 0.25
"""Mean distance per token, from 0 to 1, up to which a served arm may still be a stored one in another dtype."""

HINT = "see which weights the server has under each name; evalh fingerprint makes the file afresh"


class Identity(StrEnum):
    """What the served arms turn out to be."""

    MATCHES = "matches"
    SWAPPED = "swapped"
    IGNORED = "ignored"  # both are the base
    MERGED = "merged"  # both are the tuned arm
    NEITHER = "neither"  # one of them is another model
    UNPROVEN = "unproven"  # cannot be told


@dataclass(frozen=True, slots=True, kw_only=True)
class Distances:
    """How far one served arm is from both stored ones: mean per token over all canaries, 0 same to 1 nothing alike."""

    base: float
    tuned: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityFinding:
    """Which of the stored arms each served arm is."""

    identity: Identity
    prompts: int  # that could be compared
    separation: float | None  # between the stored arms themselves
    base: Distances | None
    tuned: Distances | None
    verdict: str

    @property
    def contradicts(self) -> bool:
        """Whether the arms are known not to be what they should be."""
        return self.identity not in {Identity.MATCHES, Identity.UNPROVEN}


def check_identity(
    fingerprint: Fingerprint, base_replies: Sequence[Completion], tuned_replies: Sequence[Completion]
) -> IdentityFinding:
    """Recognise the served arms by their greedy replies to CANARIES, in that order.

    Raises:
        ArmsError: they are swapped, or one of them is not what it should be.
    """
    found = recognise(fingerprint, base_replies, tuned_replies)
    if found.contradicts:
        raise ArmsError(found.verdict, hint=HINT)
    return found


def recognise(
    fingerprint: Fingerprint, base_replies: Sequence[Completion], tuned_replies: Sequence[Completion]
) -> IdentityFinding:
    """The same finding, whatever it says.

    A served arm is the stored one that it is nearer to over all canaries together, so that a dtype's noise, which
    moves it away from both alike, decides nothing. It is neither where it is far from both (further than half of what
    separates these, and further than TOLERANCE), and unproven where it is nearer to one by less than half of that.
    """
    stored = {one.conversation: one for one in fingerprint.canaries}
    compared = [
        (canary, plain, trained)
        for messages, plain, trained in zip(CANARIES, base_replies, tuned_replies, strict=True)
        if (canary := stored.get(conversation_digest(messages))) and _same_prompt(canary, plain, trained)
    ]
    if not compared:
        return _unproven("no canary was read here as it was where the fingerprint was taken", 0, None)
    canaries = [canary for canary, _, _ in compared]
    base = _distances(canaries, [plain for _, plain, _ in compared])
    tuned = _distances(canaries, [trained for _, _, trained in compared])
    separation = fmean(_distance(one.tuned, one.base, like=plain) for one, plain, _ in compared)
    if separation < FLOOR:
        return _unproven(
            "the fingerprint's two arms answer alike, as far as this server shows", len(compared), separation
        )
    identity, verdict = _judge(base, tuned, separation)
    return IdentityFinding(
        identity=identity, prompts=len(compared), separation=separation, base=base, tuned=tuned, verdict=verdict
    )


def _unproven(why: str, prompts: int, separation: float | None) -> IdentityFinding:
    return IdentityFinding(
        identity=Identity.UNPROVEN,
        prompts=prompts,
        separation=separation,
        base=None,
        tuned=None,
        verdict=f"which arm is which is not proven: {why}",
    )


def _judge(base: Distances, tuned: Distances, separation: float) -> tuple[Identity, str]:
    is_base, is_tuned = _nearest(base, separation), _nearest(tuned, separation)
    for name, found, seen in (("base", is_base, base), ("tuned", is_tuned, tuned)):
        if found is Identity.NEITHER:
            return Identity.NEITHER, (
                f"the {name} arm is neither the base nor the adapter of the fingerprint (distance {seen.base:.2g} and "
                f"{seen.tuned:.2g}, these two are {separation:.2g} apart): it is another model"
            )
    numbers = f"distance {min(base.base, base.tuned):.2g} and {min(tuned.base, tuned.tuned):.2g} of {separation:.2g}"
    match is_base, is_tuned:
        case Arm.BASE, Arm.TUNED:
            return Identity.MATCHES, f"both arms are those of the fingerprint ({numbers})"
        case Arm.TUNED, Arm.BASE:
            return Identity.SWAPPED, f"the arms are swapped: each name gives the other one's replies ({numbers})"
        case Arm.BASE, Arm.BASE:
            return Identity.IGNORED, f"the tuned arm is the base: the adapter is ignored ({numbers})"
        case Arm.TUNED, Arm.TUNED:
            return Identity.MERGED, f"the base arm is the tuned model: the base answers with the adapter ({numbers})"
    return Identity.UNPROVEN, f"which arm is which is not proven: both are near the fingerprint's two arms ({numbers})"


def _nearest(seen: Distances, separation: float) -> Arm | Literal[Identity.NEITHER, Identity.UNPROVEN]:
    if min(seen.base, seen.tuned) > max(separation / 2, TOLERANCE):
        return Identity.NEITHER
    if abs(seen.base - seen.tuned) < separation / 2:
        return Identity.UNPROVEN
    return Arm.BASE if seen.base < seen.tuned else Arm.TUNED


def _same_prompt(canary: Canary, *replies: Completion) -> bool:
    return all(reply.prompt_ids in (None, canary.prompt_ids) for reply in replies)


def _distances(canaries: Sequence[Canary], replies: Sequence[Completion]) -> Distances:
    pairs = list(zip(canaries, replies, strict=True))
    return Distances(
        base=fmean(_distance(reply, canary.base) for canary, reply in pairs),
        tuned=fmean(_distance(reply, canary.tuned) for canary, reply in pairs),
    )


def _distance(reply: Completion | Greedy, stored: Greedy, *, like: Completion | None = None) -> float:
    """0 to 1: the mean difference of log-probabilities (each at most 1), a token that differs and all after it 1.

    Where the server gives no ids, the share of the text that does not agree; `like` says what a server gives.
    """
    ids = reply.ids if isinstance(reply, Greedy) else reply.completion_ids
    if ids is None or (like is not None and like.completion_ids is None):
        longest = max(len(reply.text), len(stored.text))
        return 1.0 - shared_length(reply.text, stored.text) / longest if longest else 0.0
    length = min(len(ids), len(stored.ids))
    if length == 0:
        return 0.0
    shared = shared_length(ids[:length], stored.ids[:length])
    known = reply.logprobs is not None and (like is None or like.logprobs is not None)
    moved = zip(reply.logprobs or (), stored.logprobs, strict=False) if known else ()
    gaps = [min(1.0, abs(one - other)) for one, other in moved][:shared]
    return (sum(gaps) + length - shared) / length
