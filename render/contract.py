"""The render contract's identity: what a manifest and a training record state, so that a difference shows."""

from __future__ import annotations

import hashlib
import json

CONTRACT_VERSION = "1"
"""Changes whenever the same conversation or the same terminal bytes would be rendered differently."""

SEPARATOR = "\n\n"
"""Between a folded system turn and the first user turn, and between merged turns of one role."""


def template_digest(tokenizer: object) -> str | None:
    """`sha256:...` of a tokenizer's chat template (of all of them by name, if it has several); None if it has none."""
    template = getattr(tokenizer, "chat_template", None)
    if not template:
        return None
    text = template if isinstance(template, str) else json.dumps(template, sort_keys=True, ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
