"""The resident server refuses by name whatever it would not carry out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.endpoint.rooms import Running, error, http


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
