"""The resident server's parts: text as it grows, samples as they are drawn, kept prefixes within their bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.endpoint.resident.prefixes import Kept, PrefixStore
from harness.endpoint.resident.sampling import NonFiniteLogitsError, Sampling, choose
from harness.endpoint.resident.text import TextStream
from harness.endpoint.resident.worker import Worker
from tests.endpoint.rooms import ask, working


def decode(ids: Sequence[int]) -> str:
    """A tokenizer of single bytes: characters of several bytes come in pieces."""
    return bytes(ids).decode("utf-8", "replace")


@given(st.text(), st.lists(st.text(min_size=1, max_size=4), max_size=3))
def test_a_stream_joined_is_the_text_before_the_first_stop(text: str, stops: list[str]) -> None:
    stream = TextStream(decode, stops)
    given_out = ""
    for token in text.encode():
        given_out += stream.push(token)
        assert "\ufffd" not in given_out.replace("\ufffd", "", text.count("\ufffd"))
        if stream.stopped_by is not None:
            break
    given_out += stream.finish()
    assert given_out == stream.text
    cut = min((text.find(stop) for stop in stops if stop in text), default=len(text))
    if "\ufffd" not in text:
        assert given_out == text[:cut]
        assert (stream.stopped_by is not None) == any(stop in text for stop in stops)


@given(st.lists(st.integers(0, 255), max_size=40))
def test_bytes_that_are_no_text_are_replaced_and_never_lost_track_of(ids: list[int]) -> None:
    stream = TextStream(decode)
    joined = "".join(stream.push(token) for token in ids) + stream.finish()
    assert joined == stream.text
    assert joined.replace("\ufffd", "") == decode(ids).replace("\ufffd", "")


def test_what_may_begin_a_stop_is_held_back_until_it_is_decided() -> None:
    stream = TextStream(decode, ["END"])
    assert [stream.push(token) for token in b"aENbEND"] == ["a", "", "", "ENb", "", "", ""]
    assert stream.text == "aENb"
    assert stream.stopped_by == "END"


def draws(logits: list[float], count: int = 3000, **how: float) -> Counter[int]:
    sampling = Sampling(**how)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    return Counter(choose(torch.tensor(logits), sampling, generator).token for _ in range(count))


def test_samples_follow_the_distribution() -> None:
    logits = [float(x) for x in np.log([0.5, 0.3, 0.15, 0.05])]
    for temperature in (1.0, 0.5, 2.0):
        weights = np.array([0.5, 0.3, 0.15, 0.05]) ** (1 / temperature)
        counts = draws(logits, temperature=temperature)
        assert [counts[i] / 3000 for i in range(4)] == pytest.approx(weights / weights.sum(), abs=0.03)


def test_top_p_and_top_k_leave_out_the_unlikely() -> None:
    logits = [float(x) for x in np.log([0.05, 0.5, 0.15, 0.3])]
    assert set(draws(logits, top_p=0.75)) == {1, 3}
    assert set(draws(logits, top_p=0.81)) == {1, 2, 3}
    assert set(draws(logits, top_p=1e-9)) == {1}
    assert set(draws(logits, top_k=2)) == {1, 3}
    assert set(draws(logits, top_k=10)) == {0, 1, 2, 3}
    assert set(draws(logits, temperature=0.0)) == {1}


def test_impossible_tokens_are_never_drawn_and_broken_logits_are_an_error() -> None:
    assert set(draws([float("-inf"), 0.0, float("-inf"), 0.0])) == {1, 3}
    for broken in ([float("nan"), 0.0], [float("inf"), 0.0], [float("-inf")] * 2):
        with pytest.raises(NonFiniteLogitsError):
            draws(broken, count=1)


def test_logprobs_are_the_models_own_whatever_the_temperature() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0])
    generator = torch.Generator().manual_seed(1)
    chosen = choose(logits, Sampling(temperature=1.7, top_k=2, logprobs=2), generator)
    expected = torch.log_softmax(logits, dim=-1)
    assert chosen.logprob == pytest.approx(float(expected[chosen.token]))
    assert [token for token, _ in chosen.top] == [2, 1]
    assert [logprob for _, logprob in chosen.top] == pytest.approx([float(expected[2]), float(expected[1])])


def kept(ids: Sequence[int], adapter: str = "a") -> Kept:
    tensor = torch.zeros((2, len(ids), 4))
    return Kept(adapter=adapter, ids=np.asarray(ids, dtype=np.int64), layers=((tensor, tensor),))


PER_TOKEN = 2 * 2 * 4 * 4  # keys and values, heads, dim, bytes


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.lists(st.integers(0, 1), min_size=1, max_size=40)), max_size=30))
def test_the_store_stays_within_its_bound_and_finds_only_what_is_there(entries: list[tuple[str, list[int]]]) -> None:
    limit = 60 * PER_TOKEN
    store = PrefixStore(limit)
    for adapter, ids in entries:
        length, found = store.longest(adapter, ids)
        assert length < len(ids)
        if found is not None:
            assert found.adapter == adapter
            assert list(found.ids[:length]) == ids[:length]
        store.put(kept(ids, adapter))
        assert store.bytes <= limit
        assert store.bytes == sum(entry.bytes for entry in store._kept.values())


def test_a_longer_history_takes_the_place_of_its_own_beginning() -> None:
    store = PrefixStore(10**6)
    store.put(kept(range(20)))
    store.put(kept(range(30)))
    assert len(store._kept) == 1
    assert store.longest("a", range(40))[0] == 30
    assert store.longest("a", range(30))[0] == 29  # the last token must be computed for its logits
    assert store.longest("b", range(40)) == (0, None)
    store.forget("a")
    assert (store.bytes, store.longest("a", range(40))) == (0, (0, None))


def peak_rows(worker: Worker, prompts: int, length: int) -> int:
    """The most rows that were in the batch at once."""
    seen: list[int] = []
    batch = worker._lanes[""]
    step = batch.step

    def watched() -> None:
        seen.append(len(batch.rows))
        step()

    batch.step = watched  # type: ignore[method-assign]
    asked = [ask(worker, [40 + i] * length, max_tokens=10) for i in range(prompts)]
    for one in asked:
        assert len(one.ids()) == 10
    batch.step = step  # type: ignore[method-assign]
    return max(seen)


def test_rows_wait_when_the_batch_has_no_room_for_all_that_they_may_become(tiny_base: Path) -> None:
    bytes_per_token = 2 * 2 * 2 * 16 * 4  # layers, keys and values, heads, dim, float32
    with working(tiny_base, kv_cache_bytes=3 * 60 * bytes_per_token) as worker:
        assert peak_rows(worker, prompts=8, length=50) == 3
        assert peak_rows(worker, prompts=8, length=20) == 6
        assert peak_rows(worker, prompts=2, length=500) == 1


def test_one_at_a_time_means_one(tiny_base: Path) -> None:
    with working(tiny_base, max_batch=1) as worker:
        assert peak_rows(worker, prompts=5, length=20) == 1


def test_buffers_that_grew_for_one_long_prompt_are_given_back(tiny_base: Path) -> None:
    with working(tiny_base) as worker:
        ask(worker, [40] * 1900, max_tokens=2).ids()
        ask(worker, [40] * 20, max_tokens=2).ids()
        columns = worker._lanes[""]._slots.cache.layers[0].keys.shape[2]
        assert columns < 600
