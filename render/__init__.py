"""The render contract: one pure, torch-free path from a conversation to token ids, for training and serving alike."""

from render.causes import SENTENCES as CAUSES
from render.causes import Cause
from render.contract import CONTRACT_VERSION, SEPARATOR, template_digest
from render.control import break_control_tokens, control_tokens
from render.control_files import control_tokens_in
from render.conversation import messages_from_json, normalize_for_template
from render.divergence import CountDifference, Divergence, cause_of_count, first_difference
from render.observation import observation
from render.observed import observed, replied
from render.preview import Preview, preview
from render.template import ChatTokenizer, TemplateOptions, render_ids, render_text
from render.template_files import template_digest_in
from render.training import (
    IGNORED,
    Stability,
    TrainingExample,
    conform,
    end_token,
    is_additive,
    loss_mask,
    prefix_stability,
    training_examples,
)

__all__ = [
    "CAUSES",
    "CONTRACT_VERSION",
    "IGNORED",
    "SEPARATOR",
    "Cause",
    "ChatTokenizer",
    "CountDifference",
    "Divergence",
    "Preview",
    "Stability",
    "TemplateOptions",
    "TrainingExample",
    "break_control_tokens",
    "cause_of_count",
    "conform",
    "control_tokens",
    "control_tokens_in",
    "end_token",
    "first_difference",
    "is_additive",
    "loss_mask",
    "messages_from_json",
    "normalize_for_template",
    "observation",
    "observed",
    "prefix_stability",
    "preview",
    "render_ids",
    "render_text",
    "replied",
    "template_digest",
    "template_digest_in",
    "training_examples",
]
