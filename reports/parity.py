"""What the models read in a run, held against the render contract, and whether that satisfies a policy."""

from __future__ import annotations

from collections.abc import Iterable

from harness.values import Outcome, ParityLevel, TrialRecord
from reports.plain import plain
from reports.schema import ParitySection
from reports.wording import plural

SHOWN = 5  # first differences, one a trial
_ORDER = tuple(ParityLevel)  # strongest first

_UNPROVEN = {
    ParityLevel.REPLY_IDS: "",
    ParityLevel.RENDER: "that the model was given what the server's render route shows is the server's word",
    ParityLevel.TOKENIZE: "that the model was given what the server's /tokenize shows is the server's word",
    ParityLevel.COUNT: "only the number of tokens was compared, not which they were",
    ParityLevel.NONE: "nothing that the models read was compared with the render contract",
}


def parity_section(kept: Iterable[TrialRecord]) -> ParitySection | None:
    """The comparison over the valid trials of a run; None if none of them came to a prompt."""
    trials = [record for record in kept if record.outcome is not Outcome.INVALID and record.turns]
    if not trials:
        return None
    tallies = [record.parity for record in trials if record.parity is not None]
    silent = sum(max(0, record.turns - (record.parity.prompts if record.parity else 0)) for record in trials)
    levels = [tally.level for tally in tallies] + ([ParityLevel.NONE] if silent else [])
    prompts, agreed, differed = (
        sum(getattr(tally, name) for tally in tallies) for name in ("prompts", "agreed", "differed")
    )
    return ParitySection(
        level=max(levels, key=_ORDER.index),
        prompts=prompts + silent,
        agreed=agreed,
        differed=differed,
        unchecked=prompts + silent - agreed - differed,
        rejoined=sum(tally.rejoined for tally in tallies),
        differences=tuple(
            f"{record.key}: {plain(record.parity.first_difference, 600)}"
            for record in trials
            if record.parity is not None and record.parity.differed
        )[:SHOWN],
    )


def parity_sentence(section: ParitySection | None) -> str:
    """The section as one line for a person."""
    if section is None:
        return "No prompt of a valid trial was compared with the render contract."
    told = f"{section.agreed} of {plural(section.prompts, 'prompt')} equal to the render contract, by {section.level}"
    for count, what in (
        (section.differed, "differed"),
        (section.unchecked, "not compared"),
    ):
        if count:
            told += f"; {count} {what}"
    if section.rejoined:
        noun = "reply was" if section.rejoined == 1 else "replies were"
        told += f"; {section.rejoined} {noun} read back as other tokens than said"
    unproven = _UNPROVEN[section.level]
    return f"{told}." + (f" Unproven: {unproven}." if unproven else "")


def parity_doubts(section: ParitySection | None, required: ParityLevel) -> tuple[str, ...]:
    """Why the comparison does not satisfy a policy that asks for `required`; empty if it does."""
    if required is ParityLevel.NONE and (section is None or not section.differed):
        return ()
    if section is None:
        return ("no prompt was compared with the render contract",)
    doubts = []
    if section.differed:
        doubts.append(f"{plural(section.differed, 'prompt')} differed from the render contract")
    if _ORDER.index(section.level) > _ORDER.index(required):
        doubts.append(f"prompts were compared by {section.level}, the policy asks for {required} or stronger")
    elif section.unchecked and required is not ParityLevel.NONE:
        doubts.append(f"{plural(section.unchecked, 'prompt')} could not be compared with the render contract")
    return tuple(doubts)
