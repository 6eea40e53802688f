"""A model under watch: every prompt compared, a difference stops the run or is recorded, a trial's turns add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.endpoint import OpenAIEndpoint
from harness.errors import ParityError
from harness.parity.compare import stop_difference
from harness.parity.contract import LocalContract
from harness.parity.tally import tally
from harness.parity.view import ServerView
from harness.parity.watch import Replier, watched
from harness.values import Completion, Message, ParityLevel, PromptParity, Role, Turn
from tests.parity.faults import PLANTED
from tests.parity.served import Served
from tests.render.kinds import CHATML
from tests.tiny_model import make_tiny_tokenizer

LANDING = (Message(role=Role.USER, content="You operate a shell.\n\nWelcome.\n$ "),)
FOLDING = PLANTED["folds with one newline"].fault


@dataclass(frozen=True)
class Asked:
    """The base of an endpoint, as a session asks it."""

    endpoint: OpenAIEndpoint

    def reply(self, messages: Sequence[Message], *, seed: int, max_tokens: int) -> Completion:
        return self.endpoint.complete(messages, model="base", seed=seed, temperature=0.0, max_tokens=max_tokens)


def said(model: Replier) -> Completion:
    return model.reply(LANDING, seed=0, max_tokens=2)


def test_a_healthy_prompt_is_recorded_as_agreeing(served: Served) -> None:
    with served.wearing(CHATML) as contract, OpenAIEndpoint(served.url) as endpoint:
        model = watched(Asked(endpoint), contract, ServerView(endpoint, "base"), mode="block")
        assert said(model).parity == PromptParity(level=ParityLevel.REPLY_IDS, agrees=True)


def test_a_difference_stops_the_run_with_everything_that_a_person_needs(served: Served) -> None:
    with served.wearing(CHATML, FOLDING) as contract, OpenAIEndpoint(served.url) as endpoint:
        model = watched(Asked(endpoint), contract, ServerView(endpoint, "base"), mode="block")
        with pytest.raises(ParityError) as caught:
            said(model)
    message = caught.value.message
    assert message.startswith(f"base at {served.url}: the prompts differ from token")
    assert "shell.\\n\\nWelcome" in message
    assert "shell.\\nWelcome" in message
    assert "(fold_one_newline)" in message
    assert f"(template of tiny, {contract.digest})" in message
    assert "evalh parity" in caught.value.hint
    assert "\n" not in message


def test_a_warning_goes_on_and_records_the_difference(served: Served) -> None:
    with served.wearing(CHATML, FOLDING) as contract, OpenAIEndpoint(served.url) as endpoint:
        completion = said(watched(Asked(endpoint), contract, ServerView(endpoint, "base"), mode="warn"))
    assert completion.parity is not None
    assert completion.parity.agrees is False
    assert "(fold_one_newline)" in completion.parity.difference


def test_off_leaves_the_model_as_it_is(served: Served) -> None:
    with OpenAIEndpoint(served.url) as endpoint:
        asked = Asked(endpoint)
        assert watched(asked, served.contract(), ServerView(endpoint, "base"), mode="off") is asked


def test_without_a_tokenizer_every_prompt_is_recorded_as_not_compared(served: Served) -> None:
    with OpenAIEndpoint(served.url) as endpoint:
        completion = said(watched(Asked(endpoint), None, ServerView(endpoint, "base"), mode="block"))
    assert completion.parity == PromptParity(level=ParityLevel.NONE, agrees=None)


def completion(prompt: Sequence[int] = (), ids: Sequence[int] = (), **fields: object) -> Completion:
    made = Completion(
        text="x", finish_reason="stop", model="m", seconds=0.0, prompt_ids=tuple(prompt), completion_ids=tuple(ids)
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def test_only_the_end_token_of_training_may_end_a_reply(served: Served) -> None:
    contract = served.contract(CHATML)
    end, own, other = contract.end_id, served.tokenizer.eos_token_id, 40
    assert end is not None
    assert end != own
    assert stop_difference(contract, completion(ids=(5, end))) is None
    assert stop_difference(contract, completion(ids=(5, own))) is None  # the checkpoint's own end of sequence
    assert stop_difference(contract, completion(ids=(5, 6), finish_reason="length")) is None
    assert stop_difference(contract, completion(ids=(5, 6), completion_tokens=3)) is None  # the end is not listed
    assert stop_difference(contract, replace(completion(), completion_ids=None)) is None
    went_on = stop_difference(contract, completion(ids=(5, end, 6), finish_reason="length"))
    assert went_on is not None
    assert "went on after the token that ends a turn in training (<|im_end|>" in went_on
    ended = stop_difference(contract, completion(ids=(5, other)))
    assert ended is not None
    assert "but training ends a turn with <|im_end|>" in ended


def test_a_reply_that_runs_past_its_end_stops_the_run(served: Served) -> None:
    @dataclass(frozen=True)
    class RunningOn:
        asked: Asked

        def reply(self, messages: Sequence[Message], *, seed: int, max_tokens: int) -> Completion:
            end = served.contract(CHATML).end_id or 0
            return replace(self.asked.reply(messages, seed=seed, max_tokens=max_tokens), completion_ids=(end, end, 5))

    with served.wearing(CHATML) as contract, OpenAIEndpoint(served.url) as endpoint:
        model = watched(RunningOn(Asked(endpoint)), contract, ServerView(endpoint, "base"), mode="block")
        with pytest.raises(ParityError, match="not one of its stop tokens"):
            said(model)


def turn(index: int, made: Completion, parity: PromptParity | None) -> Turn:
    return Turn(index=index, completion=replace(made, parity=parity))


def test_a_trials_turns_add_up() -> None:
    good = PromptParity(level=ParityLevel.REPLY_IDS, agrees=True)
    bad = PromptParity(level=ParityLevel.TOKENIZE, agrees=False, difference="first")
    unseen = PromptParity(level=ParityLevel.NONE, agrees=None)
    turns = [
        turn(1, completion((1, 2), (3, 9)), good),
        turn(2, completion((1, 2, 3, 9, 4), (5, 6, 9)), good),  # its reply comes back as 5, 7, 9
        turn(3, completion((1, 2, 3, 9, 4, 5, 7, 9, 8), (9,)), bad),
        turn(4, replace(completion(), prompt_ids=None), replace(bad, difference="second")),
    ]
    made = tally(turns)
    assert made is not None
    assert (made.level, made.prompts, made.agreed, made.differed) == (ParityLevel.TOKENIZE, 4, 2, 2)
    assert (made.rejoined, made.first_difference) == (1, "first")
    last = tally([*turns, turn(5, completion(), unseen)])
    assert last is not None
    assert (last.level, last.prompts - last.agreed - last.differed) == (ParityLevel.NONE, 1)


def test_where_nothing_was_looked_at_there_is_no_tally() -> None:
    assert tally([]) is None
    assert tally([turn(1, completion(), None)]) is None


def test_an_end_that_the_checkpoint_itself_states_is_no_difference(tmp_path: Path) -> None:
    make_tiny_tokenizer(tmp_path)
    stated = LocalContract.load(tmp_path)
    other = next(token for token in range(3) if token not in stated.own_ends)
    assert stop_difference(stated, completion(ids=(5, other))) is not None
    (tmp_path / "generation_config.json").write_text(f'{{"eos_token_id": [{other}, {stated.end_id}]}}')
    assert stop_difference(LocalContract.load(tmp_path), completion(ids=(5, other))) is None
