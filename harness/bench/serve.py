"""How long the resident server takes for whole sessions, with and without the reuse of keys and values.

    python -m harness.bench.serve [--base DIR] [--adapter DIR] [--sessions 8] [--turns 4]

Sessions of both arms run side by side, each turn extending its own history as real ones do. Without
--base, a randomly initialised model of SmolLM2-135M's shape is measured: speed does not depend on
what the weights are.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from time import monotonic, process_time
from typing import Any

LANDING, OBSERVATION, REPLY = 120, 40, 12  # tokens
FIRST_ID = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One way to run the same sessions."""

    name: str
    seconds: float
    cpu_seconds: float
    turns: int
    computed_tokens: int

    def __str__(self) -> str:
        times = f"{self.seconds:8.1f} s{self.cpu_seconds:8.1f} CPU s{self.turns / self.seconds:8.2f} turns/s"
        return f"{self.name:<26}{times}{self.computed_tokens:8d} prompt tokens computed"


def main() -> None:
    """Measure and print."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as `evalh serve` does
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path)
    parser.add_argument("--adapter", type=Path)
    parser.add_argument("--sessions", type=int, default=8)
    parser.add_argument("--turns", type=int, default=4)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--dtype", default="auto")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        base = args.base or stand_in(Path(place))
        for name, changes in (
            ("one at a time, no reuse", {"deterministic": True}),
            ("batched, no reuse", {"prefix_cache_bytes": 0}),
            ("batched, reuse", {}),
        ):
            with working(base, threads=args.threads, dtype=args.dtype, **changes) as worker:
                print(measure(name, worker, args), flush=True)


@contextmanager
def working(base: Path, **options: Any) -> Iterator[Any]:
    """A worker over the base."""
    from harness.endpoint.resident.options import ServeOptions
    from harness.endpoint.resident.tokens import load_tokenizer
    from harness.endpoint.resident.worker import Worker

    chosen = ServeOptions(base=base, **options)
    with Worker(chosen, load_tokenizer(chosen)) as worker:
        yield worker


def measure(name: str, worker: Any, args: argparse.Namespace) -> Measured:
    """Run every session to its end at once."""
    from harness.endpoint.resident.adapters import BASE

    keys = [BASE] + ([worker.load_adapter(args.adapter).result()] if args.adapter else [])
    began, began_cpu = monotonic(), process_time()
    with ThreadPoolExecutor(args.sessions) as pool:
        run = partial(session, worker, keys, args.turns)
        computed = sum(pool.map(run, range(args.sessions)))
    return Measured(
        name=name,
        seconds=monotonic() - began,
        cpu_seconds=process_time() - began_cpu,
        turns=args.sessions * args.turns,
        computed_tokens=computed,
    )


def session(worker: Any, keys: list[str], turns: int, number: int) -> int:
    """One session; how many of its prompts' tokens were computed."""
    from harness.endpoint.resident.jobs import Ask, Broken, Told
    from harness.endpoint.resident.sampling import Sampling

    reused = 0
    history = [FIRST_ID + (number * 997 + i * 31) % 5000 for i in range(LANDING)]
    computed = 0
    for turn in range(turns):
        told: SimpleQueue[Told] = SimpleQueue()
        ask = Ask(
            adapter=keys[number % len(keys)],
            prompt=tuple(history),
            max_tokens=REPLY,
            sampling=Sampling(temperature=0.0),
        )
        worker.submit(ask, told.put)
        for _ in range(REPLY):
            piece = told.get()
            if isinstance(piece, Broken):
                raise SystemExit(piece.message)
            history.append(piece.chosen.token)
            reused = piece.reused
        computed += len(ask.prompt) - reused
        history += [FIRST_ID + (turn * 13 + i * 7) % 5000 for i in range(OBSERVATION)]
    return computed


def stand_in(place: Path) -> Path:
    """A checkpoint of SmolLM2-135M's shape with random weights and a small tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({"<unk>": 0, "<end>": 1}, unk_token="<unk>"))  # noqa: S106 - a control token
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<end>")  # noqa: S106 - a control token
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    tokenizer.save_pretrained(place)
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=30,
        num_attention_heads=9,
        num_key_value_heads=3,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        eos_token_id=1,
        bos_token_id=None,
    )
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(place)
    return place


if __name__ == "__main__":
    main()
