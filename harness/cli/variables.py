"""Reads the chat template's own variables from a flag."""

from __future__ import annotations

import json

from harness.errors import BadInputError


def template_variables(options: str) -> dict[str, object]:
    """The object that `--chat-template-kwargs` gives. Raises BadInputError where it is none."""
    try:
        value = json.loads(options)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"--chat-template-kwargs: not JSON: {options[:80]}", hint="give a JSON object") from error
    if not isinstance(value, dict):
        raise BadInputError("--chat-template-kwargs: not an object", hint="give for instance '{\"flag\": false}'")
    return value
