"""Examines the two arms before the first container: that both live, are themselves, and leave each other alone."""

from harness.preflight.cards import CardsFinding, check_cards
from harness.preflight.contamination import Contamination, check_contamination
from harness.preflight.fingerprint import (
    FINGERPRINT,
    Fingerprint,
    read_fingerprint,
    take_fingerprint,
    write_fingerprint,
)
from harness.preflight.identity import check_adapter_identity, check_training_contract
from harness.preflight.liveness import Liveness, check_liveness
from harness.preflight.preflight import Preflight, preflight
from harness.preflight.prompts import CANARIES
from harness.preflight.recognition import Identity, IdentityFinding, check_identity
from harness.preflight.witness import Witness

__all__ = [
    "CANARIES",
    "FINGERPRINT",
    "CardsFinding",
    "Contamination",
    "Fingerprint",
    "Identity",
    "IdentityFinding",
    "Liveness",
    "Preflight",
    "Witness",
    "check_adapter_identity",
    "check_cards",
    "check_contamination",
    "check_identity",
    "check_liveness",
    "check_training_contract",
    "preflight",
    "read_fingerprint",
    "take_fingerprint",
    "write_fingerprint",
]
