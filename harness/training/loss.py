"""The loss of a batch: the mean cross-entropy over the learnt tokens, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch

from harness.training.machine import Computing
from render import IGNORED, TrainingExample

_TOLERANCE: Final = 0.02  # of the largest logit: bfloat16 rounds to 0.004, a cap or a scale changes more
_SHAPING: Final = ("final_logit_softcapping", "logits_scaling", "logit_scale")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """The loss in nats per learnt token, and the share of them that a greedy guess gets right."""

    loss: torch.Tensor  # a scalar with its graph
    accuracy: float


class Loss:
    """What a peft model still gets wrong of a batch.

    Where the output layer is plain, it is computed at the positions before learnt tokens alone: most of a trajectory
    is read only, and a vocabulary of 49,000 makes that layer the dearest. Elsewhere the model's own forward decides.
    """

    def __init__(self, model: Any, chosen: Computing, probe: TrainingExample) -> None:
        self._causal = model.get_base_model()
        self._chosen = chosen
        self._plain = has_plain_head(self._causal) and self._agrees(probe)

    @property
    def plain(self) -> bool:
        """Whether the output layer is computed at learnt positions alone."""
        return self._plain

    def __call__(self, batch: dict[str, torch.Tensor]) -> Lesson:
        """The loss of a collated batch (tensors of rows x width, on the model's device)."""
        targets = batch["labels"][:, 1:]
        targets = targets[targets != IGNORED]
        logits = self._logits(batch, plain=self._plain).float()
        right = float((logits.detach().argmax(dim=-1) == targets).float().mean())
        return Lesson(loss=torch.nn.functional.cross_entropy(logits, targets), accuracy=right)

    def _logits(self, batch: dict[str, torch.Tensor], *, plain: bool) -> torch.Tensor:
        """The logits before each learnt token, tokens x vocabulary."""
        learnt = batch["labels"][:, 1:] != IGNORED
        ids, mask = batch["input_ids"], batch["attention_mask"]
        with torch.autocast(self._chosen.device, dtype=torch.bfloat16, enabled=self._chosen.half):
            if plain:
                hidden = self._causal.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
                logits: torch.Tensor = self._causal.lm_head(hidden[:, :-1][learnt])
                return logits
            whole = self._causal(input_ids=ids, attention_mask=mask, use_cache=False).logits
            chosen: torch.Tensor = whole[:, :-1][learnt]
            return chosen

    def _agrees(self, probe: TrainingExample) -> bool:
        """Whether both ways come to the same: some architectures cap or scale what the output layer says."""
        device = next(self._causal.parameters()).device
        batch = {name: tensor.to(device) for name, tensor in collate([(probe,)]).items()}
        training = self._causal.training
        self._causal.eval()
        try:
            with torch.no_grad():
                short, full = (self._logits(batch, plain=plain).float() for plain in (True, False))
        finally:
            self._causal.train(training)
        return short.shape == full.shape and bool((short - full).abs().max() <= _TOLERANCE * full.abs().max())


def has_plain_head(causal: Any) -> bool:
    """Whether a causal model is a trunk `.model` and an output layer `.lm_head`, with nothing stated between them."""
    if not (hasattr(causal, "model") and hasattr(causal, "lm_head")):
        return False
    config = causal.config.get_text_config()
    return all(getattr(config, name, None) in (None, 1, 1.0) for name in _SHAPING)


def collate(batches: Sequence[Sequence[TrainingExample]]) -> dict[str, torch.Tensor]:
    """One batch as padded tensors of rows x width: `input_ids`, `attention_mask`, and `labels` (-100: not learnt)."""
    (batch,) = batches
    width = max(len(example.ids) for example in batch)

    def padded(rows: Sequence[Sequence[int]], filler: int) -> torch.Tensor:
        return torch.tensor([[*row, *([filler] * (width - len(row)))] for row in rows])

    return {
        "input_ids": padded([example.ids for example in batch], 0),
        "attention_mask": padded([[1] * len(example.ids) for example in batch], 0),
        "labels": padded([example.labels for example in batch], IGNORED),
    }
