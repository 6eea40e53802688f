"""`evalh sandbox`: builds the image, proves that containers isolate, and removes what was left behind."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from typing import Literal

import click

from harness.errors import InfrastructureError
from harness.sandbox.doctor import Finding, Health, doctor
from harness.sandbox.reap import Found, Reaped, reap
from harness.sandbox.select import choose

engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "docker", "crun"]),
    default="auto",
    show_default=True,
    help="which kind of containers",
)
json_option = click.option("--json", "as_json", is_flag=True, help="print JSON")
_MARKS = {Health.OK: ("ok", "green"), Health.WARN: ("warn", "yellow"), Health.FAIL: ("FAIL", "red")}


@click.group()
def sandbox() -> None:
    """Build, examine and clean up the sandbox."""


@sandbox.command()
@engine_option
@json_option
def build(*, engine: Literal["auto", "docker", "crun"], as_json: bool) -> None:
    """Build the sandbox image; `auto`: for every engine that this machine can use.

    Docker builds Dockerfile.sandbox, on Debian's own image where that can be pulled; where not, and for the
    daemonless engine, the base comes from Debian's packages (mmdebstrap). Nothing is done twice.
    """
    from harness.sandbox.image.build import build as build_image  # imports docker: only when it is asked for

    built = build_image(engine, lambda line: click.echo(line, err=True))
    if as_json:
        crun = built.crun.digest if built.crun else None
        click.echo(json.dumps({"docker": built.docker, "crun": crun, "skipped": list(built.skipped)}, indent=2))
        return
    if built.docker:
        click.echo(f"docker: {built.docker}")
    if built.crun:
        click.echo(f"crun:   {built.crun.digest}")
    for reason in built.skipped:
        click.echo(f"skipped {reason}")


@sandbox.command("doctor")
@engine_option
@json_option
def examine(*, engine: str, as_json: bool) -> None:
    """Open a sandbox and prove that it isolates; exit code 40 if it does not.

    Looks over the same paths that sessions and checks use, and says what to do about each failure.
    """
    chosen = choose(engine)
    try:
        findings = doctor(chosen)
    finally:
        chosen.close()
    if as_json:
        click.echo(json.dumps({"engine": chosen.name, "findings": _plain(findings)}, indent=2))
    else:
        _show_findings(chosen.name, findings)
    if any(finding.health is Health.FAIL for finding in findings):
        sys.exit(InfrastructureError.exit_code)


@sandbox.command("reap")
@click.option("--all", "everything", is_flag=True, help="also those of harnesses that are running now")
@json_option
def clean(*, everything: bool, as_json: bool) -> None:
    """Remove containers that killed harnesses left behind, on every engine that answers."""
    done = reap(everything=everything)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(done), indent=2))
        return
    _show_reaped(done)


def _plain(findings: Sequence[Finding]) -> list[dict[str, str]]:
    return [{key: str(value) for key, value in dataclasses.asdict(finding).items()} for finding in findings]


def _show_findings(engine: str, findings: Sequence[Finding]) -> None:
    click.echo(f"engine: {engine}")
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        mark, colour = _MARKS[finding.health]
        click.echo(f"{click.style(mark.ljust(4), fg=colour)}  {finding.name.ljust(width)}  {finding.found}")
        if finding.advice:
            click.echo(f"{'':6}{'':{width}}  -> {finding.advice}")
    ill = sum(finding.health is Health.FAIL for finding in findings)
    click.echo(f"{ill} of {len(findings)} failed" if ill else f"all {len(findings)} hold")


def _show_reaped(done: Reaped) -> None:
    for each in done.removed:
        click.echo(f"removed {_line(each)}")
    for each in done.kept:
        click.echo(f"kept    {_line(each)}, its harness is running")
    for reason in done.unreachable:
        click.echo(f"could not ask {reason}")
    if not done.removed:
        click.echo("nothing was left behind")


def _line(found: Found) -> str:
    return f"{found.engine} {found.id[:40]} ({found.trial or 'no trial'}, {found.age_seconds:.0f} s old)"
