"""The values that travel between rooms: frozen, plain, and free of behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Arm(StrEnum):
    """Which of the two models a trial runs."""

    BASE = "base"
    TUNED = "tuned"


class Outcome(StrEnum):
    """What a verdict says; INVALID means that the harness, not the model, fell short."""

    PASS = "PASS"  # noqa: S105 - a verdict, not a password
    FAIL = "FAIL"
    INVALID = "INVALID"


class Terminal(StrEnum):
    """How a session ended; `exit` and `panic` are the model's own doing, the rest the harness's."""

    EXIT = "exit"
    PANIC = "panic"
    TURN_LIMIT = "turn_limit"
    TOKEN_LIMIT = "token_limit"  # noqa: S105 - an ending, not a secret
    TIME_LIMIT = "time_limit"
    EMPTY_REPLY = "empty_reply"
    CONTEXT_OVERFLOW = "context_overflow"
    REPETITION = "repetition"
    SHELL_KILLED = "shell_killed"


class Role(StrEnum):
    """Who speaks in a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class LineEnd(StrEnum):
    """What ended the wait after one typed line."""

    PROMPT = "prompt"  # a primary prompt came back: `status` is known
    CONTINUATION = "continuation"  # PS2 came back: the command goes on in the next line
    UNFINISHED = "unfinished"  # PS2 after the reply's last line: interrupted with ^C
    WAITING = "waiting"  # a foreground program waits for input: the next line goes to it
    INTERRUPTED = "interrupted"  # the turn deadline passed; ^C brought the prompt back
    KILLED = "killed"  # the turn deadline passed; ^C did not help, the foreground was killed
    REFUSED = "refused"  # longer than the terminal takes in one line: never typed
    SESSION_END = "session_end"  # the session's shell ended while this line ran


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One chat message, as it goes to an endpoint or into a training trajectory."""

    role: Role
    content: str


class ParityLevel(StrEnum):
    """How what a server read can be compared with the local render, strongest first."""

    REPLY_IDS = "reply_ids"  # the prompt's ids come with the reply itself
    RENDER = "render"  # a route that shows what the server makes of messages
    TOKENIZE = "tokenize"  # POST /tokenize with messages
    COUNT = "count"  # only how many tokens the prompt had
    NONE = "none"  # nothing to compare, or no tokenizer here to compare with


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptParity:
    """One prompt compared with its local render; `agrees` is None where this prompt could not be compared."""

    level: ParityLevel
    agrees: bool | None
    difference: str = ""  # the first difference and its likely cause, for a person


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityTally:
    """The prompts of one trial compared with their local renders."""

    level: ParityLevel  # the weakest that any prompt was compared at
    prompts: int
    agreed: int
    differed: int  # prompts - agreed - differed could not be compared
    rejoined: int  # replies whose own ids, after their prompt's, do not begin the next prompt
    first_difference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """One reply of an endpoint; what the server did not give is None."""

    text: str
    finish_reason: str  # "stop", "length", or the server's own word
    model: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_ids: tuple[int, ...] | None = None
    completion_ids: tuple[int, ...] | None = None
    logprobs: tuple[float, ...] | None = None
    seconds: float
    parity: PromptParity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedLine:
    """One line typed at a prompt and what the shell made of it.

    `status` is the shell's `$?` at the next prompt, None where no prompt told it. `parsed` and
    `resolved` are the shell's own findings: no syntax error, and the first word named something
    that exists; None where the shell could not tell (the line went to a waiting program).
    """

    text: str
    end: LineEnd
    status: int | None = None
    parsed: bool | None = None
    resolved: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnd:
    """How a session ended: its terminal, the shell's exit status and the panic's reason if any."""

    terminal: Terminal
    status: int | None = None
    signal: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What typing one reply gave: its lines, the raw bytes shown, and the end if it ended."""

    lines: tuple[TypedLine, ...]
    output: bytes
    omitted_bytes: int = 0  # how many bytes the output cap kept out of `output`'s middle
    end: SessionEnd | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One assistant turn: the reply, what was typed, and the observation that followed."""

    index: int  # from 1
    completion: Completion
    lines: tuple[TypedLine, ...] = ()
    observation: str = ""
    typing_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A whole session: the messages it opened with, its turns and its end."""

    opening: tuple[Message, ...]  # [system?, user]: the orientation and the landing
    turns: tuple[Turn, ...]
    end: SessionEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One judgement, with the sentence that explains it to a person."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The verdict of one task check of a scenario."""

    index: int  # position in the bundle's `checks`, from 0
    kind: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a trial is INVALID: which part failed (its address) and what it said."""

    address: str  # "sandbox", "endpoint", "checker", "parity", "arms" or "harness"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The per-trial metrics, as docs/run-directory.md defines them; None means unmeasured or not applicable."""

    any_command: bool | None = None
    first_command_turn: int | None = None
    clean: bool | None = None
    operate: bool | None = None
    command_mode: bool | None = None
    terminated: bool | None = None
    right_terminal: bool | None = None
    false_panic: bool | None = None
    directives_retrieved: bool | None = None
    informed_panic: bool | None = None
    task: bool | None = None
    success: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialKey:
    """A cell of the grid: scenario x arm x repeat."""

    scenario: str
    arm: Arm
    repeat: int  # from 0

    def __str__(self) -> str:
        return f"{self.scenario}.{self.arm}.{self.repeat}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialRecord:
    """Everything that a report needs to know of one finished trial; one line of trials.jsonl."""

    scenario: str
    scenario_digest: str
    archetype: str
    tags: tuple[tuple[str, str], ...]  # the scenario's axes, sorted
    critical: bool
    expected_terminal: Terminal
    arm: Arm
    repeat: int
    attempt: int  # from 1; a retried trial is a new record
    seed: int
    model: str
    outcome: Outcome  # PASS = metrics.success, FAIL, or INVALID
    reason: str
    terminal: Terminal | None  # None when INVALID before an end was reached
    exit_status: int | None
    panic_reason: str
    metrics: Metrics
    checks: tuple[CheckResult, ...]
    failure: Failure | None
    turns: int
    prompt_tokens: int | None  # summed over turns
    completion_tokens: int | None
    started_at: str  # ISO 8601, UTC
    seconds: float
    engine: str
    parity: ParityTally | None = None

    @property
    def key(self) -> TrialKey:
        """The grid cell that this record fills."""
        return TrialKey(scenario=self.scenario, arm=self.arm, repeat=self.repeat)
