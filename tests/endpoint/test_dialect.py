"""The resident server's dialect over real HTTP: what it answers, and what it refuses by name."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest

from harness.endpoint import web
from harness.endpoint.resident.app import make_resident_app
from harness.endpoint.resident.options import ServeOptions
from harness.endpoint.resident.service import Service
from harness.endpoint.resident.worker import Worker
from tests.endpoint.rooms import LONG, Running, ask, http, working
from tests.tiny_model import make_tiny_adapter, make_tiny_llama


def error(body: object) -> dict[str, object]:
    assert isinstance(body, dict)
    inner = body["error"]
    assert isinstance(inner, dict)
    assert set(inner) == {"message", "type", "param", "code"}
    return inner


def test_health_and_models_say_what_is_served(resident: Running, tiny_base: Path, tiny_adapter: Path) -> None:
    assert http(resident.url.removesuffix("/v1") + "/health").status == 200
    cards = http(resident.url + "/models").body["data"]
    assert [(c["id"], c["parent"], c["root"], c["max_model_len"]) for c in cards] == [
        ("base", None, str(tiny_base), 2048),
        ("tuned", "base", str(tiny_adapter), 2048),
    ]
    assert http(resident.url + "/models/tuned").body["id"] == "tuned"
    assert http(resident.url + "/models/other").status == 404


def test_a_completion_carries_text_usage_and_the_ids_that_made_it(resident: Running) -> None:
    heard = resident.chat(return_token_ids=True, logprobs=True, top_logprobs=3)
    choice = heard.body["choices"][0]
    tokens = resident.worker.tokens
    prompt = resident.post("/tokenize", {"model": "base", "messages": [{"role": "user", "content": "hello"}]}).body
    assert heard.body["prompt_token_ids"] == prompt["tokens"]
    assert choice["token_ids"] == ask(resident.worker, prompt["tokens"], max_tokens=8).ids()
    assert choice["message"] == {"role": "assistant", "content": tokens.decode(choice["token_ids"])}
    assert choice["finish_reason"] == "length"
    assert heard.body["usage"]["completion_tokens"] == len(choice["token_ids"]) == 8
    assert heard.body["usage"]["prompt_tokens"] == prompt["count"]
    content = choice["logprobs"]["content"]
    assert all(entry["top_logprobs"][0]["logprob"] == entry["logprob"] for entry in content)
    assert all(len(entry["top_logprobs"]) == 3 for entry in content)
    assert "".join(entry["token"] for entry in content if "\ufffd" not in entry["token"])


def test_ids_and_logprobs_are_left_out_where_nobody_asks(resident: Running) -> None:
    body = resident.chat().body
    assert "prompt_token_ids" not in body
    assert "token_ids" not in body["choices"][0]
    assert body["choices"][0]["logprobs"] is None


def test_the_model_name_chooses_the_arm(resident: Running) -> None:
    base, tuned = resident.chat(), resident.chat(model="tuned")
    assert base.body["model"] == "base"
    assert tuned.body["model"] == "tuned"
    assert base.body["choices"][0]["message"] != tuned.body["choices"][0]["message"]


def test_the_end_token_ends_a_reply_and_is_among_its_ids(resident: Running) -> None:
    end = next(iter(resident.worker.tokens.end_ids))
    stopped = resident.chat(return_token_ids=True, max_tokens=400, temperature=1, seed=3)
    choice = stopped.body["choices"][0]
    assert choice["finish_reason"] == "stop"
    assert choice["token_ids"][-1] == end
    assert end not in choice["token_ids"][:-1]
    assert choice["stop_reason"] is None
    assert "<|im_end|>" not in choice["message"]["content"]
    ignored = resident.chat(max_tokens=400, temperature=1, seed=3, ignore_eos=True).body
    assert ignored["usage"]["completion_tokens"] == 400


def test_a_reply_of_nothing_but_its_end_is_an_empty_text(resident: Running) -> None:
    first = resident.chat(return_token_ids=True, max_tokens=1).body["choices"][0]["token_ids"][0]
    choice = resident.chat(stop_token_ids=[first], return_token_ids=True).body["choices"][0]
    assert choice["message"]["content"] == ""
    assert choice["finish_reason"] == "stop"
    assert choice["stop_reason"] == first
    assert choice["token_ids"] == [first]


def test_text_ends_before_a_stop_string_that_spans_tokens(resident: Running) -> None:
    whole = resident.chat(max_tokens=30).body["choices"][0]["message"]["content"]
    stop = whole[9:14]
    choice = resident.chat(max_tokens=30, stop=["never to be seen", stop]).body["choices"][0]
    assert choice["message"]["content"] == whole[: whole.index(stop)]
    assert (choice["finish_reason"], choice["stop_reason"]) == ("stop", stop)
    alone = resident.chat(max_tokens=30, stop=stop).body["choices"][0]
    assert alone["message"]["content"] == choice["message"]["content"]


def test_a_bias_chooses_the_token_and_leaves_its_logprob_alone(resident: Running) -> None:
    plain = resident.chat(max_tokens=1, logprobs=True, return_token_ids=True).body["choices"][0]
    other = (plain["token_ids"][0] + 1) % resident.worker.tokens.vocabulary
    fields: dict[str, Any] = {"max_tokens": 3, "logprobs": True, "return_token_ids": True}
    for temperature in (0, 1):
        wanted = resident.chat(logit_bias={str(other): 100}, temperature=temperature, **fields).body["choices"][0]
        assert wanted["token_ids"] == [other] * 3
        assert wanted["logprobs"]["content"][0]["logprob"] < plain["logprobs"]["content"][0]["logprob"]
    banned = resident.chat(logit_bias={str(plain["token_ids"][0]): -100}, **fields).body["choices"][0]
    assert banned["token_ids"][0] != plain["token_ids"][0]


def stream(resident: Running, **fields: object) -> list[dict[str, object]]:
    body = {"model": "base", "messages": [{"role": "user", "content": "hello"}], "stream": True, **fields}
    request = urllib.request.Request(  # noqa: S310 - our own server
        resident.url + "/chat/completions", data=json.dumps(body).encode(), headers={"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=LONG) as response:  # noqa: S310
        lines = response.read().decode("utf-8").split("\n\n")
    assert lines[-1] == ""
    assert lines[-2] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


@pytest.mark.parametrize("seed", range(6))
def test_a_stream_joined_is_the_whole_answer(resident: Running, seed: int) -> None:
    fields: dict[str, Any] = {
        "temperature": 1.4,
        "seed": seed,
        "max_tokens": 60,
        "return_token_ids": True,
        "stop": ["e", "\ufffd\ufffd"],
    }
    whole = resident.chat(**fields).body
    chunks = stream(resident, **fields, stream_options={"include_usage": True})
    choices = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]  # type: ignore[index]
    assert choices[0]["delta"]["role"] == "assistant"
    assert chunks[0]["prompt_token_ids"] == whole["prompt_token_ids"]
    assert "".join(c["delta"].get("content", "") for c in choices) == whole["choices"][0]["message"]["content"]
    assert [i for c in choices for i in c.get("token_ids", [])] == whole["choices"][0]["token_ids"]
    assert [c["finish_reason"] for c in choices if c["finish_reason"]] == [whole["choices"][0]["finish_reason"]]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"]  # type: ignore[index]


def test_a_seed_repeats_a_sample_and_another_one_changes_it(resident: Running) -> None:
    def said(seed: int) -> str:
        body = resident.chat(temperature=1.2, top_p=0.9, top_k=50, seed=seed, max_tokens=20).body
        return str(body["choices"][0]["message"]["content"])

    assert said(1) == said(1)
    assert said(1) != said(2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tools", [{"type": "function"}]),
        ("response_format", {"type": "json_object"}),
        ("n", 2),
        ("presence_penalty", 0.5),
        ("frequency_penalty", -1),
        ("repetition_penalty", 1.1),
        ("guided_json", {}),
        ("best_of", 3),
        ("min_p", 0.1),
        ("functions", [{}]),
        ("no_such_field", 1),
        ("echo", True),
        ("n", True),
    ],
)
def test_what_is_not_carried_out_is_refused_by_name(resident: Running, field: str, value: Any) -> None:
    heard = resident.chat(**{field: value})
    assert heard.status == 400
    assert error(heard.body)["param"] == field


def test_neutral_values_of_the_wider_dialect_are_welcome(resident: Running) -> None:
    neutral: dict[str, Any] = {
        "n": 1,
        "presence_penalty": 0.0,
        "tools": None,
        "response_format": {"type": "text"},
        "user": "me",
    }
    assert resident.chat(**neutral, logit_bias={}, frequency_penalty=0, top_k=-1, stop=None).status == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -1),
        ("temperature", "hot"),
        ("top_p", 0),
        ("top_p", 1.5),
        ("max_tokens", 0),
        ("max_tokens", "many"),
        ("max_tokens", 1.5),
        ("seed", 2**64),
        ("seed", "x"),
        ("stop", ""),
        ("stop", [1]),
        ("top_logprobs", 3),
        ("logit_bias", {"5": 101}),
        ("logit_bias", {"word": 1}),
        ("logit_bias", {"99999999": 1}),
        ("top_logprobs", 50),
        ("stream_options", {"include_usage": True}),
        ("messages", []),
        ("messages", "hello"),
        ("messages", [{"role": "tool", "content": "x"}]),
        ("messages", [{"role": "user"}]),
        ("messages", [{"role": "user", "content": None}]),
        ("messages", [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]),
        ("messages", [{"role": "user", "content": "x", "name": "y"}]),
        ("messages", [{"role": "assistant", "content": "x", "tool_calls": []}]),
        ("model", 5),
        ("logprobs", 3),
    ],
)
def test_a_wrong_value_is_refused_with_its_field(resident: Running, field: str, value: Any) -> None:
    heard = resident.chat(**{field: value})
    assert heard.status == 400
    assert str(error(heard.body)["param"]).startswith(field)


def test_content_in_text_parts_is_text(resident: Running) -> None:
    parts = [{"type": "text", "text": "hello"}]
    assert (
        resident.chat(messages=[{"role": "user", "content": parts}]).body["choices"] == resident.chat().body["choices"]
    )


def test_an_unknown_model_is_404_and_lists_the_known(resident: Running) -> None:
    heard = resident.chat(model="base@tuned")
    assert heard.status == 404
    assert error(heard.body)["code"] == "model_not_found"
    assert "base, tuned" in str(error(heard.body)["message"])


def test_a_conversation_that_does_not_fit_is_said_to_be_too_long(resident: Running) -> None:
    for fields in ({"content": "word " * 3000}, {"max_tokens": 2048}):
        heard = resident.chat(**fields)
        assert heard.status == 400
        assert error(heard.body)["code"] == "context_length_exceeded"
        assert "maximum context length is 2048" in str(error(heard.body)["message"])


def test_without_a_limit_a_reply_may_fill_the_context(resident: Running) -> None:
    words = "word " * 500
    count = resident.post("/tokenize", {"messages": [{"role": "user", "content": words}]}).body["count"]
    body = resident.chat(words, max_tokens=None, ignore_eos=True).body
    assert body["usage"]["total_tokens"] == 2048
    assert body["usage"]["prompt_tokens"] == count


@pytest.mark.parametrize(
    ("raw", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"model": "base", "messages": [{"role": "user", "content": "\\ud800"}]}', "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"[" * 100_000, "application/json", 400),
    ],
)
def test_a_body_that_is_no_request_is_refused(resident: Running, raw: bytes, content_type: str, status: int) -> None:
    heard = http(resident.url + "/chat/completions", raw=raw, content_type=content_type)
    assert heard.status == status
    assert error(heard.body)["type"] == "invalid_request_error"


def test_routes_that_do_not_exist_are_refused_in_the_same_shape(resident: Running) -> None:
    assert error(http(resident.url + "/completions", {}).body)["type"] == "invalid_request_error"
    assert http(resident.url + "/chat/completions").status == 405


def test_tokenize_and_detokenize_are_each_others_inverse(resident: Running) -> None:
    body = resident.post("/tokenize", {"prompt": "cat /etc/motd — ünï", "return_token_strs": True}).body
    assert body["count"] == len(body["tokens"]) == len(body["token_strs"])
    assert body["max_model_len"] == 2048
    assert resident.post("/detokenize", {"tokens": body["tokens"]}).body == {"prompt": "cat /etc/motd — ünï"}
    assert resident.post("/detokenize", {"tokens": [10**6]}).status == 400
    assert resident.post("/tokenize", {"prompt": "a", "messages": [{"role": "user", "content": "a"}]}).status == 400
    assert resident.post("/tokenize", {"prompt": "a", "model": "nope"}).status == 404


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


PICKY = (
    "{% if messages[0]['role'] != 'user' %}{{ raise_exception('Only user turns may open.') }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + m['content'] + '<|im_end|>' }}{% endfor %}"
    "{% if shout is defined and shout %}{{ 'LOUD' }}{% endif %}"
)


@pytest.fixture(scope="module")
def picky(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    base = make_tiny_llama(tmp_path_factory.mktemp("picky"), chat_template=PICKY)
    with working(base) as worker:
        service = Service(worker, ServeOptions(base=base))
        with web.in_thread(make_resident_app(service)) as url:
            yield Running(url=url, worker=worker, service=service)


def test_a_template_that_refuses_is_quoted(picky: Running) -> None:
    heard = picky.chat(messages=[{"role": "system", "content": "be brief"}, {"role": "user", "content": "hello"}])
    assert heard.status == 400
    assert "Only user turns may open." in str(error(heard.body)["message"])
    assert picky.chat().status == 200


def test_template_arguments_reach_the_template(picky: Running) -> None:
    plain = picky.chat(return_token_ids=True).body["prompt_token_ids"]
    loud = picky.chat(return_token_ids=True, chat_template_kwargs={"shout": True}).body["prompt_token_ids"]
    assert loud[: len(plain)] == plain
    assert len(loud) > len(plain)
    same = {"messages": [{"role": "user", "content": "hello"}], "chat_template_kwargs": {"shout": True}}
    assert picky.post("/tokenize", same).body["tokens"] == loud


@pytest.mark.parametrize("name", ["tokenize", "conversation", "messages", "return_dict", "chat_template", "tools"])
def test_template_arguments_cannot_change_how_rendering_works(picky: Running, name: str) -> None:
    heard = picky.chat(chat_template_kwargs={name: "{% for i in range(9) %}x{% endfor %}"}, return_token_ids=True)
    if heard.status == 200:
        assert heard.body["prompt_token_ids"] == picky.chat(return_token_ids=True).body["prompt_token_ids"]
    else:
        assert heard.status == 400
        assert error(heard.body)["type"] == "invalid_request_error"
