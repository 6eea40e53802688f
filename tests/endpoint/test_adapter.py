"""Adapters are judged before anything starts: by their own files, and against the base's."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.arms import local_arms
from harness.endpoint import check_adapter_fits, read_adapter
from harness.endpoint.tensors import read_header
from harness.errors import BadInputError
from tests.tiny_model import ALL_LINEARS, make_tiny_adapter, make_tiny_llama


@pytest.fixture
def adapter(tiny_adapter: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(tiny_adapter, tmp_path / "adapter"))


def edit(adapter: Path, **changes: object) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_an_adapter_says_what_it_is(tiny_adapter: Path, tiny_base: Path) -> None:
    info = read_adapter(tiny_adapter)
    assert (info.base, info.rank, info.alpha) == (str(tiny_base), 4, 8.0)
    assert info.target_modules == tuple(sorted(ALL_LINEARS))
    assert info.digest.startswith("sha256:")
    check_adapter_fits(tiny_adapter, tiny_base)


def test_the_digest_changes_with_a_single_bit_of_the_weights(adapter: Path) -> None:
    before = read_adapter(adapter).digest
    weights = adapter / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert read_adapter(adapter).digest != before


def remove_config(adapter: Path) -> None:
    (adapter / "adapter_config.json").unlink()


def look_like_a_model(adapter: Path) -> None:
    (adapter / "adapter_config.json").rename(adapter / "config.json")


def lie_deeper(adapter: Path) -> None:
    inner = adapter / "checkpoint-80"
    inner.mkdir()
    (adapter / "adapter_config.json").rename(inner / "adapter_config.json")


def be_no_json(adapter: Path) -> None:
    (adapter / "adapter_config.json").write_text("{")


def be_a_pickle(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").rename(adapter / "adapter_model.bin")


def have_no_weights(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").unlink()


def be_cut_short(adapter: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def be_cut_in_the_header(adapter: Path) -> None:
    weights = adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:50])


def be_empty(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").write_bytes(b"")


def be_rubbish(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").write_bytes(b"\xff" * 200)


def hold_no_tensors(adapter: Path) -> None:
    (adapter / "adapter_model.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (remove_config, "holds no adapter_config.json"),
        (look_like_a_model, "looks like a whole model"),
        (lie_deeper, "did you mean .*checkpoint-80"),
        (be_no_json, "is not JSON"),
        (be_a_pickle, "pickle"),
        (have_no_weights, "holds no adapter_model.safetensors"),
        (be_cut_short, "cut short"),
        (be_cut_in_the_header, "not a whole safetensors file"),
        (be_empty, "not a whole safetensors file"),
        (be_rubbish, "not a whole safetensors file"),
        (hold_no_tensors, "holds no LoRA tensors"),
        (lambda adapter: edit(adapter, peft_type="PREFIX_TUNING"), "peft_type is 'PREFIX_TUNING'"),
        (lambda adapter: edit(adapter, peft_type=None), "peft_type is None"),
        (lambda adapter: edit(adapter, r=0), "r is 0"),
        (lambda adapter: edit(adapter, r="8"), "r is '8'"),
        (lambda adapter: edit(adapter, lora_alpha=None), "lora_alpha is None"),
        (lambda adapter: edit(adapter, lora_alpha=10**400), "lora_alpha is 1000"),
        (lambda adapter: edit(adapter, lora_alpha=float("nan")), "lora_alpha is nan"),
        (lambda adapter: edit(adapter, lora_alpha=float("inf")), "lora_alpha is inf"),
        (lambda adapter: edit(adapter, bias="all"), "changes the base's own biases"),
    ],
)
def test_a_damaged_adapter_is_refused_with_the_file_and_what_is_wrong(
    adapter: Path, spoil: Callable[[Path], None], words: str
) -> None:
    spoil(adapter)
    with pytest.raises(BadInputError, match=words) as caught:
        read_adapter(adapter)
    assert str(adapter) in caught.value.message


def test_a_missing_adapter_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="does not exist"):
        read_adapter(tmp_path / "no")


def test_an_adapter_of_a_wider_base_is_refused_with_its_first_tensor(tiny_base: Path, tmp_path: Path) -> None:
    wide = make_tiny_llama(tmp_path / "wide", hidden_size=128)
    foreign = make_tiny_adapter(tmp_path / "foreign", wide)
    with pytest.raises(
        BadInputError, match=r"another base: .*lora_A.weight has the shape 4 x 256, but .* has 64 x 128"
    ):
        check_adapter_fits(foreign, tiny_base)


def test_an_adapter_of_a_deeper_base_is_refused_with_the_module_that_is_missing(
    tiny_base: Path, tmp_path: Path
) -> None:
    deep = make_tiny_llama(tmp_path / "deep", layers=3)
    foreign = make_tiny_adapter(tmp_path / "foreign", deep)
    with pytest.raises(BadInputError, match=r"another base: .*model\.layers\.2.* does not have"):
        check_adapter_fits(foreign, tiny_base)


def test_an_adapter_for_modules_of_other_names_is_refused(adapter: Path, tiny_base: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = adapter / "adapter_model.safetensors"
    renamed = {name.replace("q_proj", "query"): tensor for name, tensor in load_file(weights).items()}
    save_file(renamed, weights)
    with pytest.raises(BadInputError, match=r"changes the module .*query, which .* does not have"):
        check_adapter_fits(adapter, tiny_base)


def test_a_base_in_shards_is_read_through_its_index(tiny_adapter: Path, tiny_base: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    AutoModelForCausalLM.from_pretrained(tiny_base).save_pretrained(tmp_path, max_shard_size="100KB")
    assert (tmp_path / "model.safetensors.index.json").is_file()
    check_adapter_fits(tiny_adapter, tmp_path)
    sorted(tmp_path.glob("model-*.safetensors"))[0].unlink()
    with pytest.raises(BadInputError, match="cannot be read"):
        check_adapter_fits(tiny_adapter, tmp_path)


def test_a_base_that_is_no_checkpoint_is_refused(tiny_adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no checkpoint"):
        check_adapter_fits(tiny_adapter, tmp_path)


def test_an_adapter_of_tied_heads_and_embeddings_fits(tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(
        vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
        tie_word_embeddings=True,
    )  # fmt: skip
    base = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    base.save_pretrained(tmp_path / "base")
    assert "lm_head.weight" not in read_header(tmp_path / "base" / "model.safetensors")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lora = LoraConfig(r=2, target_modules=["lm_head", "embed_tokens"], task_type="CAUSAL_LM")
        get_peft_model(base, lora).save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    check_adapter_fits(tmp_path / "adapter", tmp_path / "base")


def test_an_adapter_that_brings_the_layers_it_adapts_fits_and_is_served_as_trained(
    tiny_base: Path, tmp_path: Path
) -> None:
    import warnings

    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from harness.endpoint.resident.adapters import Adapters

    lora = LoraConfig(
        r=2, target_modules=["lm_head", "embed_tokens"], task_type="CAUSAL_LM", init_lora_weights=False
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trained = get_peft_model(AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32), lora).eval()
        trained.save_pretrained(tmp_path / "adapter")
        served = AutoModelForCausalLM.from_pretrained(tiny_base, dtype=torch.float32).eval()
    assert any("base_layer" in name for name in read_header(tmp_path / "adapter" / "adapter_model.safetensors"))
    check_adapter_fits(tmp_path / "adapter", tiny_base)
    adapters = Adapters(served, torch.device("cpu"))
    key = adapters.load(tmp_path / "adapter")
    tokens = torch.arange(6)[None]
    with torch.inference_mode(), adapters.route([key]):
        assert torch.equal(served(input_ids=tokens).logits, trained(input_ids=tokens).logits)


def test_an_adapter_that_brings_the_head_of_another_vocabulary_is_refused(tiny_base: Path, tmp_path: Path) -> None:
    import warnings

    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForCausalLM.from_pretrained(tiny_base)
        model.resize_token_embeddings(model.config.vocab_size + 8, mean_resizing=False)
        lora = LoraConfig(r=2, target_modules=["lm_head"], task_type="CAUSAL_LM")
        get_peft_model(model, lora).save_pretrained(tmp_path / "adapter")
    with pytest.raises(BadInputError, match=r"is an adapter of another base: .*lm_head"):
        check_adapter_fits(tmp_path / "adapter", tiny_base)


@pytest.mark.parametrize("named", ["", "x" * 5000, "~nobody-of-this-name/base"])
def test_a_base_that_an_adapter_names_and_nobody_has_is_asked_for(
    adapter: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    edit(adapter, base_model_name_or_path=named)
    monkeypatch.chdir(tiny_base)  # a checkpoint that happens to be here is not meant by an empty name
    with pytest.raises(BadInputError, match=r"is no directory here .give --base DIR"):
        local_arms(adapter, None)


def test_judging_an_adapter_needs_no_torch(tiny_adapter: Path, tiny_base: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys; from pathlib import Path; from harness.endpoint import check_adapter_fits;"
        "check_adapter_fits(Path(sys.argv[1]), Path(sys.argv[2])); print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tiny_adapter), str(tiny_base)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
