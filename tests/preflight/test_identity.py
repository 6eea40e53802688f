"""What an adapter's directory says of itself is compared with the base and with this run's contract."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.errors import BadInputError
from harness.preflight import check_adapter_identity, check_training_contract
from tests.preflight.conftest import Healthy

TEMPLATE, BASE = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.fixture
def adapter(healthy_server: Healthy, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(healthy_server.adapters["tuned"], tmp_path / "adapter"))


def _state(adapter: Path, *, contract: str = "1", template: str | None = TEMPLATE, base: str = BASE) -> None:
    record: Mapping[str, object] = {
        "identity": {"base_digest": base, "render_contract": contract},
        "chat_template": template,
    }
    (adapter / "training.json").write_text(json.dumps(record))


def test_an_adapter_of_this_contract_passes_without_a_note(adapter: Path) -> None:
    _state(adapter)
    assert check_training_contract(adapter, render_contract="1", template_digest=TEMPLATE, mode="block") == ()


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"contract": "0"}, "trained under render contract 0, this is 1"),
        ({"template": "sha256:" + "c" * 64}, "trained with the chat template cccccccccccc, the base has aaaaaaaaaaaa"),
    ],
    ids=["contract", "template"],
)
def test_an_adapter_of_another_contract_is_refused_or_noted(
    adapter: Path, stated: Mapping[str, str], words: str
) -> None:
    _state(adapter, **stated)
    with pytest.raises(BadInputError, match=words) as refused:
        check_training_contract(adapter, render_contract="1", template_digest=TEMPLATE, mode="block")
    assert "--contract warn" in refused.value.hint
    (note,) = check_training_contract(adapter, render_contract="1", template_digest=TEMPLATE, mode="warn")
    assert words in note


def test_an_adapter_without_a_record_is_noted_and_a_damaged_record_is_refused(adapter: Path) -> None:
    (note,) = check_training_contract(adapter, render_contract="1", template_digest=TEMPLATE, mode="block")
    assert note == "the adapter does not say what contract it was trained under"
    (adapter / "training.json").write_text("[")
    with pytest.raises(BadInputError, match=r"training.json is not JSON"):
        check_training_contract(adapter, render_contract="1", template_digest=TEMPLATE, mode="warn")


def test_an_adapter_fits_the_base_that_its_record_or_its_config_names(adapter: Path, healthy_server: Healthy) -> None:
    assert check_adapter_identity(adapter, healthy_server.base, base_digest=BASE, mode="block") == ()
    _state(adapter)
    assert check_adapter_identity(adapter, healthy_server.base, base_digest=BASE, mode="block") == ()


def test_a_base_of_another_digest_is_refused_or_noted(adapter: Path, healthy_server: Healthy) -> None:
    _state(adapter, base="sha256:" + "d" * 64)
    with pytest.raises(BadInputError, match="trained on a base with digest dddddddddddd"):
        check_adapter_identity(adapter, healthy_server.base, base_digest=BASE, mode="block")
    (note,) = check_adapter_identity(adapter, healthy_server.base, base_digest=BASE, mode="warn")
    assert "dddddddddddd" in note


def test_an_adapter_that_names_another_place_is_noted(adapter: Path, healthy_server: Healthy, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(healthy_server.base, tmp_path / "moved"))
    (note,) = check_adapter_identity(adapter, moved, base_digest=BASE, mode="block")
    assert "rests on its tensors' shapes" in note


def test_a_rank_over_the_servers_limit_is_refused(adapter: Path, healthy_server: Healthy) -> None:
    check_adapter_identity(adapter, healthy_server.base, base_digest=BASE, mode="block", max_rank=4)
    with pytest.raises(BadInputError, match="has rank 4, the server takes 2"):
        check_adapter_identity(adapter, healthy_server.base, base_digest=BASE, mode="warn", max_rank=2)


def test_an_adapter_that_brings_the_bases_own_tokenizer_passes(adapter: Path, healthy_server: Healthy) -> None:
    for name in ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        shutil.copy(healthy_server.base / name, adapter / name)
    saved = json.loads((adapter / "tokenizer.json").read_text())
    cut = {"direction": "Right", "max_length": 512, "strategy": "LongestFirst", "stride": 0}
    (adapter / "tokenizer.json").write_text(json.dumps({**saved, "truncation": cut}))  # as a trainer leaves it
    assert check_adapter_identity(adapter, healthy_server.base, base_digest=BASE, mode="block") == ()


def _another_template(adapter: Path, base: Path) -> None:
    (adapter / "chat_template.jinja").write_text((base / "chat_template.jinja").read_text() + "{# #}")


def _another_vocabulary(adapter: Path, base: Path) -> None:
    saved = json.loads((base / "tokenizer.json").read_text())
    saved["model"]["merges"] = saved["model"]["merges"][:-1]
    (adapter / "tokenizer.json").write_text(json.dumps(saved))


def _another_end(adapter: Path, base: Path) -> None:
    saved = json.loads((base / "tokenizer_config.json").read_text())
    (adapter / "tokenizer_config.json").write_text(json.dumps({**saved, "eos_token": "<|endoftext|>"}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_another_template, "its chat template .* is not the base's"),
        (_another_vocabulary, "its tokenizer.json makes other ids"),
        (_another_end, "its tokenizer_config.json states other special tokens"),
    ],
    ids=["template", "vocabulary", "special tokens"],
)
def test_an_adapter_that_brings_another_tokenizer_is_refused(
    adapter: Path, healthy_server: Healthy, change: object, words: str
) -> None:
    assert callable(change)
    change(adapter, healthy_server.base)
    with pytest.raises(BadInputError, match=words):
        check_adapter_identity(adapter, healthy_server.base, base_digest=BASE, mode="block")
    assert len(check_adapter_identity(adapter, healthy_server.base, base_digest=BASE, mode="warn")) == 1


def test_other_variables_of_the_template_are_another_contract(adapter: Path) -> None:
    stated = {"identity": {"render_contract": "1"}, "chat_template": TEMPLATE, "chat_template_kwargs": {"think": False}}
    (adapter / "training.json").write_text(json.dumps(stated))

    def checked(variables: Mapping[str, object]) -> tuple[str, ...]:
        return check_training_contract(
            adapter, render_contract="1", template_digest=TEMPLATE, variables=variables, mode="block"
        )

    assert checked({"think": False}) == ()
    with pytest.raises(BadInputError, match=r'was given \{"think": false\} in training, and is given \{\} here'):
        checked({})
