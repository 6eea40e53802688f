"""An adapter that is not applied is noticed; one that is applied, however weakly, is left alone."""

from __future__ import annotations

import pytest

from harness.endpoint import OpenAIEndpoint
from harness.errors import ArmsError, BadInputError
from harness.preflight import check_liveness
from tests.preflight.conftest import Healthy
from tests.preflight.servers import bare, healthy, ignores, noisy, planted


def test_an_adapter_that_changes_the_replies_is_alive(endpoint: OpenAIEndpoint) -> None:
    found = check_liveness(endpoint, base="base", tuned="tuned")
    assert found.alive
    assert found.level == "logprobs"
    assert found.differing == found.prompts == 6
    assert found.noise is not None
    assert found.max_logprob_difference is not None
    assert found.max_logprob_difference > 1000 * found.noise


def test_an_adapter_that_changes_no_word_but_its_log_probabilities_is_alive(endpoint: OpenAIEndpoint) -> None:
    found = check_liveness(endpoint, base="base", tuned="weak")
    assert found.alive
    assert found.differing == 0


def test_an_adapter_that_changes_nothing_stops_the_run(endpoint: OpenAIEndpoint) -> None:
    with pytest.raises(ArmsError, match=r"answers exactly as the base on 6 prompts.*the adapter is ignored"):
        check_liveness(endpoint, base="base", tuned="dead")


def test_a_server_that_ignores_the_adapter_stops_the_run(healthy_server: Healthy) -> None:
    with (
        planted(healthy_server.url, ignores) as endpoint,
        pytest.raises(ArmsError, match="answers exactly as the base"),
    ):
        check_liveness(endpoint, base="base", tuned="tuned")


def test_noise_is_not_taken_for_life(healthy_server: Healthy) -> None:
    with (
        planted(healthy_server.url, noisy(ignores, 0.05)) as endpoint,
        pytest.raises(ArmsError, match=r"by no more than noise explains.*the base differs from itself by 0\.0"),
    ):
        check_liveness(endpoint, base="base", tuned="tuned")


def test_life_is_seen_through_noise(healthy_server: Healthy) -> None:
    with planted(healthy_server.url, noisy(healthy, 0.05)) as endpoint:
        found = check_liveness(endpoint, base="base", tuned="tuned")
    assert found.noise is not None
    assert found.noise > 0.01


def test_without_log_probabilities_words_decide_and_a_weak_adapter_cannot_be_told_from_a_dead_one(
    healthy_server: Healthy,
) -> None:
    with planted(healthy_server.url, bare(healthy)) as endpoint:
        found = check_liveness(endpoint, base="base", tuned="tuned")
        assert (found.level, found.max_logprob_difference, found.noise) == ("text", None, None)
        with pytest.raises(ArmsError, match="no log-probabilities: the adapter is ignored, or too weak to show"):
            check_liveness(endpoint, base="base", tuned="weak")


def test_a_name_that_is_not_served_is_bad_input(endpoint: OpenAIEndpoint) -> None:
    with pytest.raises(BadInputError, match="does not serve absent"):
        check_liveness(endpoint, base="base", tuned="absent")
