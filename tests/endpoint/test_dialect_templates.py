"""The chat template of the resident server decides what is rendered, and a request cannot replace it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.endpoint import web
from harness.endpoint.resident.app import make_resident_app
from harness.endpoint.resident.options import ServeOptions
from harness.endpoint.resident.service import Service
from tests.endpoint.rooms import Running, error, working
from tests.tiny_model import make_tiny_llama

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
