"""Containers for trials: one protocol, two engines, and what keeps them clean."""

from harness.sandbox.protocol import (
    OPERATOR,
    OPERATOR_HOME,
    OPERATOR_UID,
    SESSION_PATH,
    WRITABLE_ROOTS,
    Engine,
    Limits,
    PlacedFile,
    Sandbox,
    SandboxSpec,
)
from harness.sandbox.select import choose

__all__ = [
    "OPERATOR",
    "OPERATOR_HOME",
    "OPERATOR_UID",
    "SESSION_PATH",
    "WRITABLE_ROOTS",
    "Engine",
    "Limits",
    "PlacedFile",
    "Sandbox",
    "SandboxSpec",
    "choose",
]
