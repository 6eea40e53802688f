"""The resident server speaks its dialect over real HTTP: what a request that it takes is answered."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.endpoint.rooms import LONG, Running, ask, http


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


def test_content_in_text_parts_is_text(resident: Running) -> None:
    parts = [{"type": "text", "text": "hello"}]
    assert (
        resident.chat(messages=[{"role": "user", "content": parts}]).body["choices"] == resident.chat().body["choices"]
    )


def test_without_a_limit_a_reply_may_fill_the_context(resident: Running) -> None:
    words = "word " * 500
    count = resident.post("/tokenize", {"messages": [{"role": "user", "content": words}]}).body["count"]
    body = resident.chat(words, max_tokens=None, ignore_eos=True).body
    assert body["usage"]["total_tokens"] == 2048
    assert body["usage"]["prompt_tokens"] == count


def test_tokenize_and_detokenize_are_each_others_inverse(resident: Running) -> None:
    body = resident.post("/tokenize", {"prompt": "cat /etc/motd — ünï", "return_token_strs": True}).body
    assert body["count"] == len(body["tokens"]) == len(body["token_strs"])
    assert body["max_model_len"] == 2048
    assert resident.post("/detokenize", {"tokens": body["tokens"]}).body == {"prompt": "cat /etc/motd — ünï"}
    assert resident.post("/detokenize", {"tokens": [10**6]}).status == 400
    assert resident.post("/tokenize", {"prompt": "a", "messages": [{"role": "user", "content": "a"}]}).status == 400
    assert resident.post("/tokenize", {"prompt": "a", "model": "nope"}).status == 404
