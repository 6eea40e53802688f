"""Whether a run's scenarios were proven: without leave it is refused, with it the report is marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.certify.certificates import Survey, survey
from harness.errors import BadInputError
from harness.store import Finding
from scenarios import LoadedScenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a run's manifest says of its scenarios' certificates; a blocker keeps the run from promoting anything."""

    findings: tuple[Finding, ...]
    blockers: tuple[str, ...]


def admit(loaded: Sequence[LoadedScenario], *, uncertified: bool) -> Survey:
    """Look for the certificate of every scenario.

    Raises:
        BadInputError: one has none that counts, and `uncertified` does not let it in.
    """
    found = survey(loaded)
    if found.missing and not uncertified:
        raise BadInputError(
            _uncertified(found),
            hint="run `evalh scenario check` on them, or go on with --allow-uncertified, which can promote nothing",
        )
    return found


def admission(found: Survey, image: str) -> Admission:
    """What to say of the scenarios in a run whose sandbox image has the digest `image`."""
    total = len(found.held) + len(found.missing)
    blockers = [_uncertified(found)] if found.missing else []
    findings = [Finding(check="scenarios", result="unproven", said=said) for said in blockers]
    if soft := [each for each in found.held if not each.attacked]:
        said = f"{len(soft)} of {total} scenarios were certified without attacks: {soft[0].id}"
        blockers.append(said)
        findings.append(Finding(check="scenarios", result="unproven", said=said))
    if elsewhere := [each for each in found.held if each.image != image]:
        said = f"{len(elsewhere)} of {total} scenarios were certified in another build of the same sandbox image"
        findings.append(Finding(check="scenarios", result="unproven", said=said))
    if not findings:
        said = f"all {total} scenarios are certified in this sandbox image"
        findings.append(Finding(check="scenarios", result="ok", said=said))
    return Admission(findings=tuple(findings), blockers=tuple(blockers))


def _uncertified(found: Survey) -> str:
    total = len(found.held) + len(found.missing)
    return f"{len(found.missing)} of {total} scenarios are uncertified: {found.missing[0]}"
