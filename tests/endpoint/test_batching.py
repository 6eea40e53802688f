"""The running batch: a row's reply is its own, whoever else is computed beside it."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from harness.endpoint.resident.adapters import BASE
from harness.endpoint.resident.sampling import Sampling
from harness.endpoint.resident.worker import Worker
from tests.endpoint.rooms import Asked, ask, solo, working
from tests.tiny_model import make_tiny_adapter, make_tiny_llama


@dataclass(frozen=True)
class Bench:
    """A worker with the base and two adapters, and the same models alone."""

    worker: Worker
    keys: tuple[str, ...]
    alone: dict[str, Any]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    place = tmp_path_factory.mktemp("models")
    base = make_tiny_llama(place / "base")
    paths = [make_tiny_adapter(place / f"adapter{seed}", base, seed=seed) for seed in (1, 2)]
    with working(base) as worker:
        keys = (BASE, *(worker.load_adapter(path).result() for path in paths))
        alone = {BASE: AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)}
        for key, path in zip(keys[1:], paths, strict=True):
            fresh = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # peft reads a name that transformers renamed
                alone[key] = PeftModel.from_pretrained(fresh, path).eval()
        yield Bench(worker, keys, alone)


def prompts(count: int, *, seed: int = 0, longest: int = 90) -> list[list[int]]:
    drawn = random.Random(seed)  # noqa: S311 - test data
    return [[drawn.randrange(10, 480) for _ in range(drawn.randint(1, longest))] for _ in range(count)]


def test_mixed_rows_of_base_and_adapters_say_what_each_says_alone(bench: Bench) -> None:
    wanted = [(key, prompt) for prompt in prompts(9) for key in bench.keys]
    asked = [ask(bench.worker, prompt, adapter=key) for key, prompt in wanted]
    for (key, prompt), one in zip(wanted, asked, strict=True):
        assert one.ids() == solo(bench.alone[key], prompt)


def test_base_answers_beside_adapter_requests_are_the_bases_own(bench: Bench) -> None:
    lonely = [
        ask(bench.worker, prompt, sampling=Sampling(temperature=0.0, logprobs=0)) for prompt in prompts(6, seed=3)
    ]
    before = [[(p.chosen.token, p.chosen.logprob) for p in one.pieces()] for one in lonely]
    crowd = [ask(bench.worker, prompt, adapter=bench.keys[1 + i % 2]) for i, prompt in enumerate(prompts(6, seed=4))]
    beside = [
        ask(bench.worker, prompt, sampling=Sampling(temperature=0.0, logprobs=0)) for prompt in prompts(6, seed=3)
    ]
    for one in crowd:
        one.ids()
    for told, now in zip(before, beside, strict=True):
        assert [token for token, _ in told] == now.ids()
        assert [logprob for _, logprob in told] == pytest.approx([p.chosen.logprob for p in now.pieces()], abs=1e-4)


def test_adapters_differ_from_the_base_and_from_each_other(bench: Bench) -> None:
    prompt = prompts(1, seed=5)[0]
    said = {tuple(ask(bench.worker, prompt, adapter=key).ids()) for key in bench.keys}
    assert len(said) == 3


def test_more_requests_than_places_are_all_served_in_the_end(bench: Bench) -> None:
    many = prompts(40, seed=6, longest=30)
    asked = [ask(bench.worker, prompt, max_tokens=1 + i % 7) for i, prompt in enumerate(many)]
    assert [len(one.ids()) for one in asked] == [1 + i % 7 for i in range(40)]


def test_a_long_prompt_joins_and_leaves_while_short_ones_run(bench: Bench) -> None:
    short = [ask(bench.worker, prompt, max_tokens=40) for prompt in prompts(4, seed=7, longest=12)]
    long = prompts(1, seed=8, longest=2)[0] * 500
    one = ask(bench.worker, long, max_tokens=5)
    late = ask(bench.worker, prompts(1, seed=9)[0], max_tokens=60)
    assert one.ids() == solo(bench.alone[BASE], long, max_tokens=5)
    for prompt, other in zip(prompts(4, seed=7, longest=12), short, strict=True):
        assert other.ids() == solo(bench.alone[BASE], prompt, max_tokens=40)
    assert late.ids() == solo(bench.alone[BASE], prompts(1, seed=9)[0], max_tokens=60)


def test_a_prompt_longer_than_one_chunk_reads_as_in_one_pass(bench: Bench) -> None:
    long = [10 + i * 7 % 470 for i in range(1500)]
    assert ask(bench.worker, long, max_tokens=8).ids() == solo(bench.alone[BASE], long, max_tokens=8)


def test_the_next_turn_of_a_session_computes_only_its_new_tokens(bench: Bench) -> None:
    for key in bench.keys:
        history = prompts(1, seed=10, longest=60)[0] + [1] * 20
        for turn in range(4):
            one = ask(bench.worker, history, adapter=key)
            reply = one.ids()
            assert reply == solo(bench.alone[key], history)
            if turn:
                assert one.reused() >= len(history) - 6 - 16  # all but the observation and the reply's last token
            history = history + reply + [20 + turn] * 5


def test_a_history_that_changed_in_the_middle_is_not_taken_for_the_old_one(bench: Bench) -> None:
    history = prompts(1, seed=11, longest=4)[0] * 20
    ask(bench.worker, history).ids()
    changed = [*history[:-30], 77, *history[-29:]]
    one = ask(bench.worker, changed)
    assert one.ids() == solo(bench.alone[BASE], changed)
    assert one.reused() <= len(history) - 30


def test_a_kept_history_of_one_adapter_never_serves_another(bench: Bench) -> None:
    history = prompts(1, seed=12, longest=4)[0] * 30
    ask(bench.worker, history, adapter=bench.keys[1]).ids()
    other = ask(bench.worker, history, adapter=bench.keys[2])
    assert other.reused() == 0
    assert other.ids() == solo(bench.alone[bench.keys[2]], history)


def sampled(bench: Bench, seed: int | None, *, beside: int = 0) -> list[int]:
    crowd: list[Asked] = [ask(bench.worker, prompt, adapter=bench.keys[1]) for prompt in prompts(beside, seed=13)]
    one = ask(bench.worker, [30, 40, 50], sampling=Sampling(temperature=0.9, top_p=0.95, seed=seed), max_tokens=20)
    ids = one.ids()
    for other in crowd:
        other.ids()
    return ids


def test_a_seed_decides_a_sample_whoever_is_beside(bench: Bench) -> None:
    first = sampled(bench, 5)
    assert sampled(bench, 5) == first
    assert sampled(bench, 5, beside=9) == first
    assert sampled(bench, 6) != first
    assert sampled(bench, None) != sampled(bench, None)


def test_a_row_that_nobody_waits_for_leaves_and_the_rest_goes_on(bench: Bench) -> None:
    gone = ask(bench.worker, [30, 40], max_tokens=1500)
    stays = ask(bench.worker, [30, 40, 50], max_tokens=40)
    assert gone.job is not None
    gone.job.given_up.set()
    assert stays.ids() == solo(bench.alone[BASE], [30, 40, 50], max_tokens=40)
    assert ask(bench.worker, [60]).ids() == solo(bench.alone[BASE], [60])
    assert not gone.done.is_set()


def test_nan_in_one_adapter_breaks_its_rows_and_no_others(bench: Bench, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    source = make_tiny_adapter(tmp_path / "bad", bench.worker._options.base, seed=9)
    tensors = load_file(source / "adapter_model.safetensors")
    save_file(
        {name: torch.full_like(t, float("nan")) for name, t in tensors.items()}, source / "adapter_model.safetensors"
    )
    key = bench.worker.load_adapter(source).result()
    bad = [ask(bench.worker, [30 + i, 40], adapter=key) for i in range(3)]
    good = [ask(bench.worker, prompt) for prompt in prompts(5, seed=14)]
    for one in bad:
        assert "not finite" in one.broken().message
    for prompt, one in zip(prompts(5, seed=14), good, strict=True):
        assert one.ids() == solo(bench.alone[BASE], prompt)
    bench.worker.unload_adapter(key).result()


def test_unloading_ends_what_still_runs_on_it_and_leaves_the_rest(bench: Bench, tmp_path: Path) -> None:
    key = bench.worker.load_adapter(make_tiny_adapter(tmp_path / "extra", bench.worker._options.base, seed=5)).result()
    running = ask(bench.worker, [30, 40], adapter=key, max_tokens=1500)
    other = ask(bench.worker, [50, 60], max_tokens=30)
    bench.worker.unload_adapter(key).result()
    assert "unloaded" in running.broken().message
    assert other.ids() == solo(bench.alone[BASE], [50, 60], max_tokens=30)
    assert "unloaded" in ask(bench.worker, [30, 40], adapter=key).broken().message


def test_a_failure_in_a_pass_ends_its_rows_and_the_worker_goes_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_kwargs: object) -> None:
        raise MemoryError

    module = bench.alone[BASE]  # only to name the type
    running = bench.worker._adapters.model
    assert type(running) is type(module)
    with monkeypatch.context() as patched:
        patched.setattr(running, "forward", fail)
        hit = [ask(bench.worker, [30, 40 + i]) for i in range(3)]
        for one in hit:
            assert "out of memory" in one.broken().message
    assert ask(bench.worker, [30, 40]).ids() == solo(bench.alone[BASE], [30, 40])


def test_a_failure_while_others_decode_reaches_only_the_rows_of_that_pass(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison = 333
    real = bench.worker._adapters.model.forward

    def fail_on_poison(*args: Any, **kwargs: Any) -> Any:
        if (kwargs["input_ids"] == poison).any() and kwargs["input_ids"].shape[1] > 1:
            raise RuntimeError("poisoned")
        return real(*args, **kwargs)

    monkeypatch.setattr(bench.worker._adapters.model, "forward", fail_on_poison)
    fine = [ask(bench.worker, prompt, max_tokens=60) for prompt in prompts(3, seed=15, longest=20)]
    bad = ask(bench.worker, [poison] * 40)
    assert "poisoned" in bad.broken().message
    for prompt, one in zip(prompts(3, seed=15, longest=20), fine, strict=True):
        assert one.ids() == solo(bench.alone[BASE], prompt, max_tokens=60)
