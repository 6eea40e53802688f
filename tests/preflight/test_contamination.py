"""An arm that answers otherwise beside the other arm than alone is noticed, and where it helps they run apart."""

from __future__ import annotations

import pytest

from harness.endpoint import OpenAIEndpoint
from harness.errors import ArmsError
from harness.preflight import check_contamination
from harness.preflight.contrast import contrast, spread
from harness.values import Completion
from tests.preflight.conftest import Healthy
from tests.preflight.servers import bare, healthy, leaks_beside, leaks_for_ever, noisy, planted


def test_on_a_healthy_server_neither_arm_disturbs_the_other(endpoint: OpenAIEndpoint) -> None:
    found = check_contamination(endpoint, base="base", tuned="tuned")
    assert not found.contaminated
    assert not found.apart
    assert (found.rounds, found.replies) == (3, 36)
    assert found.apart_disagreements is None
    assert found.max_logprob_difference is not None
    assert found.max_logprob_difference < 1e-3


@pytest.mark.parametrize(("victim", "culprit"), [("base", "tuned"), ("tuned", "base")])
def test_an_arm_that_gets_the_others_weights_in_its_company_only_is_run_apart(
    healthy_server: Healthy, victim: str, culprit: str
) -> None:
    with planted(healthy_server.url, leaks_beside(victim, culprit)) as endpoint:
        found = check_contamination(endpoint, base="base", tuned="tuned")
    assert found.contaminated
    assert found.apart
    wrong = {"base": found.base_disagreements, "tuned": found.tuned_disagreements}
    assert wrong.pop(victim) > 0
    assert set(wrong.values()) == {0}
    assert f"{victim} replies changed" in found.verdict
    assert "they run one at a time" in found.verdict


def test_a_base_that_is_spoilt_for_ever_is_refused(healthy_server: Healthy) -> None:
    with (
        planted(healthy_server.url, leaks_for_ever) as endpoint,
        pytest.raises(ArmsError, match=r"18 of 18 base replies changed.*one arm at a time, too"),
    ):
        check_contamination(endpoint, base="base", tuned="tuned")


def test_noise_is_not_taken_for_contamination(healthy_server: Healthy) -> None:
    with planted(healthy_server.url, noisy(healthy, 0.05)) as endpoint:
        assert not check_contamination(endpoint, base="base", tuned="tuned").contaminated


def test_contamination_is_seen_through_noise(healthy_server: Healthy) -> None:
    with planted(healthy_server.url, noisy(leaks_beside("base", "tuned"), 0.02)) as endpoint:
        assert check_contamination(endpoint, base="base", tuned="tuned").apart


def test_words_alone_show_it_too(healthy_server: Healthy) -> None:
    with planted(healthy_server.url, bare(healthy)) as endpoint:
        assert not check_contamination(endpoint, base="base", tuned="tuned").contaminated
    with planted(healthy_server.url, bare(leaks_beside("base", "tuned"))) as endpoint:
        assert check_contamination(endpoint, base="base", tuned="tuned").apart


def _said(*tokens: tuple[int, float]) -> Completion:
    ids, logprobs = tuple(token for token, _ in tokens), tuple(logprob for _, logprob in tokens)
    return Completion(text="", finish_reason="length", model="m", completion_ids=ids, logprobs=logprobs, seconds=0.0)


def _replies(*seconds: tuple[int, float]) -> list[Completion]:
    return [_said((1, -0.5), second) for second in seconds]


def test_two_nearly_equal_words_that_change_places_are_noise_and_a_word_of_another_likelihood_is_not() -> None:
    alone = _replies((2, -0.7), (2, -0.7), (2, -0.7))
    quiet = spread(alone, [_replies((2, -0.71), (2, -0.7), (2, -0.7))])
    tie = spread(alone, [_replies((3, -0.71), (2, -0.7), (2, -0.7))])
    other = spread(alone, [_replies((3, -0.2), (2, -0.7), (2, -0.7))])
    assert tie.differing == other.differing == {0}
    assert tie.beyond(quiet) == ()
    assert [one.prompt for one in other.beyond(quiet)] == [0]


def test_many_words_that_change_places_are_no_noise_unless_they_do_so_in_the_control_too() -> None:
    alone = _replies((2, -0.7), (2, -0.7), (2, -0.7))
    quiet = spread(alone, [_replies((2, -0.71), (2, -0.7), (2, -0.7))])
    ties = spread(alone, [_replies((3, -0.71), (3, -0.71), (2, -0.7))])
    assert [one.prompt for one in ties.beyond(quiet)] == [0, 1]
    assert ties.beyond(ties) == ()


def test_nothing_after_the_first_other_word_is_compared() -> None:
    found = contrast(0, _said((1, -0.5), (2, -0.7), (4, -9.0)), _said((1, -0.5), (3, -0.7), (4, -0.1)))
    assert found.gap == 0.0
