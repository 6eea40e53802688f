"""The scripted endpoint: a real server that says what its script says, and never passes for a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.endpoint import OpenAIEndpoint
from harness.endpoint.script import load_script, parse_script
from harness.endpoint.scripted import scripted_server
from harness.errors import BadInputError
from harness.values import Message, Role
from tests.endpoint.rooms import http

SCRIPT: dict[str, Any] = {
    "models": {
        "talker": {
            "rules": [
                {"when": "node7", "replies": ["cat /srv/board", "exit"]},
                {"when": "^empty$", "replies": [{"text": None}]},
                {"when": "cut", "replies": [{"text": "echo hal", "finish_reason": "length"}]},
            ],
            "replies": ["I am sorry."],
        },
        "strict": {"rules": [{"when": "only this", "replies": ["ls"]}]},
    }
}


def talk(url: str, *contents: str, model: str = "talker", **fields: object) -> Any:
    roles = ("user", "assistant")
    messages = [{"role": roles[i % 2], "content": content} for i, content in enumerate(contents)]
    return http(f"{url}/chat/completions", {"model": model, "messages": messages, **fields})


def test_replies_follow_the_rules_and_the_turn() -> None:
    def text(*contents: str) -> str:
        return str(talk(url, *contents).body["choices"][0]["message"]["content"])

    with scripted_server(SCRIPT) as url:
        assert text("Welcome to node7\n$ ") == "cat /srv/board"
        assert text("Welcome to node7\n$ ", "cat /srv/board", "do it\n$ ") == "exit"
        assert text("Welcome to node7\n$ ", "a", "b", "c", "d", "e", "f") == "exit"
        assert text("hello") == "I am sorry."
        assert text("hello", "I am sorry.", "node7") == "I am sorry."  # only the first user message counts
        assert talk(url, "empty").body["choices"][0]["message"]["content"] is None
        assert talk(url, "cut").body["choices"][0]["finish_reason"] == "length"
        assert "usage" not in talk(url, "hello").body


def test_models_are_marked_as_scripted_and_the_client_says_so() -> None:
    with scripted_server(SCRIPT) as url, OpenAIEndpoint(url) as endpoint:
        assert [card["owned_by"] for card in http(f"{url}/models").body["data"]] == ["evalh-scripted"] * 2
        assert endpoint.probe("talker").scripted
        reply = endpoint.complete(
            [Message(role=Role.USER, content="node7")], model="talker", seed=3, temperature=0.0, max_tokens=9
        )
        assert (reply.text, reply.prompt_tokens, reply.completion_ids) == ("cat /srv/board", None, None)


def test_what_a_script_cannot_do_is_refused() -> None:
    with scripted_server(SCRIPT) as url:
        assert talk(url, "x", model="nobody").status == 404
        assert talk(url, "nothing fits", model="strict").status == 400
        assert talk(url, "x", logprobs=True).body["error"]["param"] == "logprobs"
        assert talk(url, "x", return_token_ids=True).status == 400
        assert talk(url, "x", tools=[1]).body["error"]["param"] == "tools"
        assert http(url.removesuffix("/v1") + "/tokenize", {"prompt": "x"}).status == 404


def test_it_streams_too() -> None:
    with scripted_server({"models": {"m": {"replies": ["a\nb\nc"]}}}) as url:
        body = talk(url, "x", model="m", stream=True).body
    chunks = [json.loads(line.removeprefix("data: ")) for line in body.split("\n\n")[:-2]]
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "a\nb\nc"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({}, "models"),
        ({"models": {}}, "models"),
        ({"models": {"m": {}}}, "rules or replies"),
        ({"models": {"m": {"replies": [5]}}}, r"models\.m\.replies\.0"),
        ({"models": {"m": {"replies": [{"txt": "x"}]}}}, r"models\.m\.replies\.0\.txt"),
        ({"models": {"m": {"replies": [{"status": 200}]}}}, r"models\.m\.replies\.0\.status"),
        ({"models": {"m": {"rules": [{"when": "(", "replies": ["x"]}]}}}, r"rules\.0\.when.*not a regular expression"),
        ({"models": {"m": {"rules": [{"when": "x", "replies": []}]}}}, r"rules\.0\.replies"),
        ([], "the whole"),
    ],
)
def test_a_broken_script_is_refused_with_its_key(raw: object, words: str) -> None:
    with pytest.raises(BadInputError, match=words):
        parse_script(raw)


def test_a_script_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps(SCRIPT))
    assert set(load_script(path).models) == {"talker", "strict"}
    path.write_text("{")
    with pytest.raises(BadInputError, match="is not JSON"):
        load_script(path)
    with pytest.raises(BadInputError, match="cannot be read"):
        load_script(tmp_path / "no.json")
