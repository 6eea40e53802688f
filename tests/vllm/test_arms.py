"""On a real vLLM dead, swapped and mixed-up arms are found, and healthy ones are left in peace."""

from __future__ import annotations

import pytest

from harness.cli.fingerprint import load_arms
from harness.endpoint import OpenAIEndpoint, VllmServer, read_adapter
from harness.errors import ArmsError
from harness.preflight import Contamination, check_contamination, check_liveness, preflight, take_fingerprint
from harness.preflight.fingerprint import Fingerprint
from harness.tokenizer import load_tokenizer
from tests.vllm.conftest import Held, Tiny

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def fingerprint(tiny: Tiny) -> Fingerprint:
    """Taken by peft, without a server."""
    return take_fingerprint(
        load_arms(tiny.base, tiny.tuned),
        load_tokenizer(tiny.base),
        adapter_digest=read_adapter(tiny.tuned).digest,
        base_digest="sha256:0",
    )


def contamination(url: str) -> Contamination:
    with OpenAIEndpoint(url) as endpoint:
        return check_contamination(endpoint, base="base", tuned="tuned")


def test_healthy_arms_pass_every_check(roomy: VllmServer, fingerprint: Fingerprint) -> None:
    with OpenAIEndpoint(roomy.url) as endpoint:
        found = preflight(
            endpoint, base="base", tuned="tuned", fingerprint=fingerprint, mode="block", scripted=False, rounds=6
        )
    assert found.blockers == ()
    assert not found.apart
    assert found.liveness is not None
    assert found.liveness.alive
    assert found.contamination is not None
    assert not found.contamination.contaminated
    assert found.contamination.replies >= 60


def test_arms_under_each_others_names_are_found(roomy: VllmServer, fingerprint: Fingerprint) -> None:
    with OpenAIEndpoint(roomy.url) as endpoint, pytest.raises(ArmsError, match=r"swapped|parent"):
        preflight(endpoint, base="tuned", tuned="base", fingerprint=fingerprint, mode="block", scripted=False)


def test_an_adapter_that_no_module_answers_to_is_found(roomy: VllmServer) -> None:
    with OpenAIEndpoint(roomy.url) as endpoint:
        assert check_liveness(endpoint, base="base", tuned="tuned").alive
        with pytest.raises(ArmsError, match=r"answers exactly as the base on .* the adapter is ignored"):
            check_liveness(endpoint, base="base", tuned="lost")


def test_with_as_many_slots_as_adapters_the_base_is_contaminated_and_that_is_found(crowded: Held) -> None:
    found = contamination(crowded.url)
    assert found.contaminated
    assert found.base_disagreements > 0
    assert found.tuned_disagreements == 0
    assert found.apart


def test_with_one_slot_more_it_is_not(roomy: VllmServer) -> None:
    found = contamination(roomy.url)
    assert not found.contaminated
    assert found.base_disagreements == found.tuned_disagreements == 0
