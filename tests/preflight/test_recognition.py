"""A fingerprint tells which arm is which, whatever names they are served under."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.endpoint import OpenAIEndpoint, web
from harness.endpoint.resident.app import make_resident_app
from harness.endpoint.resident.options import ServeOptions
from harness.endpoint.resident.service import Service
from harness.errors import ArmsError, BadInputError
from harness.preflight import (
    Fingerprint,
    Identity,
    IdentityFinding,
    Witness,
    check_identity,
    read_fingerprint,
    write_fingerprint,
)
from tests.endpoint.rooms import working
from tests.preflight.conftest import Healthy, fingerprint_of
from tests.preflight.servers import Plan, bare, ignores, merges, noisy, planted, serves_another, swaps


def _identify(endpoint: OpenAIEndpoint, fingerprint: Fingerprint, tuned: str = "tuned") -> IdentityFinding:
    witness = Witness(endpoint, base="base", tuned=tuned)
    return check_identity(fingerprint, witness.base, witness.tuned)


def test_the_arms_that_were_trained_are_recognised(endpoint: OpenAIEndpoint, fingerprint: Fingerprint) -> None:
    found = _identify(endpoint, fingerprint)
    assert found.identity is Identity.MATCHES
    assert found.prompts == 6
    assert found.base is not None
    assert found.base.base < 1e-4 < found.base.tuned


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (swaps, "the arms are swapped"),
        (noisy(swaps, 0.05), "the arms are swapped"),
        (bare(swaps), "the arms are swapped"),
        (ignores, "the tuned arm is the base: the adapter is ignored"),
        (merges, "the base arm is the tuned model"),
        (serves_another, "the tuned arm is neither the base nor the adapter"),
    ],
    ids=["swapped", "swapped in noise", "swapped in words alone", "ignored", "merged", "another adapter"],
)
def test_arms_that_are_not_what_their_names_say_stop_the_run(
    healthy_server: Healthy, fingerprint: Fingerprint, plan: Plan, words: str
) -> None:
    with planted(healthy_server.url, plan) as endpoint, pytest.raises(ArmsError, match=words):
        _identify(endpoint, fingerprint)


def test_a_weak_adapter_is_told_from_its_base_by_log_probabilities_and_not_by_words(healthy_server: Healthy) -> None:
    weak = fingerprint_of(healthy_server.base, healthy_server.adapters["weak"])
    assert all(one.base.ids == one.tuned.ids for one in weak.canaries)
    with OpenAIEndpoint(healthy_server.url) as endpoint:
        assert _identify(endpoint, weak, "weak").identity is Identity.MATCHES
    with planted(healthy_server.url, bare(ignores)) as endpoint:
        assert _identify(endpoint, weak, "weak").identity is Identity.UNPROVEN


def test_another_dtype_is_still_the_same_model(healthy_server: Healthy, fingerprint: Fingerprint) -> None:
    with working(healthy_server.base, dtype="bfloat16") as worker:
        service = Service(worker, ServeOptions(base=healthy_server.base))
        service.add_adapter("tuned", healthy_server.adapters["tuned"])
        with web.in_thread(make_resident_app(service)) as url, OpenAIEndpoint(url) as endpoint:
            found = _identify(endpoint, fingerprint)
    assert found.identity is Identity.MATCHES
    assert found.base is not None
    assert found.base.base > 1e-4


def test_canaries_that_are_read_otherwise_than_at_training_prove_nothing(
    endpoint: OpenAIEndpoint, fingerprint: Fingerprint
) -> None:
    canaries = [one.model_copy(update={"prompt_ids": (1, *one.prompt_ids)}) for one in fingerprint.canaries]
    other = fingerprint.model_copy(update={"canaries": tuple(canaries)})
    assert _identify(endpoint, other).identity is Identity.UNPROVEN


def test_a_fingerprint_is_read_as_it_was_written(fingerprint: Fingerprint, tmp_path: Path) -> None:
    assert read_fingerprint(tmp_path) is None
    write_fingerprint(tmp_path, fingerprint)
    assert [path.name for path in tmp_path.iterdir()] == ["fingerprint.json"]
    assert read_fingerprint(tmp_path, adapter_digest=fingerprint.adapter_digest) == fingerprint


def test_a_fingerprint_of_another_adapter_or_a_damaged_one_is_refused(fingerprint: Fingerprint, tmp_path: Path) -> None:
    path = write_fingerprint(tmp_path, fingerprint)
    with pytest.raises(BadInputError, match="was taken of another adapter"):
        read_fingerprint(tmp_path, adapter_digest="sha256:1")
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(BadInputError, match=r"fingerprint.json: version: "):
        read_fingerprint(tmp_path)
    path.write_text("{")
    with pytest.raises(BadInputError, match="it is not JSON"):
        read_fingerprint(tmp_path)


def test_taking_a_fingerprint_leaves_the_model_as_it_was(healthy_server: Healthy) -> None:
    from harness.cli.fingerprint import load_arms
    from harness.preflight import take_fingerprint
    from harness.tokenizer import load_tokenizer

    model = load_arms(healthy_server.base, healthy_server.adapters["tuned"])
    model.train()
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    tokenizer = load_tokenizer(healthy_server.base)
    taken = [take_fingerprint(model, tokenizer, adapter_digest="sha256:1", base_digest=None) for _ in range(2)]
    assert taken[0] == taken[1]
    assert all(module.training for module in model.modules())
    assert model.active_adapters == ["default"]
    assert all(parameter.equal(before[name]) for name, parameter in model.named_parameters())
