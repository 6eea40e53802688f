"""`evalh serve` as a process: it says when it answers, refuses what it cannot serve, and never outlives its parent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import pytest

from harness.endpoint import OpenAIEndpoint, resident_server
from harness.endpoint.managed import child_server
from harness.endpoint.resident.options import ServeOptions
from harness.endpoint.resident.tokens import load_tokenizer
from harness.endpoint.resident.worker import Worker
from harness.errors import BadInputError, EndpointError
from harness.values import Completion, Message, Role
from tests.tiny_model import make_tiny_adapter, make_tiny_llama

LONG = 120.0


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_llama(tmp_path_factory.mktemp("served") / "base")


@pytest.fixture(scope="module")
def adapter(base: Path) -> Path:
    return make_tiny_adapter(base.parent / "adapter", base)


def say(endpoint: OpenAIEndpoint, model: str, content: str = "hello", *, seed: int = 1) -> Completion:
    messages = [Message(role=Role.USER, content=content)]
    return endpoint.complete(messages, model=model, seed=seed, temperature=0.8, max_tokens=12)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def eventually(holds: Callable[[], bool]) -> None:
    ends = monotonic() + LONG
    while monotonic() < ends:
        if holds():
            return
    raise AssertionError("it never came")


@contextmanager
def process(*options: str) -> Iterator[subprocess.Popen[str]]:
    """`evalh serve` with a pipe on each side."""
    child = subprocess.Popen(
        [sys.executable, "-m", "evalh", "serve", *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


def refusal(*options: str) -> tuple[int, str]:
    with process(*options) as child:
        _, err = child.communicate(timeout=LONG)
        return child.returncode, err


def test_both_arms_answer_from_one_managed_server_that_is_gone_afterwards(base: Path, adapter: Path) -> None:
    with resident_server(base, {"tuned": adapter}, base_name="base") as url, OpenAIEndpoint(url) as endpoint:
        assert endpoint.models() == ("base", "tuned")
        assert say(endpoint, "base").text != say(endpoint, "tuned").text
    with OpenAIEndpoint(url, timeout=0.5) as endpoint, pytest.raises(EndpointError, match="cannot be reached"):
        endpoint.models()


def test_deterministic_twice_gives_the_same_replies(base: Path, adapter: Path) -> None:
    said = []
    for _ in range(2):
        with (
            resident_server(base, {"tuned": adapter}, deterministic=True) as url,
            OpenAIEndpoint(url) as endpoint,
        ):
            replies = [say(endpoint, name, f"node {i}", seed=i) for i in range(4) for name in ("base", "tuned")]
            said.append([(reply.text, reply.completion_ids, reply.logprobs) for reply in replies])
    assert said[0] == said[1]


def test_the_readiness_line_comes_once_it_answers(base: Path) -> None:
    with process(f"--base={base}", "--json") as child:
        assert child.stdout is not None
        ready = json.loads(child.stdout.readline())
        assert (ready["event"], ready["models"], ready["pid"]) == ("ready", ["base"], child.pid)
        with OpenAIEndpoint(ready["url"]) as endpoint:
            assert endpoint.models() == ("base",)
        child.send_signal(signal.SIGINT)
        assert child.wait(LONG) == 0


def test_a_person_gets_one_line_with_the_url(base: Path, adapter: Path) -> None:
    with process(f"--base={base}", f"--adapter=mine={adapter}", "--base-name=theirs") as child:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("serving theirs, mine at http://127.0.0.1:")
        child.send_signal(signal.SIGTERM)
        child.wait(LONG)


def test_it_ends_when_standard_input_does(base: Path) -> None:
    with process(f"--base={base}", "--exit-with-stdin", "--json") as child:
        assert child.stdout is not None
        assert child.stdin is not None
        child.stdout.readline()
        child.stdin.close()
        assert child.wait(LONG) == 0


def test_it_ends_while_it_still_loads_when_its_parent_is_gone(base: Path) -> None:
    with process(f"--base={base}", "--exit-with-stdin", "--json") as child:
        assert child.stdin is not None
        child.stdin.close()
        child.wait(LONG)
        assert child.stdout is not None
        assert child.stdout.read() == ""


PARENT = """
import sys
from pathlib import Path
from harness.endpoint import resident_server
with resident_server(Path(sys.argv[1]), {}) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def children(pid: int) -> list[int]:
    return [int(i) for i in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_killed_harness_leaves_no_server_behind(base: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(base)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        assert parent.stdout.readline().startswith("http://")
        servers = children(parent.pid)
        assert servers
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait(LONG)
        eventually(lambda: not any(alive(pid) for pid in servers))


def test_bad_input_is_one_line_and_exit_30(base: Path, adapter: Path, tmp_path: Path) -> None:
    other = make_tiny_llama(tmp_path / "other", hidden_size=32)
    damaged = make_tiny_llama(tmp_path / "damaged")
    config = json.loads((damaged / "config.json").read_text()) | {"num_attention_heads": "four"}
    (damaged / "config.json").write_text(json.dumps(config))
    for options, words in (
        ((), "give either --base DIR or --scripted FILE"),
        ((f"--base={tmp_path / 'no'}",), "does not exist"),
        ((f"--base={adapter}",), "this is an adapter"),
        ((f"--base={tmp_path}",), "no checkpoint"),
        ((f"--base={base}", f"--adapter={adapter}"), "not of the form NAME=DIR"),
        ((f"--base={base}", f"--adapter=base={adapter}"), "already taken"),
        ((f"--base={other}", f"--adapter=tuned={adapter}"), "another base"),
        ((f"--base={damaged}",), "num_attention_heads"),
        ((f"--base={base}", "--host=192.0.2.1"), "cannot listen"),
        ((f"--scripted={tmp_path / 'no.json'}",), "cannot be read"),
    ):
        status, err = refusal(*options)
        assert status == 30, err
        assert words in err
        assert len(err.strip().splitlines()) == 1, err


def test_a_base_without_a_template_and_a_context_that_it_lacks_are_refused(base: Path, tmp_path: Path) -> None:
    wordless = make_tiny_llama(tmp_path / "wordless", chat_template=None)
    with pytest.raises(BadInputError, match="no chat template"):
        load_tokenizer(ServeOptions(base=wordless))
    options = ServeOptions(base=base, max_model_len=100_000)
    with pytest.raises(BadInputError, match="more than the base's 2048"), Worker(options, load_tokenizer(options)):
        raise AssertionError("it was loaded")


def test_4_bit_without_a_gpu_is_refused_with_what_is_lacking(base: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device: the refusal cannot be seen here")
    status, err = refusal(f"--base={base}", "--load-4bit")
    assert status == 30
    assert "--load-4bit needs a CUDA device" in err


def test_a_checkpoint_with_missing_weights_is_refused_not_filled_with_noise(base: Path, tmp_path: Path) -> None:
    import shutil

    from safetensors.torch import load_file, save_file

    broken = Path(shutil.copytree(base, tmp_path / "broken"))
    tensors = load_file(broken / "model.safetensors")
    del tensors["model.layers.1.mlp.up_proj.weight"]
    save_file(tensors, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BadInputError, match="is not whole"), resident_server(broken, {}):
        pass


def test_a_server_that_dies_while_it_starts_shows_the_end_of_its_log(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "uvicorn.py").write_text('raise OSError("a broken installation")')
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    log = tmp_path / "server.log"
    words = r"ended with status 1 before it answered; its log ends: .*a broken installation"
    with pytest.raises(EndpointError, match=words), resident_server(base, {}, log=log):
        pass
    assert "Traceback" in log.read_text()


def test_a_script_is_served_by_the_same_command(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"models": {"m": {"replies": ["exit"]}}}))
    with child_server(["--scripted", str(path)]) as url, OpenAIEndpoint(url) as endpoint:
        assert say(endpoint, "m").text == "exit"
        assert endpoint.probe("m").scripted
