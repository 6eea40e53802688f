"""`evalh scenario`: write, read, prove and compare the bundles that models are judged by."""

from __future__ import annotations

import click

from harness.cli.scenario_check import check
from harness.cli.scenario_export import export
from harness.cli.scenario_import import import_
from harness.cli.scenario_leak import leak
from harness.cli.scenario_lint import lint
from harness.cli.scenario_new import new
from harness.cli.scenario_show import list_, show
from harness.cli.scenario_try import try_


@click.group()
def scenario() -> None:
    """Write scenario bundles, look at them, prove them, and compare them with what was trained on."""


for _command in (new, list_, show, lint, try_, check, leak, import_, export):
    scenario.add_command(_command)
