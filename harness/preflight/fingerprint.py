"""The file `fingerprint.json` beside an adapter: how base and adapter answered the canaries where it was trained."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

import render
from harness.errors import BadInputError, InfrastructureError
from harness.preflight.prompts import CANARIES, TOKENS, conversation_digest
from render import ChatTokenizer

FINGERPRINT: Final = "fingerprint.json"
REMEDY = "write it again: evalh fingerprint --base DIR --adapter DIR"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Greedy(_Strict):
    """One greedy reply: always `TOKENS` long, also past a token that would have ended it."""

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]  # nats, of each of `ids`
    text: str  # up to the first control token


class Canary(_Strict):
    """One conversation, what it was rendered to, and both arms' replies to it."""

    conversation: str  # digest
    prompt_ids: tuple[int, ...]
    base: Greedy
    tuned: Greedy


class Fingerprint(_Strict):
    """Both arms as they were where the adapter was made; digests are `sha256:…`."""

    version: Literal[1] = 1
    adapter_digest: str
    base_digest: str | None
    template_digest: str | None
    render_contract: str
    dtype: str  # that the base was computed in
    canaries: tuple[Canary, ...]


def take_fingerprint(
    model: Any,
    tokenizer: ChatTokenizer,
    *,
    adapter_digest: str,
    base_digest: str | None,
    chat_template_kwargs: Mapping[str, object] | None = None,
) -> Fingerprint:
    """Ask a peft model the canaries with its adapter and without; leaves the model as it was.

    Twelve greedy replies of eight tokens. `adapter_digest` is read_adapter(directory).digest of the saved adapter.

    Raises:
        RenderError: the template refuses a canary.
    """
    prompts = [
        render.render_ids(tokenizer, messages, add_generation_prompt=True, chat_template_kwargs=chat_template_kwargs)
        for messages in CANARIES
    ]
    with _at_rest(model):
        tuned = [_greedy(model, tokenizer, prompt) for prompt in prompts]
        with model.disable_adapter():
            base = [_greedy(model, tokenizer, prompt) for prompt in prompts]
    return Fingerprint(
        adapter_digest=adapter_digest,
        base_digest=base_digest,
        template_digest=render.template_digest(tokenizer),
        render_contract=str(render.CONTRACT_VERSION),
        dtype=str(model.get_base_model().dtype).removeprefix("torch."),
        canaries=tuple(
            Canary(conversation=conversation_digest(messages), prompt_ids=tuple(prompt), base=plain, tuned=trained)
            for messages, prompt, plain, trained in zip(CANARIES, prompts, base, tuned, strict=True)
        ),
    )


@contextmanager
def _at_rest(model: Any) -> Iterator[None]:
    """The model without dropout, gradients or checkpointing of them, for as long as this lasts."""
    import torch

    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module in training:
            module.training = True


def _greedy(model: Any, tokenizer: ChatTokenizer, prompt: Sequence[int]) -> Greedy:
    import torch

    device = next(model.parameters()).device
    ids: list[int] = []
    logprobs: list[float] = []
    fresh, kept = list(prompt), None
    for _ in range(TOKENS):
        output = model(input_ids=torch.tensor([fresh], device=device), past_key_values=kept, use_cache=True)
        scores = torch.log_softmax(output.logits[0, -1].float(), dim=-1)
        chosen = int(scores.argmax())
        ids.append(chosen)
        logprobs.append(round(float(scores[chosen]), 6))
        kept = getattr(output, "past_key_values", None)
        fresh = [chosen] if kept is not None else [*prompt, *ids]
    return Greedy(ids=tuple(ids), logprobs=tuple(logprobs), text=_text(tokenizer, ids))


def _text(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text before the first control token, as a server would send it."""
    control = set(getattr(tokenizer, "all_special_ids", ())) | set(getattr(tokenizer, "added_tokens_decoder", {}))
    end = next((index for index, token in enumerate(ids) if token in control), len(ids))
    return str(tokenizer.decode(list(ids[:end])))


def write_fingerprint(adapter: Path, fingerprint: Fingerprint) -> Path:
    """Write `fingerprint.json` into an adapter's directory, whole or not at all; returns its path.

    Raises:
        InfrastructureError: it could not be written.
    """
    path = adapter / FINGERPRINT
    scratch = path.with_name(f".{FINGERPRINT}.{os.getpid()}")
    try:
        scratch.write_text(fingerprint.model_dump_json(indent=1) + "\n", encoding="utf-8")
        scratch.replace(path)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise InfrastructureError(
            f"could not write {path}: {error.strerror}", hint="see that the directory may be written and has room"
        ) from error
    return path


def read_fingerprint(adapter: Path, *, adapter_digest: str | None = None) -> Fingerprint | None:
    """The fingerprint beside an adapter, or None where there is none.

    Raises:
        BadInputError: damaged, of a version that is not known here, or not of the adapter with that digest.
    """
    path = adapter / FINGERPRINT
    if not path.is_file():
        return None
    try:
        found = Fingerprint.model_validate(json.loads(path.read_bytes()))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInputError(f"{path}: {where}: {first['msg']}", hint=REMEDY) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"{path} is no fingerprint: it is not JSON", hint=REMEDY) from error
    if adapter_digest is not None and found.adapter_digest != adapter_digest:
        raise BadInputError(f"{path} was taken of another adapter than lies beside it", hint=REMEDY)
    return found
