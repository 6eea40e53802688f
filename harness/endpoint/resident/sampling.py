"""Chooses each row's next token from its logits: by the row's own seed, never by its neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch

GREEDY_BELOW = 1e-5  # temperatures under this mean the likeliest token


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How one request wants its tokens chosen."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0  # 0: no limit
    seed: int | None = None
    logit_bias: tuple[tuple[int, float], ...] = ()  # id and what is added to its logit
    logprobs: int | None = None  # None: not wanted; k: the chosen token's and the k likeliest


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One chosen token; log-probabilities are the model's own, before biases, temperature and cuts."""

    token: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


class NonFiniteLogitsError(Exception):
    """The model's output is not a distribution: broken weights, or an overflow in a narrow dtype."""


def choose(logits: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> Chosen:
    """Choose one token from `logits` (vocabulary,), drawing at most one number from `generator`.

    The draw is by inversion of the distribution function in token order, in float64, so that the
    last digits that a batch's size changes hardly ever change the token.

    Raises:
        NonFiniteLogitsError: some logit is NaN or +inf, or none is finite.
    """
    logits = logits.float()
    best = logits.max()
    if not torch.isfinite(best):  # NaN spreads through max, +inf is the max, -inf: nothing is possible
        raise NonFiniteLogitsError
    biased = _biased(logits, sampling.logit_bias)
    if sampling.temperature < GREEDY_BELOW:
        token = int(biased.argmax())
    else:
        token = _draw(biased, sampling, float(torch.rand((), generator=generator, dtype=torch.float64)))
    if sampling.logprobs is None:
        return Chosen(token=token)
    logprobs = torch.log_softmax(logits, dim=-1)
    top: tuple[tuple[int, float], ...] = ()
    if sampling.logprobs:
        values, ids = logprobs.topk(min(sampling.logprobs, logprobs.shape[-1]))
        top = tuple(zip(ids.tolist(), values.tolist(), strict=True))
    return Chosen(token=token, logprob=float(logprobs[token]), top=top)


def _biased(logits: torch.Tensor, biases: tuple[tuple[int, float], ...]) -> torch.Tensor:
    if not biases:
        return logits
    ids = torch.tensor([token for token, _ in biases], device=logits.device)
    values = torch.tensor([bias for _, bias in biases], device=logits.device, dtype=logits.dtype)
    return logits.index_add(0, ids, values)


def _draw(logits: torch.Tensor, sampling: Sampling, uniform: float) -> int:
    scaled = (logits.double() - logits.max()) / sampling.temperature
    if 0 < sampling.top_k < scaled.shape[-1]:
        scaled[scaled < scaled.topk(sampling.top_k).values[-1]] = -torch.inf
    weights = torch.softmax(scaled, dim=-1)
    if sampling.top_p < 1.0:
        ordered, ids = weights.sort(descending=True, stable=True)
        outside = ordered.cumsum(-1) - ordered >= sampling.top_p
        outside[0] = False  # the likeliest always stays
        weights[ids[outside]] = 0.0
    reached = weights.cumsum(-1)
    target = torch.tensor(uniform, dtype=torch.float64, device=reached.device) * reached[-1]
    token = int(torch.searchsorted(reached, target, right=True))
    return token if token < weights.shape[-1] else int(weights.argmax())
