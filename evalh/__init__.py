"""The public face: what a trainer, a notebook or a test imports."""

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
from harness.store import read_manifest, read_session, read_trials
from harness.values import Arm, Message, Outcome, Role, Terminal, TrialRecord

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
