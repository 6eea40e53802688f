"""Interoperation: foreign tasks read as bundles, and bundles written as foreign tasks; nothing is run."""

from scenarios.interop.draft import Draft, DraftFile, place
from scenarios.interop.findings import RefusedError
from scenarios.interop.harbor_export import export_harbor
from scenarios.interop.harbor_import import harbor_tasks, read_harbor
from scenarios.interop.posix_sdc import read_posix_sdc

__all__ = [
    "Draft",
    "DraftFile",
    "RefusedError",
    "export_harbor",
    "harbor_tasks",
    "place",
    "read_harbor",
    "read_posix_sdc",
]
