"""The client against servers of many makes: it uses what they can do, and says what went wrong."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from harness.endpoint import OpenAIEndpoint
from harness.endpoint.address import parse_address
from harness.endpoint.scripted import scripted_server
from harness.errors import BadInputError, ContextOverflowError, EndpointError
from harness.values import Completion, Message, Role
from tests.endpoint.rooms import Running
from tests.endpoint.strangers import Reply, Request, Stranger, refused, said, stranger

HELLO = (Message(role=Role.USER, content="hello"),)


def complete(endpoint: OpenAIEndpoint, model: str = "m", **fields: object) -> Completion:
    asked: dict[str, object] = {"seed": 1, "temperature": 0.0, "max_tokens": 8, **fields}
    return endpoint.complete(HELLO, model=model, **asked)  # type: ignore[arg-type]


def error_of(server: Stranger, model: str = "m", timeout: float = 30.0) -> EndpointError:
    with OpenAIEndpoint(server.url, timeout=timeout) as endpoint, pytest.raises(EndpointError) as caught:
        complete(endpoint, model)
    return caught.value


def test_everything_that_the_resident_server_can_do_is_seen_and_used(resident: Running) -> None:
    with OpenAIEndpoint(resident.url) as endpoint:
        can = endpoint.probe("tuned")
        assert (can.server, can.scripted, can.served, can.max_model_len) == ("evalh", False, ("base", "tuned"), 2048)
        assert (can.token_ids, can.logprobs, can.seed, can.tokenize) == (True, True, True, True)
        assert can.unchecked == ()
        reply = complete(endpoint, "tuned")
        assert reply.text == resident.chat(model="tuned").body["choices"][0]["message"]["content"]
        assert reply.prompt_ids == endpoint.tokenize(HELLO, model="tuned")
        assert reply.completion_ids is not None
        assert reply.logprobs is not None
        assert len(reply.completion_ids) == len(reply.logprobs) == reply.completion_tokens == 8
        assert (reply.finish_reason, reply.model) == ("length", "tuned")
        assert reply.prompt_tokens == len(reply.prompt_ids or ())


def test_a_server_that_ignores_unknown_fields_is_not_believed_to_obey_them() -> None:
    with stranger(lambda _: said()) as server, OpenAIEndpoint(server.url) as endpoint:
        can = endpoint.probe("m")
        assert (can.token_ids, can.logprobs, can.tokenize, can.seed) == (False, False, False, None)
        assert can.server == "somebody"
        reply = complete(endpoint)
        assert (reply.text, reply.prompt_ids, reply.completion_ids, reply.logprobs) == ("hi", None, None, None)
        assert (reply.prompt_tokens, reply.completion_tokens) == (None, None)
        assert set(server.chats()[-1]) == {"model", "messages", "temperature", "max_tokens", "seed"}
        assert any("token ids" in note for note in can.unchecked)


def strict(*known: str) -> Iterator[Stranger]:
    def chat(body: Request) -> Reply:
        unknown = set(body) - {"model", "messages", "temperature", *known}
        return refused(400, f"Unrecognized request arguments: {sorted(unknown)}") if unknown else said()

    with stranger(chat) as server:
        yield server


def test_a_server_that_refuses_unknown_fields_never_meets_them_again() -> None:
    for server in strict("max_tokens"):
        with OpenAIEndpoint(server.url) as endpoint:
            can = endpoint.probe("m")
            assert (can.token_ids, can.logprobs, can.seed, can.sends_seed) == (False, False, False, False)
            probes = len(server.chats())
            for _ in range(3):
                assert complete(endpoint).text == "hi"
            assert len(server.chats()) == probes + 3


def test_a_server_that_takes_only_some_of_them_gets_those() -> None:
    def chat(body: Request) -> Reply:
        if "return_token_ids" in body:
            return refused(422, "extra fields not permitted")
        return said(logprobs={"content": [{"token": "hi", "logprob": -0.5}]} if body.get("logprobs") else None)

    with stranger(chat) as server, OpenAIEndpoint(server.url) as endpoint:
        can = endpoint.probe("m")
        assert (can.token_ids, can.logprobs, can.sends_seed) == (False, True, True)
        assert complete(endpoint).logprobs == (-0.5,)


def test_a_server_that_wants_the_newer_name_of_the_limit_gets_it() -> None:
    def chat(body: Request) -> Reply:
        if "max_tokens" in body:
            return refused(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        return said()

    with stranger(chat) as server, OpenAIEndpoint(server.url) as endpoint:
        assert endpoint.probe("m").limit_field == "max_completion_tokens"
        complete(endpoint)
        assert server.chats()[-1]["max_completion_tokens"] == 8


def test_whether_the_seed_decides_is_seen_not_assumed() -> None:
    calls: list[int] = []

    def blind(body: Request) -> Reply:
        calls.append(1)
        return said(f"sample {len(calls)}" if body["temperature"] else "same")

    def obedient(body: Request) -> Reply:
        return said(f"sample {body['seed']}" if body["temperature"] else "same")

    for chat, expected in ((blind, False), (obedient, True)):
        with stranger(chat) as server, OpenAIEndpoint(server.url) as endpoint:
            assert endpoint.probe("m").seed is expected


def test_a_model_that_is_not_listed_is_refused_with_the_list() -> None:
    with stranger(lambda _: said()) as server, OpenAIEndpoint(server.url) as endpoint:
        with pytest.raises(BadInputError, match=r"does not serve m@tuned.*it serves m"):
            complete(endpoint, "m@tuned")
        assert server.chats() == []


def test_a_server_without_a_model_list_is_taken_at_its_word() -> None:
    with stranger(lambda _: said(), routes={"/v1/models": Reply({}, 404)}) as server:
        with OpenAIEndpoint(server.url) as endpoint:
            assert complete(endpoint, "anything").text == "hi"
            assert endpoint.probe("anything").served is None
        with OpenAIEndpoint(server.url) as endpoint, pytest.raises(EndpointError, match="404"):
            endpoint.models()


@pytest.mark.parametrize(
    "reply",
    [
        refused(400, "This model's maximum context length is 2048 tokens. However, you requested 2100 tokens."),
        refused(400, "bad", code="context_length_exceeded"),
        refused(400, "The decoder prompt (length 3000) is longer than the maximum model length of 2048."),
        Reply({"error": {"code": 400, "message": "the request exceeds the available context size, try increasing it",
                         "type": "exceed_context_size_error", "n_ctx": 512}}, 400),
        Reply({"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. Given: 3000",
               "error_type": "validation"}, 422),
        Reply({"object": "error", "message": "The input (3000 tokens) is longer than the model's context length (2048 "
               "tokens).", "type": "BadRequestError", "code": 400}, 400),
        Reply({"error": {"message": "the request exceeds the available context size", "code": 500}}, 500),
        Reply({"detail": "prompt is too long: 210000 tokens > 200000 maximum"}, 400),
    ],
)  # fmt: skip
def test_every_makers_way_to_say_too_long_is_a_context_overflow(reply: Reply) -> None:
    def chat(body: Request) -> Reply:
        return said() if body["messages"][0]["content"] != "hello" else reply

    with stranger(chat) as server:
        assert isinstance(error_of(server), ContextOverflowError)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(b"<html>nope</html>", 200, {"content-type": "text/html"}), "no JSON"),
        (Reply([1, 2]), "no object"),
        (Reply({"choices": []}), "without choices"),
        (Reply({"choices": [{"finish_reason": "stop"}]}), "without a message"),
        (Reply({"error": {"message": "model exploded"}}), "model exploded"),
        (Reply({}), "without choices"),
        (refused(401, "no such key"), "401: no such key"),
        (refused(403, "not yours"), "403: not yours"),
        (refused(400, "wrong\nsecond line"), "400: wrong"),
        (Reply(b"Forbidden \x1b[31mred", 403, {"content-type": "text/plain"}), "Forbidden"),
        (said(None, message={"role": "assistant", "content": None, "tool_calls": [{"id": 1}]}), "tool calls"),
        (said(None, message={"role": "assistant", "content": "so", "tool_calls": [{"id": 1}]}), "tool calls"),
        (said(None, message={"role": "assistant", "content": None, "reasoning_content": "exit"}), "for reasoning"),
        (said(None, message={"role": "assistant", "content": "\n\n", "reasoning": "exit"}), "for reasoning"),
        (said(None, message={"role": "assistant", "content": "exit", "reasoning": "Done."}), "for reasoning"),
        (said(None, message={"role": "assistant", "content": "exit", "reasoning_content": "\n\n"}), "for reasoning"),
        (said("rm -r /srv/", finish_reason="content_filter"), "broke the reply off"),
        (said("rm -r /srv/", finish_reason="error"), "broke the reply off"),
        (said("rm -r /srv/", finish_reason="insufficient_system_resource"), "broke the reply off"),
        (said("rm -r /srv/", finish_reason="SAFETY"), "broke the reply off"),
        (said("rm -r /srv/", error={"message": "upstream died", "code": 502}), "upstream died"),
        (said(None, message={"role": "assistant", "content": None, "refusal": "I must not."}), "for a refusal"),
        (
            said(None, message={"content": [{"type": "thinking", "thinking": "so"}, {"type": "text", "text": "ls"}]}),
            "no text, so what the model said is lost",
        ),
        (Reply({"object": "error", "message": "model exploded"}), "model exploded"),
        (Reply(b"<html>\n<head><title>502 Bad Gateway</title>\n", 502, {"content-type": "text/html"}), "Bad Gateway"),
        (Reply(b"no gzip", 400, {"content-encoding": "gzip"}), "broke its answer off"),
        (said(None, message={"role": "assistant", "content": 5}), "no text"),
    ],
)
def test_an_answer_that_is_no_reply_is_explained_in_one_printable_line(reply: Reply, words: str) -> None:
    with stranger(lambda _: reply) as server:
        error = error_of(server, timeout=3.0)
    assert words in str(error)
    assert server.url in str(error)
    assert str(error).isprintable()
    assert not isinstance(error, ContextOverflowError)


def test_a_null_content_is_an_empty_reply() -> None:
    with stranger(lambda _: said(None)) as server, OpenAIEndpoint(server.url) as endpoint:
        assert complete(endpoint).text == ""


@pytest.mark.parametrize("word", ["length", "MAX_TOKENS", "max_output_tokens", "model_length"])
def test_every_makers_word_for_a_cut_reply_is_one_so_that_no_stump_is_typed(word: str) -> None:
    with stranger(lambda _: said("rm -r /srv/", finish_reason=word)) as server, OpenAIEndpoint(server.url) as endpoint:
        assert complete(endpoint).finish_reason == "length"


def test_a_reply_that_was_cut_within_its_reasoning_is_cut_and_no_fault_of_the_servers() -> None:
    message = {"role": "assistant", "content": None, "reasoning_content": "let me see"}
    reply = said(None, message=message, finish_reason="length")
    with stranger(lambda _: reply) as server, OpenAIEndpoint(server.url) as endpoint:
        done = complete(endpoint)
    assert (done.text, done.finish_reason) == ("", "length")


def test_numbers_and_names_that_nothing_can_store_count_as_not_given() -> None:
    huge = 10**400
    reply = said("hi", token_ids=[huge], finish_reason="st\ud800op", logprobs={"content": [{"logprob": -huge}]})
    reply = Reply({**reply.body, "model": "\ud800", "prompt_token_ids": [1, -1], "usage": {"prompt_tokens": huge}})
    with stranger(lambda _: reply) as server, OpenAIEndpoint(server.url) as endpoint:
        done = complete(endpoint)
    assert (done.prompt_ids, done.completion_ids, done.prompt_tokens) == (None, None, None)
    assert (done.model + done.finish_reason).isprintable()


def test_a_model_list_is_read_whatever_type_the_server_says_it_has() -> None:
    plain = Reply({"data": [{"id": "m"}]}, headers={"content-type": "text/plain"})
    with (
        stranger(lambda _: said(), routes={"/v1/models": plain}) as server,
        OpenAIEndpoint(server.url) as endpoint,
    ):
        assert endpoint.models() == ("m",)
        assert complete(endpoint).text == "hi"


def test_a_model_list_is_read_where_it_is_the_whole_answer_and_a_content_where_it_comes_in_parts() -> None:
    parts = [{"type": "text", "text": "ls "}, {"type": "text", "text": "/srv"}]
    reply = said(None, message={"role": "assistant", "content": parts})
    with (
        stranger(lambda _: reply, routes={"/v1/models": Reply([{"id": "m"}])}) as server,
        OpenAIEndpoint(server.url) as endpoint,
    ):
        assert endpoint.models() == ("m",)
        assert complete(endpoint).text == "ls /srv"


def test_a_model_list_without_a_bottom_is_no_json_and_no_crash() -> None:
    with stranger(lambda _: said(), routes={"/v1/models": Reply(b"[" * 200_000)}) as server:
        assert "answered with no JSON" in str(error_of(server))


def test_half_a_surrogate_pair_in_a_reply_becomes_text_that_can_be_written() -> None:
    with stranger(lambda _: said("a\ud800b")) as server, OpenAIEndpoint(server.url) as endpoint:
        assert complete(endpoint).text == "a\ufffdb"


def test_a_hiccup_is_tried_again_and_a_wish_to_wait_is_honoured() -> None:
    script = {"models": {"m": {"replies": [
        {"text": "first", "status": 503, "times": 2},
        {"text": "second", "status": 429, "retry_after": 0.2, "times": 1},
        {"text": "third", "drop": True, "times": 1},
    ]}}}  # fmt: skip
    conversation = list(HELLO)
    with scripted_server(script) as url, OpenAIEndpoint(url) as endpoint:
        for expected in ("first", "second", "third"):
            reply = endpoint.complete(conversation, model="m", seed=1, temperature=0.0, max_tokens=5)
            assert reply.text == expected
            conversation += [Message(role=Role.ASSISTANT, content=reply.text), Message(role=Role.USER, content="on")]
        assert reply.seconds > 0


def test_a_server_that_keeps_failing_is_given_up_with_its_words() -> None:
    script = {"models": {"m": {"replies": [{"status": 503, "error": "loading"}]}, "n": {"replies": [{"drop": True}]}}}
    with scripted_server(script) as url, OpenAIEndpoint(url, timeout=1.0) as endpoint:
        with pytest.raises(EndpointError, match="503: loading"):
            complete(endpoint)
        with pytest.raises(EndpointError, match="broke its answer off"):
            complete(endpoint, "n")


def test_a_refusal_is_not_tried_again() -> None:
    with stranger(lambda _: refused(400, "no")) as server:
        error_of(server)
        assert len(server.chats()) == 2  # with the extra fields, and without


def test_a_call_ends_at_its_deadline() -> None:
    with (
        scripted_server({"models": {"m": {"replies": [{"text": "late", "delay": 2.0}]}}}) as url,
        OpenAIEndpoint(url, timeout=0.3) as endpoint,
        pytest.raises(EndpointError, match=r"did not answer within 0\.3"),
    ):
        complete(endpoint)


def test_an_answer_that_drips_is_given_up_at_the_deadline_whatever_was_asked() -> None:
    models, tokens = Reply({"data": [{"id": "m"}]}, drip=60), Reply({"tokens": [1]}, drip=60)
    with stranger(lambda _: said(), routes={"/v1/models": models}) as server:
        assert "did not finish its answer in time" in str(error_of(server, timeout=0.5))
    with stranger(lambda _: replace(said(), drip=60)) as server:
        assert "did not finish its answer in time" in str(error_of(server, timeout=0.5))
    with (
        stranger(lambda _: said(), routes={"/tokenize": tokens}) as server,
        OpenAIEndpoint(server.url, timeout=0.5) as endpoint,
    ):
        assert not endpoint.probe("m").tokenize


def test_nobody_at_the_address_is_said_so() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound, never listening
        port = held.getsockname()[1]
        with (
            OpenAIEndpoint(f"http://127.0.0.1:{port}/v1", timeout=1.0) as endpoint,
            pytest.raises(EndpointError, match=rf"{port}.*cannot be reached.*is the server running"),
        ):
            endpoint.models()


def test_many_threads_share_one_client_and_probe_once() -> None:
    with stranger(lambda body: said(body["messages"][-1]["content"])) as server, OpenAIEndpoint(server.url) as endpoint:

        def one(i: int) -> str:
            message = Message(role=Role.USER, content=f"number {i}")
            return endpoint.complete([message], model="m", seed=i, temperature=0.0, max_tokens=5).text

        with ThreadPoolExecutor(16) as pool:
            assert list(pool.map(one, range(64))) == [f"number {i}" for i in range(64)]
        assert sum(body["messages"][-1]["content"].startswith("number") for body in server.chats()) == 64
        assert sum(path == "/v1/models" for path, _, _ in server.asked) == 1


def test_the_environments_key_and_proxy_are_never_sent_to_a_stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-private")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-private")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-private")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    with stranger(lambda _: said()) as server, OpenAIEndpoint(server.url) as endpoint:
        complete(endpoint)
        assert not any("private" in value for _, _, headers in server.asked for value in headers.values())
    with stranger(lambda _: said()) as server, OpenAIEndpoint(server.url, api_key="sk-given") as endpoint:
        complete(endpoint)
        assert all(headers["authorization"] == "Bearer sk-given" for _, _, headers in server.asked)


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("http://h:8000", "http://h:8000/v1"),
        ("http://h:8000/", "http://h:8000/v1"),
        ("http://h:8000/v1/", "http://h:8000/v1"),
        ("http://h:8000/v1/chat/completions", "http://h:8000/v1"),
        ("http://h:8000/chat/completions/", "http://h:8000/v1"),
        ("http://h/openai/v1/models", "http://h/openai/v1"),
        ("localhost:8000", "http://localhost:8000/v1"),
        (" https://h/v1 ", "https://h/v1"),
        ("[::1]:8000", "http://[::1]:8000/v1"),
        ("http://h/api/v3", "http://h/api/v3"),
    ],
)
def test_a_url_is_understood_as_people_type_it(typed: str, base: str) -> None:
    assert parse_address(typed).base == base


@pytest.mark.parametrize(
    "typed", ["", "ftp://h/v1", "http://", "http://h:port/v1", "http://h/v1?x=1", "http://u:p@h/v1"]
)
def test_what_is_no_url_is_refused(typed: str) -> None:
    with pytest.raises(BadInputError):
        parse_address(typed)


def test_importing_the_room_loads_neither_openai_nor_torch() -> None:
    import subprocess
    import sys

    code = "import sys, harness.endpoint; print(sorted({'openai', 'torch', 'fastapi', 'httpx'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert done.stdout.strip() == "[]"
