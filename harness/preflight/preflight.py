"""Examines both arms at their endpoint before the first container: alive, themselves, and undisturbed."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from harness.endpoint import OpenAIEndpoint
from harness.errors import ArmsError
from harness.preflight import cards, contamination, liveness, recognition
from harness.preflight.cards import CardsFinding, judge_cards
from harness.preflight.contamination import Contamination
from harness.preflight.fingerprint import Fingerprint
from harness.preflight.liveness import Liveness
from harness.preflight.recognition import Identity, IdentityFinding, recognise
from harness.preflight.witness import ROUNDS, Witness
from harness.store import Finding

Mode = Literal["block", "warn", "off"]


class Preflight(BaseModel):
    """Everything that was found out about the two arms; a finding that was not sought is None."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mode: Mode
    apart: bool = False  # run one arm at a time
    cards: CardsFinding | None = None
    liveness: Liveness | None = None
    identity: IdentityFinding | None = None
    contamination: Contamination | None = None
    notes: tuple[str, ...] = ()  # what was found, and what stays unproven
    blockers: tuple[str, ...] = ()  # why nothing may be promoted on this evidence

    def findings(self) -> tuple[Finding, ...]:
        """What was looked into and what came of it, a line each, as a manifest keeps it."""
        if self.cards is None:
            said = "; ".join((*self.notes, *self.blockers))
            return (Finding(check="liveness", result="unproven", said=said),)
        found = [_finding("cards", self.cards.verdict, ok=self.cards.proven, wrong=self.cards.contradicts)]
        if self.identity is not None:
            matches = self.identity.identity is Identity.MATCHES
            found.append(_finding("identity", self.identity.verdict, ok=matches, wrong=self.identity.contradicts))
        if self.liveness is not None:
            found.append(_finding("liveness", self.liveness.verdict, ok=self.liveness.alive, wrong=True))
        if self.contamination is not None:
            found.append(
                _finding("contamination", self.contamination.verdict, ok=self.contamination.usable, wrong=True)
            )
        return tuple(found)


def _finding(check: str, said: str, *, ok: bool, wrong: bool) -> Finding:
    return Finding(check=check, result="ok" if ok else "failed" if wrong else "unproven", said=said)


def preflight(
    endpoint: OpenAIEndpoint,
    *,
    base: str,
    tuned: str,
    fingerprint: Fingerprint | None,
    mode: Mode,
    scripted: bool,
    rounds: int = ROUNDS,
) -> Preflight:
    """Examine two served models; costs some 80 replies of eight tokens, most of them asked together.

    A scripted endpoint is a fixture and is not examined. Call it before anything else is asked of the tuned arm.

    Raises:
        ArmsError: in mode "block", the first thing that is wrong with the arms; "warn" makes it a blocker.
        BadInputError: one of the models is not served. EndpointError: a reply could not be had.
    """
    if scripted:
        return Preflight(mode=mode, notes=("the endpoint is scripted: its arms were not examined",))
    if mode == "off":
        return Preflight(mode=mode, blockers=("whether the arms are alive and themselves was not examined",))
    wrong = _Wrong(mode)
    listed = judge_cards(endpoint.cards(), base=base, tuned=tuned)
    wrong.note(listed.verdict, listed.contradicts, hint=cards.HINT)
    return _examined(Witness(endpoint, base=base, tuned=tuned, rounds=rounds), listed, fingerprint, wrong)


def _examined(witness: Witness, listed: CardsFinding, fingerprint: Fingerprint | None, wrong: _Wrong) -> Preflight:
    """Ask the witness for everything, the likeliest trouble first."""
    alive = liveness.liveness(witness)
    known = None if fingerprint is None else recognise(fingerprint, witness.base, witness.tuned)
    if known is not None:  # first: it says what else the arms are
        wrong.note(known.verdict, known.contradicts, hint=recognition.HINT)
    elif not listed.proven:
        wrong.notes.append("there is no fingerprint of the adapter: which arm is which rests on the names")
    wrong.note(alive.verdict, not alive.alive, hint=liveness.HINT)
    clean = contamination.contamination(witness) if alive.alive else None
    if clean is not None:
        wrong.note(clean.verdict, not clean.usable, hint=contamination.HINT)
    if alive.level == "text":
        wrong.notes.append("without log-probabilities only words were compared: a small disturbance would not show")
    return Preflight(
        mode=wrong.mode,
        apart=clean is not None and clean.apart,
        cards=listed,
        liveness=alive,
        identity=known,
        contamination=clean,
        notes=tuple(wrong.notes),
        blockers=tuple(wrong.blockers),
    )


class _Wrong:
    """Sorts verdicts: what is wrong stops the run or becomes a blocker, what is right is a note."""

    def __init__(self, mode: Mode) -> None:
        self.mode = mode
        self.notes: list[str] = []
        self.blockers: list[str] = []

    def note(self, verdict: str, is_wrong: bool, *, hint: str) -> None:  # noqa: FBT001 - it is what the verdict says
        if is_wrong and self.mode == "block":
            raise ArmsError(verdict, hint=hint)
        (self.blockers if is_wrong else self.notes).append(verdict)
