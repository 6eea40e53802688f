"""The public face: what a trainer, a notebook or a test imports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import (
    BadInputError,
    BundleError,
    CheckerError,
    EndpointError,
    EvalhError,
    ParityError,
    RenderError,
    SandboxError,
)
from harness.values import Arm, Message, Outcome, Role, Terminal, TrialRecord

if TYPE_CHECKING:
    from harness.store import read_manifest, read_session, read_trials

__all__ = [
    "Arm",
    "BadInputError",
    "BundleError",
    "CheckerError",
    "EndpointError",
    "EvalhError",
    "Message",
    "Outcome",
    "ParityError",
    "RenderError",
    "Role",
    "SandboxError",
    "Terminal",
    "TrialRecord",
    "read_manifest",
    "read_session",
    "read_trials",
]


def __getattr__(name: str) -> object:
    """The readers of run directories, imported when one is asked for: the command line starts without them."""
    if not name.startswith("read_") or name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from harness import store

    return getattr(store, name)
