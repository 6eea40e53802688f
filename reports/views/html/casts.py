"""The sessions of a run directory as text, in the order in which a reader wants them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.store import session_stem
from harness.values import Arm, TrialKey
from reports.schema import Pair, PairResult, Report, TrialSummary

FIRST = (PairResult.LOSS, PairResult.WIN, PairResult.INVALID, PairResult.TIE)
SESSIONS = "sessions"
MAX_FILE_BYTES = 8 << 20  # of one file; what lies beyond is not read


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionCast:
    """One trial's session as it was written: `cast` is asciicast v2, `turns` the JSON lines; "" where there is none."""

    key: TrialKey
    cast: str
    turns: str


def read_sessions(run_dir: Path, report: Report) -> Iterator[SessionCast]:
    """The session of every trial that the report counts: lost pairs first, then won, invalid and tied ones.

    Reads a file when it is asked for it; a trial without one is left out.
    """
    present = _stems(run_dir)
    for pair in in_order(report.pairs) if present else ():
        for arm in Arm:
            trial = summary_of(pair, arm)
            key = TrialKey(scenario=pair.scenario, arm=arm, repeat=pair.repeat)
            if trial is None or session_stem(key, trial.attempt) not in present:
                continue
            if found := read_session_cast(run_dir, key, trial.attempt):
                yield found


def in_order(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs by result, those that the arms decided differently first; otherwise as they are."""
    rank = {result: i for i, result in enumerate(FIRST)}
    return sorted(pairs, key=lambda pair: rank.get(pair.result, len(FIRST)))


def summary_of(pair: Pair, arm: Arm) -> TrialSummary | None:
    """One arm's trial of a pair, if it has a record."""
    return pair.base if arm is Arm.BASE else pair.tuned


def read_session_cast(run_dir: Path, key: TrialKey, attempt: int) -> SessionCast | None:
    """One trial's session; None if neither of its files can be read, or its name is no file name."""
    stem = session_stem(key, attempt)
    if "/" in stem or "\0" in stem or stem.startswith("."):
        return None
    cast, turns = (_text(run_dir / SESSIONS / f"{stem}.{ending}") for ending in ("cast", "jsonl"))
    return SessionCast(key=key, cast=cast, turns=turns) if cast or turns else None


def _stems(run_dir: Path) -> frozenset[str]:
    """The names of all sessions that have a file, without its ending: one look, where thousands may be missing."""
    try:
        return frozenset(path.stem for path in (run_dir / SESSIONS).iterdir())
    except OSError:
        return frozenset()


def _text(path: Path) -> str:
    """A file's text; "" for what is missing, is no plain file, or lies behind a link out of the run directory."""
    if path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        return ""
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_FILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
