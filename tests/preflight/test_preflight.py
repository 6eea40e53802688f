"""The whole examination: what it stops, what it only notes, and what a manifest keeps of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.endpoint import OpenAIEndpoint
from harness.errors import ArmsError
from harness.preflight import Fingerprint, Preflight, preflight
from tests.preflight.conftest import Healthy
from tests.preflight.servers import bare, healthy, ignores, leaks_beside, leaks_for_ever, planted, swaps


def _examined(
    endpoint: OpenAIEndpoint, fingerprint: Fingerprint | None = None, *, warn: bool = False, tuned: str = "tuned"
) -> Preflight:
    return preflight(
        endpoint,
        base="base",
        tuned=tuned,
        fingerprint=fingerprint,
        mode="warn" if warn else "block",
        scripted=False,
    )


def test_healthy_arms_pass_and_everything_found_survives_as_json(
    endpoint: OpenAIEndpoint, fingerprint: Fingerprint
) -> None:
    found = _examined(endpoint, fingerprint)
    assert found.blockers == ()
    assert not found.apart
    assert None not in (found.cards, found.liveness, found.identity, found.contamination)
    assert Preflight.model_validate_json(found.model_dump_json()) == found
    assert [(one.check, one.result) for one in found.findings()] == [
        ("cards", "ok"),
        ("identity", "ok"),
        ("liveness", "ok"),
        ("contamination", "ok"),
    ]


def test_without_a_fingerprint_the_cards_alone_say_which_arm_is_which(
    endpoint: OpenAIEndpoint, healthy_server: Healthy
) -> None:
    assert not any("rests on the names" in note for note in _examined(endpoint).notes)
    cards = [{"id": "base"}, {"id": "tuned"}]
    with planted(healthy_server.url, healthy, cards=cards) as plain:
        assert any("rests on the names" in note for note in _examined(plain).notes)


def test_swapped_arms_stop_the_run_or_block_promotion(healthy_server: Healthy, fingerprint: Fingerprint) -> None:
    with planted(healthy_server.url, swaps) as endpoint:
        with pytest.raises(ArmsError, match="swapped"):
            _examined(endpoint, fingerprint)
        found = _examined(endpoint, fingerprint, warn=True)
    assert any("swapped" in blocker for blocker in found.blockers)
    assert [one.check for one in found.findings() if one.result == "failed"] == ["identity"]


def test_a_dead_adapter_stops_the_run_or_blocks_promotion(healthy_server: Healthy) -> None:
    with planted(healthy_server.url, ignores) as endpoint:
        with pytest.raises(ArmsError, match="the adapter is ignored"):
            _examined(endpoint)
        assert any("the adapter is ignored" in blocker for blocker in _examined(endpoint, warn=True).blockers)


def test_arms_that_must_run_apart_are_no_blocker_and_arms_that_cannot_run_at_all_are(healthy_server: Healthy) -> None:
    with planted(healthy_server.url, leaks_beside("base", "tuned")) as endpoint:
        found = _examined(endpoint)
    assert found.apart
    assert found.blockers == ()
    with planted(healthy_server.url, leaks_for_ever) as endpoint:
        found = _examined(endpoint, warn=True)
    assert not found.apart
    assert len(found.blockers) == 1


def test_what_words_alone_cannot_show_is_said(healthy_server: Healthy) -> None:
    with planted(healthy_server.url, bare(healthy)) as endpoint:
        found = _examined(endpoint)
    assert found.blockers == ()
    assert any("only words were compared" in note for note in found.notes)


def test_a_scripted_endpoint_is_not_examined_and_an_examination_that_was_waived_blocks_promotion(
    endpoint: OpenAIEndpoint,
) -> None:
    scripted = preflight(endpoint, base="no", tuned="nobody", fingerprint=None, mode="block", scripted=True)
    assert scripted.blockers == ()
    assert scripted.liveness is None
    waived = preflight(endpoint, base="no", tuned="nobody", fingerprint=None, mode="off", scripted=False)
    assert [one.result for one in (*scripted.findings(), *waived.findings())] == ["unproven", "unproven"]
    assert waived.blockers == ("whether the arms are alive and themselves was not examined",)


CRAMPED = """
import resource, threading
import subprocess
import sys
from pathlib import Path
from harness.endpoint import OpenAIEndpoint
from harness.errors import InfrastructureError
from harness.preflight.witness import Witness

witness = Witness(OpenAIEndpoint("http://127.0.0.1:9"), base="base", tuned="tuned")
threading.stack_size(256 << 20)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (700 << 20), -1))
try:
    witness.in_turn()
except InfrastructureError as error:
    print(error)
"""


def test_where_no_further_thread_can_be_started_the_checks_end_with_the_cause() -> None:
    done = subprocess.run([sys.executable, "-c", CRAMPED], capture_output=True, text=True, check=True, timeout=120)
    assert "requests cannot be made at once" in done.stdout
