"""What evalh tells a vLLM server and what it believes of it, with a stand-in that takes the same arguments."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from harness.arms import Serving, local_arms, served
from harness.endpoint import load_adapter, vllm_server
from harness.endpoint.vllm_log import causes, engine_words
from harness.endpoint.vllm_options import checkpoint_dtype, find_program, slot_rank, vllm_options
from harness.errors import BadInputError, EndpointError
from tests.endpoint.strangers import Reply, refused, said, stranger
from tests.tiny_model import make_tiny_adapter

STAND_IN = Path(__file__).parents[1] / "programs" / "stand_in_vllm.py"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "bin" / "vllm"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I "{STAND_IN}" "$@"\n')
    path.chmod(0o755)
    monkeypatch.setenv("EVALH_VLLM", str(path))
    return path


def copy_with(base: Path, target: Path, **config: object) -> Path:
    """The base with other entries in its config; None takes one away."""
    copied = Path(shutil.copytree(base, target))
    table = json.loads((copied / "config.json").read_text()) | config
    (copied / "config.json").write_text(json.dumps({key: value for key, value in table.items() if value is not None}))
    return copied


def test_nothing_that_decides_the_replies_is_left_to_vllms_own_choice(tiny_base: Path, tiny_adapter: Path) -> None:
    options = vllm_options(tiny_base, {"tuned": tiny_adapter}, chat_template=tiny_base / "chat_template.jinja")
    told = options.arguments(port=1234)
    assert told[0] == str(tiny_base)
    module = json.loads(told[told.index("--lora-modules") + 1])
    assert module == {"name": "tuned", "path": str(tiny_adapter)}
    for argument in (
        *("--served-model-name=base", "--enable-lora", "--max-lora-rank=8", "--max-loras=2", "--dtype=float32"),
        *("--host=127.0.0.1", "--port=1234", "--generation-config=vllm", "--chat-template-content-format=string"),
        f"--chat-template={tiny_base / 'chat_template.jinja'}",
    ):
        assert argument in told


def test_a_slot_is_one_of_vllms_sizes_and_holds_every_module(tiny_base: Path, tmp_path: Path) -> None:
    for rank, slot in ((1, 1), (4, 8), (8, 8), (9, 16), (33, 64)):
        adapter = make_tiny_adapter(tmp_path / str(rank), tiny_base, rank=rank, target_modules=["q_proj"])
        assert slot_rank([adapter]) == slot
    config = tmp_path / "1" / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"rank_pattern": {"v_proj": 20}}))
    assert slot_rank([tmp_path / "1"]) == 32
    config.write_text(json.dumps(json.loads(config.read_text()) | {"r": 513}))
    with pytest.raises(BadInputError, match="rank 513 is above the 512"):
        slot_rank([tmp_path / "1"])


def test_auto_is_the_type_that_the_checkpoint_was_saved_in(tiny_base: Path, tmp_path: Path) -> None:
    assert checkpoint_dtype(tiny_base) == "float32"
    cases: tuple[tuple[dict[str, object], str], ...] = (
        ({"dtype": "bfloat16"}, "bfloat16"),
        ({"dtype": None, "torch_dtype": "torch.float16"}, "float16"),
        ({"dtype": None, "text_config": {"dtype": "bfloat16"}}, "bfloat16"),
        ({"dtype": None}, "float32"),  # by the weights
    )
    for number, (config, expected) in enumerate(cases):
        assert checkpoint_dtype(copy_with(tiny_base, tmp_path / str(number), **config)) == expected
    silent = copy_with(tiny_base, tmp_path / "silent", dtype=None)
    (silent / "model.safetensors").unlink()
    with pytest.raises(BadInputError, match="names no dtype"):
        checkpoint_dtype(silent)


def test_without_a_vllm_program_it_says_how_to_get_one(
    tiny_base: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EVALH_VLLM", str(tmp_path / "no"))
    with pytest.raises(BadInputError, match=r"EVALH_VLLM=.*no such program"):
        find_program()
    monkeypatch.delenv("EVALH_VLLM")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(BadInputError, match="no vllm program was found") as caught, vllm_server(tiny_base, {}):
        pass
    assert "pip install 'evalh[vllm]'" in caught.value.hint


def test_both_arms_come_from_one_checked_server_that_is_gone_afterwards(
    program: Path, tiny_base: Path, tiny_adapter: Path, tmp_path: Path
) -> None:
    log = tmp_path / "logs" / "server.log"
    with served(local_arms(tiny_adapter, tiny_base), Serving(engine="vllm", log=log)) as server:
        assert server.facts is not None
        assert (server.facts.version, server.facts.dtype, server.facts.dtype_seen) == ("0.32.0", "float32", "float32")
        assert (server.facts.max_model_len, server.facts.max_loras, server.facts.max_lora_rank) == (2048, 2, 8)
        assert server.facts.program == str(program)
        assert f"--port={server.url.split(':')[2].removesuffix('/v1')}" in server.facts.args
    with pytest.raises(EndpointError, match="cannot be reached"):
        load_adapter(server.url, "tuned", tiny_adapter)
    assert "Initializing" in log.read_text()


@pytest.mark.parametrize(
    ("strays", "words"),
    [
        ({"dies": "vllm: error: unrecognized arguments: --no"}, "status 1 .*log says: vllm: error: unrecognized arg"),
        ({"version": "0.9.2"}, "is vLLM 0.9.2 .*0.10 or later"),
        ({"dtype": "bfloat16"}, "told --dtype float32 and made an engine of bfloat16"),
        ({"length": 512}, "told --max-model-len 1024 and lists 512"),
        ({"cards": {"tuned": {"id": "other"}}}, "does not serve tuned .*it serves base, other"),
        ({"cards": {"tuned": {"root": "/elsewhere"}}}, "serves tuned from /elsewhere"),
        ({"cards": {"tuned": {"parent": "other"}}}, "parent other"),
        ({"cards": {"base": {"parent": "tuned"}}}, "serves base from .* parent tuned"),
    ],
)
def test_a_server_that_is_not_what_was_asked_for_is_refused(
    program: Path, tiny_base: Path, tiny_adapter: Path, strays: dict[str, object], words: str
) -> None:
    def start(environment: dict[str, str]) -> None:
        with vllm_server(tiny_base, {"tuned": tiny_adapter}, max_model_len=1024, environment=environment):
            pass

    start({})  # the same without the fault
    with pytest.raises(EndpointError, match=words):
        start({"STAND_IN": json.dumps(strays)})


def test_a_log_tells_the_engine_and_the_first_causes() -> None:
    log = "\n".join(
        (
            "(EngineCore pid=1) INFO 11-21 07:11:55 [core.py:133] Initializing a V1 LLM engine (v0.32.0) with config: "
            "model='m', kv_cache_dtype=auto, dtype=torch.bfloat16, max_seq_len=77, seed=0",
            "(EngineCore pid=1) ERROR 11-21 07:11:56 [core.py:9] Traceback (most recent call last):",
            "(EngineCore pid=1) ERROR 11-21 07:11:56 [core.py:9] ValueError: rank 9 is greater than 8.",
            "(EngineCore pid=1) ValueError: rank 9 is greater than 8.",
            "(APIServer pid=2) RuntimeError: Engine core initialization failed. See root cause above.",
        )
    )
    words = engine_words(log)
    assert (words.dtype, words.max_model_len) == ("bfloat16", 77)
    assert causes(log) == ["ValueError: rank 9 is greater than 8."]
    assert causes(log.splitlines()[-1]) == ["RuntimeError: Engine core initialization failed. See root cause above."]
    assert engine_words("nothing").dtype is None


def test_an_adapter_is_loaded_into_a_running_server_or_it_says_why_not(tiny_adapter: Path) -> None:
    route = "/v1/load_lora_adapter"
    with stranger(lambda _: said(), routes={route: Reply(b"Success: LoRA adapter 'x' added")}) as server:
        load_adapter(server.url, "x", tiny_adapter, api_key="k")
        path, body, headers = server.asked[-1]
        assert (path, body) == (route, {"lora_name": "x", "lora_path": str(tiny_adapter)})
        assert headers["authorization"] == "Bearer k"
    with (
        stranger(lambda _: said()) as server,
        pytest.raises(BadInputError, match="VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"),
    ):
        load_adapter(server.url, "x", tiny_adapter)
    reason = refused(400, "The lora adapter 'x' has already been loaded.")
    with stranger(lambda _: said(), routes={route: reason}) as server, pytest.raises(EndpointError, match="already"):
        load_adapter(server.url, "x", tiny_adapter)
