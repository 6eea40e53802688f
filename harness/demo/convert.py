"""Turns the GGUF file into an ordinary checkpoint that transformers, peft and vLLM load, and proves that it talks."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any, Final

from harness.demo.fetch import GGUF_SHA256, LICENCE, PACKAGE, VERSION
from harness.demo.places import BASE
from harness.errors import InfrastructureError
from harness.training.places import alone, whole_directory
from harness.training.saving import writing

STAMP: Final = "evalh.json"
CONTEXT: Final = 8192
QUESTION: Final = "What is the capital of France?"
ANSWER: Final = "Paris"

_ORIGIN: Final = {
    "made_by": "evalh demo fetch",
    "layout": 1,
    "model": "SmolLM2-135M-Instruct",
    "licence": LICENCE,
    "package": f"{PACKAGE}=={VERSION}",
    "gguf_sha256": GGUF_SHA256,
}


def is_converted(target: Path = BASE) -> bool:
    """Whether `target` holds the checkpoint that `convert` makes of the pinned file."""
    try:
        return json.loads((target / STAMP).read_bytes()) == _ORIGIN and (target / "model.safetensors").is_file()
    except (OSError, ValueError):
        return False


def convert(gguf: Path, target: Path = BASE, *, say: Callable[[str], None]) -> Path:
    """Make the checkpoint in `target` out of the GGUF file: bfloat16 safetensors, tokenizer, chat template.

    bfloat16 because it halves the file, is read three times faster by CPUs that have the instructions, and loses
    nothing that the file's four-bit weights had. Does nothing when it is there.

    Raises:
        InfrastructureError: the weights do not load, the disk is full, or the made model does not answer sanely.
    """
    with alone(target):
        if is_converted(target):
            say(f"{target} is there")
            return target
        say(f"making {target} of {gguf.name}")
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        with whole_directory(target) as scratch:
            with redirect_stderr(io.StringIO()):  # progress bars, which no setting of the reader turns off
                _write_checkpoint(gguf, scratch)
                answer = greedy_reply(scratch, QUESTION)
            if ANSWER not in answer:
                raise InfrastructureError(
                    f"the converted model answers {QUESTION!r} with {answer[:80]!r}",
                    hint="the installed transformers or gguf reads the file wrongly: install the pinned versions",
                )
            (scratch / STAMP).write_text(json.dumps(_ORIGIN, indent=2) + "\n", encoding="utf-8")
        say(f"{target} made; it knows that the capital of France is {ANSWER}")
    return target


def _write_checkpoint(gguf: Path, folder: Path) -> None:
    """Load through transformers' GGUF reader, then save once without its quantisation config, which forbids saving."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, LlamaConfig, LlamaForCausalLM

    place, name = str(gguf.parent), gguf.name
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, gguf_file=name)
        read = AutoModelForCausalLM.from_pretrained(place, gguf_file=name, dtype=torch.float32)
    except (OSError, ValueError, ImportError, KeyError) as error:
        raise InfrastructureError(
            f"{gguf} could not be read: {str(error).splitlines()[0][:200]}",
            hint="install evalh[demo] (transformers with gguf)",
        ) from error
    options = read.config.to_dict()
    for key in ("quantization_config", "_model_name_or_path"):
        options.pop(key, None)
    model = LlamaForCausalLM(LlamaConfig(**options))
    model.load_state_dict(read.state_dict())
    model.to(torch.bfloat16)
    ends = tokenizer.eos_token_id
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id, eos_token_id=ends, pad_token_id=ends
    )
    tokenizer.model_max_length = CONTEXT
    with writing(folder):
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    theta = float(getattr(read.config, "rope_parameters", {}).get("rope_theta", 0) or options.get("rope_theta", 0))
    _amend(folder / "config.json", {"rope_theta": theta})  # transformers 4 would take 10000 without a word
    _amend(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})  # its name in 4 and 5


def _amend(path: Path, changes: dict[str, object]) -> None:
    table = json.loads(path.read_bytes())
    for key in ("_model_name_or_path", "name_or_path", "is_local", "local_files_only", "gguf_file"):
        table.pop(key, None)
    table.update(changes)
    path.write_text(json.dumps(table, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def greedy_reply(folder: Path, question: str, *, new_tokens: int = 24) -> str:
    """What the checkpoint in `folder` answers to one user turn, greedily; control tokens left out."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    turns = [{"role": "user", "content": question}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    prompt = tokenizer(text, add_special_tokens=False, return_tensors="pt")
    with torch.inference_mode():
        out = model.generate(**prompt, max_new_tokens=new_tokens, do_sample=False)
    return str(tokenizer.decode(out[0, prompt["input_ids"].shape[1] :], skip_special_tokens=True))
