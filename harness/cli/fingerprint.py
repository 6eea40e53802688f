"""`evalh fingerprint`: how a base and its adapter answer the canaries, for an adapter that was trained elsewhere."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.variables import template_variables
from harness.errors import BadInputError, EndpointError
from harness.tokenizer import LOCAL

if TYPE_CHECKING:
    from harness.preflight import Fingerprint

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.option("--base", required=True, type=_FOLDER, metavar="DIR", help="the base checkpoint")
@click.option("--adapter", required=True, type=_FOLDER, metavar="DIR", help="the LoRA adapter; the file goes there")
@click.option("--tokenizer", type=_FOLDER, metavar="DIR", help="tokenizer directory [default: the base's own]")
@click.option(
    "--dtype",
    type=click.Choice(("auto", "float32", "bfloat16")),
    default="auto",
    help="dtype of the base [default: the checkpoint's own]",
)
@click.option("--chat-template-kwargs", "options", default="{}", metavar="JSON", help="the template's own variables")
@click.option("--json", "as_json", is_flag=True, help="print the fingerprint as JSON, too")
def fingerprint(*, base: Path, adapter: Path, tokenizer: Path | None, dtype: str, options: str, as_json: bool) -> None:
    """Write fingerprint.json beside an adapter: evidence of which arm is which, whatever a server calls them.

    Loads both models (on the GPU if there is one) and asks them a few short greedy replies.
    """
    from harness.endpoint import check_adapter_fits
    from harness.endpoint.checkpoint import check_base

    variables = template_variables(options)
    check_base(base)
    check_adapter_fits(adapter, base)
    taken = _take(base, adapter, tokenizer or base, dtype, variables)

    from harness.preflight import write_fingerprint

    path = write_fingerprint(adapter, taken)
    alike = sum(one.base == one.tuned for one in taken.canaries)
    if as_json:
        click.echo(taken.model_dump_json())
    else:
        click.echo(f"{path}: {len(taken.canaries)} conversations, {taken.dtype}")
    if alike == len(taken.canaries):
        click.echo("evalh: note: base and adapter answer exactly alike: this adapter changes nothing", err=True)


def _take(base: Path, adapter: Path, tokenizer: Path, dtype: str, variables: dict[str, object]) -> Fingerprint:
    from harness.arms import checkpoint_digest
    from harness.endpoint import read_adapter
    from harness.preflight import take_fingerprint
    from harness.tokenizer import load_tokenizer

    flag = "--base" if tokenizer == base else "--tokenizer"
    loaded = load_tokenizer(tokenizer, flag=flag)
    return take_fingerprint(
        load_arms(base, adapter, dtype),
        loaded,
        adapter_digest=read_adapter(adapter).digest,
        base_digest=checkpoint_digest(base),
        chat_template_kwargs=variables,
    )


def load_arms(base: Path, adapter: Path, dtype: str = "auto") -> Any:
    """The base with its adapter, as peft has them; BadInputError where they do not load."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import torch
        from peft import PeftModel
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging
    except ImportError as error:
        raise BadInputError(f"evalh fingerprint needs {error.name}", hint="pip install 'evalh[serve]'") from error
    logging.disable_progress_bar()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        model = AutoModelForCausalLM.from_pretrained(base, dtype=dtype, **LOCAL).to(device)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of peft, about names that transformers renames
            return PeftModel.from_pretrained(model, str(adapter))
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise EndpointError(f"out of memory while loading {base}", hint="use a machine with more") from error
    except Exception as error:  # whatever a library makes of damaged files, the files are the cause
        first_line = " ".join(str(error).split())[:300]
        raise BadInputError(f"{base} with {adapter} cannot be loaded: {first_line}") from error
