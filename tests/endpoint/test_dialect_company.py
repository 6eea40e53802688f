"""Adapters that come and go, clients that leave, and many at once: each gets its own answer."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import TypeVar
from urllib.parse import urlsplit

import pytest

from harness.endpoint.resident.worker import Worker
from tests.endpoint.rooms import LONG, Running, error
from tests.tiny_model import make_tiny_adapter, make_tiny_llama


def test_an_adapter_loaded_while_it_runs_is_served_and_unloaded_is_gone(
    resident: Running, tiny_base: Path, tmp_path: Path
) -> None:
    path = make_tiny_adapter(tmp_path / "late", tiny_base, seed=7)
    loaded = resident.post("/load_lora_adapter", {"lora_name": "late", "lora_path": str(path)})
    assert (loaded.status, loaded.body) == (200, "Success: LoRA adapter 'late' added successfully.")
    assert resident.post("/load_lora_adapter", {"lora_name": "late", "lora_path": str(path)}).status == 400
    said = {
        name: resident.chat(model=name).body["choices"][0]["message"]["content"] for name in ("base", "tuned", "late")
    }
    assert len(set(said.values())) == 3
    assert resident.post("/unload_lora_adapter", {"lora_name": "late"}).status == 200
    assert resident.chat(model="late").status == 404
    assert resident.post("/unload_lora_adapter", {"lora_name": "late"}).status == 404
    assert resident.post("/unload_lora_adapter", {"lora_name": "base"}).status == 400
    assert {name: resident.chat(model=name).body["choices"][0]["message"]["content"] for name in ("base", "tuned")} == {
        name: said[name] for name in ("base", "tuned")
    }


def test_an_adapter_of_another_base_is_refused_and_nothing_changes(resident: Running, tmp_path: Path) -> None:
    before = resident.chat().body["choices"]
    other = make_tiny_llama(tmp_path / "other", hidden_size=32)
    path = make_tiny_adapter(tmp_path / "foreign", other)
    heard = resident.post("/load_lora_adapter", {"lora_name": "foreign", "lora_path": str(path)})
    assert heard.status == 400
    assert "another base" in str(error(heard.body)["message"])
    assert resident.post("/load_lora_adapter", {"lora_name": "x", "lora_path": str(tmp_path / "no")}).status == 400
    assert resident.chat().body["choices"] == before


@pytest.mark.parametrize("streamed", [False, True])
def test_a_client_that_goes_away_frees_its_row(resident: Running, *, streamed: bool) -> None:
    place = urlsplit(resident.url)
    messages = [{"role": "user", "content": "x"}]
    fields = {"model": "base", "messages": messages, "max_tokens": 1900, "ignore_eos": True, "stream": streamed}
    raw = json.dumps(fields).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(raw)}\r\n"
    with socket.create_connection((place.hostname, place.port), timeout=LONG) as link:
        link.sendall(head.encode() + b"content-type: application/json\r\n\r\n" + raw)
        rows = eventually(lambda: [job.row for job in on_worker(resident, lambda w: list(w._running)) if job.row])
    eventually(lambda: not on_worker(resident, lambda w: w._running))
    assert len(rows[0].ids) < 1900


T = TypeVar("T")


def on_worker(resident: Running, look: Callable[[Worker], T]) -> T:
    return resident.worker.call(lambda: look(resident.worker)).result(LONG)


def eventually(look: Callable[[], T]) -> T:
    """What `look` sees once it sees anything."""
    ends = monotonic() + LONG
    while monotonic() < ends:
        if seen := look():
            return seen
    raise AssertionError("it never came")


def test_many_clients_at_once_get_each_their_own_answer(resident: Running) -> None:
    contents = [f"message {i} " * (i % 5 + 1) for i in range(24)]
    alone = [
        resident.chat(content, model=("base", "tuned")[i % 2]).body["choices"] for i, content in enumerate(contents)
    ]
    got: dict[int, object] = {}

    def one(i: int) -> None:
        got[i] = resident.chat(contents[i], model=("base", "tuned")[i % 2]).body["choices"]

    threads = [Thread(target=one, args=(i,)) for i in range(len(contents))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LONG)
    assert [got[i] for i in range(len(contents))] == alone


def test_a_session_costs_only_its_new_tokens_turn_by_turn(resident: Running) -> None:
    messages = [{"role": "user", "content": "Welcome to node7. Read /srv/board.txt\n$ "}]
    cached = []
    for turn in range(4):
        body = resident.chat(messages=messages, max_tokens=12).body
        cached.append(body["usage"]["prompt_tokens_details"]["cached_tokens"])
        reply = body["choices"][0]["message"]["content"]
        messages += [{"role": "assistant", "content": reply}, {"role": "user", "content": f"line {turn}\n$ "}]
    assert cached[0] == 0
    assert cached[1] > 20
    assert cached == sorted(cached)
