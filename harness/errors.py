"""The error model: every failure has an address, and says what to do next.

Two families. `BadInputError` and its children are the user's to mend: one line, exit code 30.
`InfrastructureError` and its children are the machine's: inside a trial they make it INVALID with
their address as the cause, outside of one they end the command with exit code 40. Nothing else is
expected to leave a room; a plain exception is a bug in evalh.
"""

from __future__ import annotations

from typing import ClassVar


class EvalhError(Exception):
    """Base of all: `message` says what is wrong and where, `hint` what to do about it."""

    exit_code: ClassVar[int] = 40
    address: ClassVar[str] = "harness"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class BadInputError(EvalhError):
    """Something that the user gave is wrong: a flag, a file, a directory, a name."""

    exit_code = 30
    address = "input"


class BundleError(BadInputError):
    """A scenario bundle is wrong; the message names file, key and line."""

    address = "bundle"


class RenderError(BadInputError):
    """A conversation cannot be represented under the render contract; names the turn."""

    address = "render"


class InfrastructureError(EvalhError):
    """The machine, not the user and not the model, failed."""


class SandboxError(InfrastructureError):
    """A container could not be made, reached, judged or removed."""

    address = "sandbox"


class WorldTooLargeError(SandboxError):
    """A world holds more than may be read of it: the operator's doing, which a check counts against it."""


class EndpointError(InfrastructureError):
    """The endpoint was unreachable, refused the request or answered nonsense."""

    address = "endpoint"


class ContextOverflowError(EndpointError):
    """The conversation no longer fits the model's context: an end of the session, not a fault."""


class CheckerError(InfrastructureError):
    """A check could not be carried out, so it says nothing about the model."""

    address = "checker"


class ParityError(InfrastructureError):
    """What the server read is not what the render contract says."""

    address = "parity"


class ArmsError(InfrastructureError):
    """The two arms are not what they say they are: alike, swapped, or one leaking into the other."""

    address = "arms"


class StoreError(InfrastructureError):
    """The run directory could not be written or read."""

    address = "store"
