"""Why a run's numbers may be believed: what is known of contract, parity and arms before the first container."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import render
from harness.arms import Arms
from harness.endpoint import OpenAIEndpoint
from harness.errors import BadInputError, ParityError
from harness.parity.audit import Audit, Row, audit
from harness.parity.contract import LocalContract
from harness.parity.conversations import Conversation, hard_conversations
from harness.preflight import (
    Fingerprint,
    Preflight,
    check_adapter_identity,
    check_training_contract,
    preflight,
    read_fingerprint,
)
from harness.store import Finding
from harness.values import Arm, ParityLevel

Mode = Literal["block", "warn", "off"]
LONGEST = 300  # tokens of a conversation that is compared before a run; `evalh parity` compares longer ones, too
NO_TOKENIZER = "no tokenizer is here to render with: give --tokenizer DIR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checks:
    """How strict a run is about each thing that could make its numbers worthless."""

    parity: Mode = "block"
    liveness: Mode = "block"
    contract: Literal["block", "warn"] = "block"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paperwork:
    """What is known without a server: the local render, the adapter's fingerprint, and what its files say."""

    contract: LocalContract | None  # None: nothing to render with, or a run that does not compare
    fingerprint: Fingerprint | None
    findings: tuple[Finding, ...]
    blockers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All of it; `apart` is true where the arms may only be asked one after the other."""

    contract: LocalContract | None
    scripted: bool
    findings: tuple[Finding, ...]
    blockers: tuple[str, ...]
    apart: bool


def paperwork(arms: Arms, checks: Checks, *, variables: dict[str, object]) -> Paperwork:
    """Read what adapter, base and tokenizer say of themselves; nothing is started.

    Raises:
        BadInputError: they contradict each other and `checks.contract` is "block", or the tokenizer does not load.
    """
    notes: list[str] = []
    adapter = Path(arms.tuned.path) if arms.tuned.path else None
    if adapter is not None:
        template, mode = arms.chat_template_sha256, checks.contract
        notes += check_training_contract(
            adapter,
            render_contract=render.CONTRACT_VERSION,
            template_digest=template,
            variables=variables,
            mode=mode,
        )
        if arms.base.path:
            notes += check_adapter_identity(adapter, Path(arms.base.path), base_digest=arms.base.digest, mode=mode)
    contract = None
    if arms.tokenizer is not None and checks.parity != "off":
        contract = LocalContract.load(arms.tokenizer, chat_template_kwargs=variables)
    return Paperwork(
        contract=contract,
        fingerprint=read_fingerprint(adapter, adapter_digest=arms.tuned.digest) if adapter else None,
        findings=tuple(Finding(check="contract", result="unproven", said=note) for note in notes),
        blockers=tuple(note for note in notes if note.startswith("the adapter: ")),
    )


def gather(
    endpoint: OpenAIEndpoint, arms: Arms, papers: Paperwork, checks: Checks, *, say: Callable[[str], None]
) -> Evidence:
    """Ask the server: first whether the arms are what they say they are, then what it reads.

    `say` hears what is being done.

    Raises:
        ArmsError, ParityError: they are not, or it reads something else, and that is to stop the run.
        EndpointError: it cannot be asked. BadInputError: a model is not served.
    """
    scripted = endpoint.probe(arms.base.name).scripted
    if scripted:
        said = "a script answers: neither what it reads nor its arms were examined"
        findings = (*papers.findings, Finding(check="endpoint", result="unproven", said=said))
        return Evidence(contract=None, scripted=True, findings=findings, blockers=papers.blockers, apart=False)
    say("examining both arms")
    found = preflight(
        endpoint,
        base=arms.base.name,
        tuned=arms.tuned.name,
        fingerprint=papers.fingerprint,
        mode=checks.liveness,
        scripted=False,
    )
    say("comparing what the server reads with the render contract")
    parity = _parity(endpoint, arms, papers.contract, checks.parity)
    return Evidence(
        contract=papers.contract,
        scripted=False,
        findings=(*papers.findings, *_arms_findings(found), *parity),
        blockers=(
            *papers.blockers,
            *found.blockers,
            *(one.said for one in parity if one.result == "failed"),
        ),
        apart=found.apart,
    )


def _arms_findings(found: Preflight) -> Iterator[Finding]:
    """What the examination of the arms says, and what it leaves open."""
    told = found.findings()
    yield from told
    for note in (*found.notes, *found.blockers):
        if not any(note in finding.said for finding in told):
            yield Finding(check="arms", result="unproven", said=note)


def _parity(endpoint: OpenAIEndpoint, arms: Arms, contract: LocalContract | None, mode: Mode) -> list[Finding]:
    """Compare the hard conversations at both arms.

    Raises:
        ParityError: one differs and `mode` is "block".
    """
    if mode == "off":
        return [Finding(check="parity", result="unproven", said="switched off: no prompt is compared")]
    if contract is None:
        return [Finding(check="parity", result="unproven", said=NO_TOKENIZER)]
    with ThreadPoolExecutor(max_workers=len(Arm)) as pool:  # a server that batches answers both at the price of one
        audits = list(pool.map(lambda name: _audit(endpoint, name, contract), arms.names.values()))
    findings = [_judged(made, contract, mode) for made in audits]
    said = dict.fromkeys(sentence for made in audits for sentence in made.unproven)
    return findings + [Finding(check="parity", result="unproven", said=sentence) for sentence in said]


def _audit(endpoint: OpenAIEndpoint, name: str, contract: LocalContract) -> Audit:
    chosen = [one for one in hard_conversations(contract.control_tokens) if _short(contract, one)]
    return audit(endpoint, name, contract, chosen)


def _short(contract: LocalContract, conversation: Conversation) -> bool:
    try:
        return len(contract.ids(contract.conform(conversation.messages))) <= LONGEST
    except BadInputError:  # what the template refuses costs nothing: both sides must refuse it
        return True


def _judged(made: Audit, contract: LocalContract, mode: Mode) -> Finding:
    wrong: list[Row] = [row for row in made.rows if row.agrees is False]
    compared = [row for row in made.rows if row.agrees is not None]
    if made.agrees:
        if made.level is ParityLevel.NONE or not compared:
            return Finding(check="parity", result="unproven", said=f"{made.model}: no prompt could be compared")
        said = f"{made.model}: {len(compared)} hard conversations are read as the contract says, by {made.level}"
        return Finding(check="parity", result="ok", said=said)
    if wrong:
        first = wrong[0]
        likely = f"; likeliest cause: {made.cause}" if made.cause else ""
        said = (
            f"{made.model} reads {len(wrong)} of {len(made.rows)} hard conversations otherwise than the contract says"
            f"{likely}; {first.name}: {first.difference} ({contract.title})"
        )
    else:
        stops = made.stop_tokens
        said = f"{made.model} does not stop at {stops.end_text} (id {stops.end_id}), which ends a turn: {stops.note}"
    if mode == "block":
        raise ParityError(said, hint="see `evalh parity`, or go on with --parity warn, which can promote nothing")
    return Finding(check="parity", result="failed", said=said)
