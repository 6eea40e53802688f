"""The run directory: append-only records that count only once they are on disk."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from types import MappingProxyType
from typing import IO, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from harness.errors import BadInputError, StoreError
from harness.values import Message, SessionEnd, Terminal, TrialKey, TrialRecord, Turn

T = TypeVar("T")

MANIFEST = Path("manifests") / "run_manifest.json"
TRIALS = "trials.jsonl"
AUDIT = Path("logs") / "audit.jsonl"

_RECORD = TypeAdapter(TrialRecord)
_OPENING = TypeAdapter(tuple[Message, ...])
_TURN = TypeAdapter(Turn)
_END = TypeAdapter(SessionEnd)
_SESSION_LINES: Mapping[str, TypeAdapter[tuple[Message, ...]] | TypeAdapter[Turn] | TypeAdapter[SessionEnd]] = (
    MappingProxyType({"opening": _OPENING, "turn": _TURN, "end": _END})
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ScenarioRef(_Part):
    """A scenario of the grid, by identity, with what a report groups pairs by; null in older manifests."""

    id: str
    digest: str
    archetype: str | None = None
    critical: bool | None = None
    expected_terminal: Terminal | None = None
    tags: dict[str, str] = {}  # the scenario's axes


class ModelRef(_Part):
    """One arm's model: the name it is served under, and where it came from if it is local."""

    name: str
    path: str | None = None
    digest: str | None = None


class Sampling(_Part):
    """How replies were drawn."""

    temperature: float
    top_p: float
    max_tokens: int
    deterministic: bool


class Finding(_Part):
    """One thing that was looked into before the first container, and what came of it."""

    check: str  # "parity", "liveness", "contamination", ...
    result: Literal["ok", "failed", "unproven"]
    said: str


class StopRule(_Part):
    """What `--stop-when decided` follows: one superiority claim, over scenarios in an order drawn before the run."""

    metric: str
    alpha: float  # two-sided
    order: tuple[str, ...]  # scenario ids; all repeats of one before the next
    first: tuple[str, ...] = ()  # of these, at the beginning: what must be done before a stop for success


class RunManifest(_Part):
    """Who, what, which: everything that says what a run's numbers are numbers of."""

    schema_version: Literal[1] = 1
    run: str
    created_at: str
    argv: tuple[str, ...]
    versions: dict[str, str]
    settings: dict[str, str | int | float | bool | None]
    seed: int
    repeats: int
    scenarios: tuple[ScenarioRef, ...]
    engine: str
    sandbox_image: str
    base: ModelRef
    tuned: ModelRef
    chat_template_sha256: str | None
    tokenizer_sha256: str | None = None
    chat_template_kwargs: str = "{}"
    endpoint: str
    endpoint_scripted: bool
    endpoint_notes: tuple[str, ...]
    server: dict[str, str | int | float | bool | None] = {}  # what a server that evalh started is
    preflight: tuple[Finding, ...] = ()
    blockers: tuple[str, ...] = ()  # why nothing may be promoted, whatever the numbers are
    one_arm_at_a_time: bool = False  # the server mixes the arms up when both are asked at once
    stop_rule: StopRule | None = None  # None: every pair is run
    sampling: Sampling
    session_contract: str
    render_contract: str


def now() -> str:
    """The present moment, ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file or nothing: a reader never sees half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> StoreError:
    return StoreError(f"cannot write {path}: {error.strerror or error}", hint="free some space or choose another --out")


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _unwritable(path, error) from error


def _write(stream: FileIO, data: bytes) -> None:
    """Write all of it, with no buffer that a later close would have to empty onto a full disk."""
    left = memoryview(data)
    while left:
        left = left[stream.write(left) :]


class RunStore:
    """The one writer of a run directory; holds its lock until closed. Thread-safe."""

    def __init__(self, path: Path, manifest: RunManifest, lock: IO[bytes]) -> None:
        self.path = path
        self.manifest = manifest
        self._lock = lock
        self._mutex = threading.Lock()
        with _writing(path):
            self._trials = _open_to_append(path / TRIALS)
            self._audit = _open_to_append(path / AUDIT)

    def append_trial(self, record: TrialRecord) -> None:
        """Append one record; when this returns, it is on disk."""
        self._append(self._trials, _RECORD.dump_json(record), path=self.path / TRIALS)

    def audit(self, event: str, **facts: str | float | bool | None) -> None:
        """Note what the harness did and when."""
        line = json.dumps({"at": now(), "event": event, **facts}, ensure_ascii=True)
        self._append(self._audit, line.encode(), path=self.path / AUDIT)

    def _append(self, stream: FileIO, line: bytes, *, path: Path) -> None:
        with self._mutex, _writing(path):
            end = stream.seek(0, os.SEEK_END)
            try:
                _write(stream, line + b"\n")
                os.fsync(stream.fileno())
            except OSError:
                stream.truncate(end)  # half a line is no record, and must not become half of the next one
                raise

    @contextmanager
    def session(self, key: TrialKey, attempt: int) -> Iterator[SessionWriter]:
        """Files for one trial's session: turns as JSON lines, and a path for its cast."""
        stem = session_stem(key, attempt)
        folder = self.path / "sessions"
        with _writing(folder / stem):
            folder.mkdir(exist_ok=True)
            stream = (folder / f"{stem}.jsonl").open("wb", buffering=0)
        with stream:
            yield SessionWriter(stream=stream, path=folder / f"{stem}.jsonl", cast=folder / f"{stem}.cast")

    def close(self) -> None:
        """Give the directory back."""
        for stream in (self._trials, self._audit, self._lock):
            stream.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionWriter:
    """Writes a session turn by turn, each before the next begins; StoreError where that cannot be done."""

    stream: FileIO
    path: Path
    cast: Path

    def opening(self, messages: tuple[Message, ...]) -> None:
        """The messages that the session opened with."""
        self._write("opening", _OPENING.dump_json(messages))

    def turn(self, turn: Turn) -> None:
        """One finished turn."""
        self._write("turn", _TURN.dump_json(turn))

    def end(self, end: SessionEnd) -> None:
        """How the session ended."""
        self._write("end", _END.dump_json(end))

    def _write(self, kind: str, body: bytes) -> None:
        with _writing(self.path):
            _write(self.stream, b'{"type":"%s","value":%s}\n' % (kind.encode(), body))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """A session as read back; `end` is None if it was cut short."""

    opening: tuple[Message, ...]
    turns: tuple[Turn, ...]
    end: SessionEnd | None
    cast: Path


def session_stem(key: TrialKey, attempt: int) -> str:
    """The file name, without its ending, of a trial's session."""
    return str(key) if attempt == 1 else f"{key}.try{attempt}"


def must_be_new(path: Path) -> None:
    """Refuse a directory that holds something or cannot be made; BadInputError says what to do instead."""
    try:
        if path.exists() and (not path.is_dir() or _holds_something(path)):
            raise BadInputError(
                f"{path} exists and is not empty", hint="name another --out, or finish that run with `evalh resume`"
            )
        nearest = next(place for place in (path, *path.absolute().parents) if place.exists())
        usable = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    except OSError as error:
        raise BadInputError(f"cannot use {path}: {error.strerror}", hint="name another --out") from error
    if not usable:
        raise BadInputError(f"cannot make {path}: nothing can be written into {nearest}", hint="name another --out")


def _holds_something(path: Path) -> bool:
    """Whether there is more in a directory than a run leaves that came to no manifest."""
    folders = (path, path / "logs", path / MANIFEST.parent)
    found = {each for folder in folders if folder.is_dir() for each in folder.iterdir()}
    return bool(found - {*folders, path / "logs" / "lock", path / "logs" / "server.log"})


def create(path: Path, manifest: RunManifest) -> RunStore:
    """Make a new run directory.

    Raises:
        BadInputError: the directory exists and is not empty.
        StoreError: it cannot be written.
    """
    must_be_new(path)
    with _writing(path):
        (path / "logs").mkdir(parents=True, exist_ok=True)
        lock = _locked(path)
    try:
        write_atomically(path / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
    except BaseException:
        lock.close()
        raise
    return RunStore(path, manifest, lock)


def reopen(path: Path) -> RunStore:
    """Take up an existing run directory where it stopped.

    Raises:
        BadInputError: it is no run directory, or another process is running it.
        StoreError: it cannot be written.
    """
    manifest = read_manifest(path)
    with _writing(path):
        lock = _locked(path)
    return RunStore(path, manifest, lock)


def _locked(path: Path) -> IO[bytes]:
    lock = (path / "logs" / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise BadInputError(f"{path} is being run by another process", hint="wait for it, or stop it first") from error
    return lock


def _open_to_append(path: Path) -> FileIO:
    """Open for appending, cutting off a last line that a crash left unfinished (it never counted)."""
    stream = path.open("ab+", buffering=0)
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    whole = stream.readall().rfind(b"\n") + 1
    if whole < size:
        stream.truncate(whole)
    return stream


def read_manifest(run: Path) -> RunManifest:
    """The manifest of a run directory; BadInputError if there is none or it is not one of ours."""
    path = run / MANIFEST
    try:
        return RunManifest.model_validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise BadInputError(
            f"{run} is not a run directory: {MANIFEST} is missing", hint="give a directory that `evalh run` made"
        ) from error
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", hint="check its permissions") from error
    except ValidationError as error:
        first = error.errors()[0]
        parts = (repr(part)[1:-1] if isinstance(part, str) else str(part) for part in first["loc"])
        where = ".".join(parts) or "(whole file)"
        raise BadInputError(
            f"{path}: {where}: {first['msg']}",
            hint="the file was edited or written by another version of evalh",
        ) from error


def read_trials(run: Path) -> tuple[TrialRecord, ...]:
    """Every finished record in the order of writing; a line that a crash left unfinished is no record."""
    return tuple(_lines(run / TRIALS, lambda line: _RECORD.validate_json(line, strict=True)))


def read_session(run: Path, key: TrialKey, attempt: int = 1) -> StoredSession:
    """One trial's session; BadInputError if the run has none of that name."""
    path = run / "sessions" / f"{session_stem(key, attempt)}.jsonl"
    if not path.is_file():
        raise BadInputError(f"{run} holds no session of {session_stem(key, attempt)}", hint="see sessions/ there")
    opening: tuple[Message, ...] = ()
    turns: list[Turn] = []
    end: SessionEnd | None = None
    for value in _lines(path, _session_line):
        if isinstance(value, Turn):
            turns.append(value)
        elif isinstance(value, SessionEnd):
            end = value
        else:
            opening = value
    return StoredSession(opening=opening, turns=tuple(turns), end=end, cast=path.with_suffix(".cast"))


def _session_line(line: bytes) -> tuple[Message, ...] | Turn | SessionEnd:
    parsed = json.loads(line)
    return _SESSION_LINES[parsed["type"]].validate_python(parsed["value"])


def _lines(path: Path, parse: Callable[[bytes], T]) -> Iterator[T]:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", hint="check its permissions") from error
    for number, line in enumerate(content.splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):
            return
        try:
            yield parse(line)
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise BadInputError(
                f"{path}:{number}: not a record of this version of evalh", hint="the line was edited or damaged"
            ) from error
