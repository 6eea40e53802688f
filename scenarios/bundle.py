"""The bundle format: what one scenario is, as frozen models that pydantic checks at the border."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from harness.values import Terminal

SCHEMA_VERSION = 1

Octal = Annotated[str, Field(pattern=r"^[0-7]{3,4}$")]
WorldPath = Annotated[str, Field(pattern=r"^/[^\x00-\x1f]*$", max_length=512)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


class Split(StrEnum):
    """Which side of the fence a scenario is on."""

    HOLDOUT = "holdout"
    TRAIN = "train"


class Announcement(StrEnum):
    """How the world says where the directives live."""

    MOTD = "motd"
    BANNER = "banner"
    ENV = "env"
    FILE = "file"
    HELP = "help"


class Landing(_Part):
    """What the model meets first: an optional system turn, login texts, and variables."""

    orientation: str = ""  # becomes the system turn; never an instruction to do the task
    banner: str = ""  # shown before the motd, kept in no file
    motd: str = ""  # shown at login, and the content of /etc/motd
    env: dict[str, str] = Field(default_factory=dict)


class BundleFile(_Part):
    """A file of the world: `content` inline, `source` in the bundle's folder, or a `provider` that evalh ships."""

    path: WorldPath
    content: str | None = None
    source: str | None = None
    provider: str | None = None
    settings: dict[str, str] = Field(default_factory=dict)  # of the provider: where its records lie, how it speaks
    mode: Octal = Field(default_factory=lambda known: "755" if known.get("provider") else "644")
    owner: Literal["operator", "root"] = Field(
        default_factory=lambda known: "root" if known.get("provider") else "operator"
    )


class Setup(_Part):
    """A POSIX sh script, run as root in the world before the session."""

    script: str = ""


class SessionLimits(_Part):
    """When the harness ends a session; None takes the run's default."""

    turns: Annotated[int, Field(ge=1, le=200)] | None = None
    seconds: Annotated[float, Field(gt=0, le=3600)] | None = None
    output_bytes: Annotated[int, Field(ge=256, le=1 << 20)] | None = None
    tokens: Annotated[int, Field(ge=1, le=32768)] | None = None  # of one reply


class Retrieval(_Part):
    """How the record shows that the directives were read: a text that only they contain."""

    retrieved_when: Annotated[str, Field(min_length=1)]  # a regular expression, searched in every observation


class Reference(_Part):
    """Replies that solve the scenario, the last of which ends the session."""

    replies: Annotated[tuple[str, ...], Field(min_length=1)]


class Tags(_Part):
    """The axes of a scenario."""

    task: str
    provider: str
    announcement: Announcement
    doc_depth: Annotated[int, Field(ge=1, le=3)] = 1  # pages of documentation to read
    difficulty: Annotated[int, Field(ge=1, le=5)] = 1


class _Check(_Part):
    path: WorldPath


class FileExists(_Check):
    """A regular file (or, with `type`, another kind of entry) is at `path`."""

    kind: Literal["file_exists"]
    type: Literal["file", "directory", "symlink"] = "file"


class FileAbsent(_Check):
    """Nothing is at `path`, not even a dangling symlink."""

    kind: Literal["file_absent"]


class FileEquals(_Check):
    """The file's text equals `content`; `strip` ignores blank space at line ends and at the end."""

    kind: Literal["file_equals"]
    content: str
    strip: bool = True


class FileMatches(_Check):
    """The regular expression is found in the file's text (`negate`: is not found)."""

    kind: Literal["file_matches"]
    pattern: str
    negate: bool = False


class Mode(_Check):
    """The entry's permission bits are exactly these."""

    kind: Literal["mode"]
    mode: Octal


class Owner(_Check):
    """The entry belongs to this user."""

    kind: Literal["owner"]
    owner: Literal["operator", "root"]


class TreeEquals(_Check):
    """The directory holds exactly these files (relative path to content), no more and no less."""

    kind: Literal["tree_equals"]
    files: dict[str, str]
    strip: bool = True


class JsonEquals(_Check):
    """The file is JSON and equals `value` (`at`: a JSON pointer into it)."""

    kind: Literal["json_equals"]
    value: str  # JSON text
    at: str = ""


class LineCount(_Check):
    """The file has exactly `count` lines that are not blank (and match `pattern`, if given)."""

    kind: Literal["line_count"]
    count: Annotated[int, Field(ge=0)]
    pattern: str | None = None


class Script(_Part):
    """A POSIX sh script, run as root with a fixed PATH after the operator is dead; 0 passes, 1 fails."""

    kind: Literal["script"]
    script: Annotated[str, Field(min_length=1)]
    timeout: Annotated[float, Field(gt=0, le=120)] = 20.0


Check = Annotated[
    FileExists | FileAbsent | FileEquals | FileMatches | Mode | Owner | TreeEquals | JsonEquals | LineCount | Script,
    Field(discriminator="kind"),
]


class Scenario(_Part):
    """One bundle, read and checked."""

    schema_version: Literal[1]
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    archetype: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    split: Split
    expected_terminal: Literal[Terminal.EXIT, Terminal.PANIC] = Terminal.EXIT
    critical: bool = False
    provenance: str
    tags: Tags
    landing: Landing = Landing()
    files: tuple[BundleFile, ...] = ()
    setup: Setup = Setup()
    limits: SessionLimits = SessionLimits()
    checks: Annotated[tuple[Check, ...], Field(min_length=1)]
    reference: Reference
    directives: Retrieval
