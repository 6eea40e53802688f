"""`evalh report`: what a run came to, in the form that a person, a CI job or another tool reads."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

import click

import reports
from harness.errors import BadInputError, StoreError
from harness.store import read_manifest, read_trials
from harness.values import Arm

RUN = click.argument("run", type=click.Path(path_type=Path))
POLICY = click.option("--policy", metavar="POLICY", help="promote, regression, smoke, or a TOML file")
WIDTHS = (60, 120)  # columns
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


class Form(StrEnum):
    """What `--format` knows."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    COMMENT = "comment"
    JUNIT = "junit"
    HTML = "html"
    CSV = "csv"
    PARQUET = "parquet"
    NEMO = "nemo"


@click.command()
@RUN
@POLICY
@click.option("--format", "form", type=click.Choice([f.value for f in Form]), help="what to print; text unless named")
@click.option("--json", "form", flag_value="json", help="the same as --format json")
@click.option("--markdown", "form", flag_value="markdown", help="the same as --format markdown")
@click.option("--junit", "form", flag_value="junit", help="the same as --format junit")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="write to this file (nemo: to this folder)")
@click.option("--summary", is_flag=True, help=f"append the step summary to the file that ${STEP_SUMMARY} names")
@click.option("--key", default="report", show_default=True, help="which sticky comment: one for each key")
@click.option("--arm", type=click.Choice([arm.value for arm in Arm]), help="nemo: only this arm")
def report(
    *, run: Path, policy: str | None, form: str | None, output: Path | None, summary: bool, key: str, arm: str | None
) -> None:
    """Show the paired report of RUN, made again from its records.

    Works on an unfinished run too. Without --policy, the decision is by the policy the run was started with.
    The exit code does not tell the decision: `evalh gate` does.
    """
    wanted = Form(form or Form.TEXT)
    arms = (Arm(arm),) if arm else tuple(Arm)
    if arm and wanted is not Form.NEMO:
        raise BadInputError(f"--arm is for --format nemo, not for {wanted}", hint="every other form shows both arms")
    made = reports.rebuild_report(run, reports.load_policy(policy) if policy is not None else None)
    if summary:
        append_summary(made)
        if form is None and output is None:
            return
    if wanted is Form.NEMO and output is not None and output.suffix != ".jsonl":
        _nemo_folder(run, made, output, arms)
    elif output is not None:
        _write(output, _content(wanted, run, made, arms, key))
    elif wanted is Form.TEXT:
        show_report(made)
    else:
        _print(wanted, _content(wanted, run, made, arms, key))


def _content(form: Form, run: Path, made: reports.Report, arms: Sequence[Arm], key: str) -> str | bytes:
    """The report in one form, as text or as bytes."""
    if form in {Form.CSV, Form.PARQUET, Form.NEMO}:
        return _records(form, run, made, arms)
    if form is Form.HTML:
        from reports.views.html import read_sessions, render_html  # only this form needs it

        return render_html(made, read_sessions(run, made))
    if form is Form.COMMENT:
        return reports.render_comment(made, key=key)
    views: dict[Form, Callable[[reports.Report], str]] = {
        Form.TEXT: reports.render_text,
        Form.JSON: reports.report_json,
        Form.MARKDOWN: reports.render_markdown,
        Form.JUNIT: reports.render_junit,
    }
    return views[form](made)


def _records(form: Form, run: Path, made: reports.Report, arms: Sequence[Arm]) -> str | bytes:
    """The run's records, one row or line a trial."""
    from reports.export import nemo, tables  # only these forms need it

    records, name = read_trials(run), read_manifest(run).run
    if form is Form.CSV:
        return tables.csv_text(records, run=name)
    if form is Form.PARQUET:
        return tables.parquet_bytes(records, run=name)
    _say_invalid(made, arms, "left out, since NeMo knows no INVALID; -o FOLDER lists them in excluded.jsonl")
    return nemo.results_jsonl(records, arms)


def _nemo_folder(run: Path, made: reports.Report, folder: Path, arms: Sequence[Arm]) -> None:
    from reports.export.nemo import write_nemo  # only this form needs it

    try:
        write_nemo(folder, read_trials(run), made, arms)
    except StoreError as error:
        raise BadInputError(error.message, hint="the folder of -o must be writable, or not there yet") from error
    _say_invalid(made, arms, "in excluded.jsonl, since NeMo knows no INVALID")
    click.echo(" ".join(str(folder / arm / "results.jsonl") for arm in arms))


def _say_invalid(made: reports.Report, arms: Sequence[Arm], where: str) -> None:
    sides = {Arm.BASE: made.arms.base, Arm.TUNED: made.arms.tuned}
    if count := sum(sides[arm].invalid for arm in arms):
        click.echo(f"evalh: {count} INVALID {'trial is' if count == 1 else 'trials are'} {where}", err=True)


def append_summary(made: reports.Report) -> None:
    """Append the Markdown to GitHub's step summary, within what the file still takes.

    Raises:
        BadInputError: the environment names no such file, or it cannot be written.
    """
    name = os.environ.get(STEP_SUMMARY)
    if not name:
        raise BadInputError(
            f"--summary: {STEP_SUMMARY} names no file",
            hint="only a GitHub step has one; elsewhere use --format markdown",
        )
    path = Path(name)
    try:
        held = path.stat().st_size if path.exists() else 0
        text = reports.render_markdown(made, max_bytes=reports.SUMMARY_BYTES - held)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise BadInputError(
            f"--summary: cannot write {name}: {error.strerror}", hint=f"{STEP_SUMMARY} must name a file"
        ) from error
    if not text:
        click.echo("evalh: --summary: the step summary is full, nothing was appended", err=True)


def _write(path: Path, content: str | bytes) -> None:
    try:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    except OSError as error:
        raise BadInputError(
            f"cannot write {path}: {error.strerror}", hint="the folder of -o must exist and be writable"
        ) from error


def _print(form: Form, content: str | bytes) -> None:
    """Print a form on standard output: files of data byte for byte, text for people as the terminal can show it."""
    if form not in {Form.CSV, Form.PARQUET, Form.NEMO}:
        show(content if isinstance(content, str) else content.decode())
        return
    if form is Form.PARQUET and sys.stdout.isatty():
        raise BadInputError("Parquet is no text for a terminal", hint="name a file with -o, or pipe it")
    sys.stdout.flush()
    sys.stdout.buffer.write(content if isinstance(content, bytes) else content.encode())
    sys.stdout.buffer.flush()


def show_report(made: reports.Report) -> None:
    """Print the text view: as wide as the terminal allows, 80 columns and no colour in a pipe."""
    terminal = sys.stdout.isatty()
    columns = shutil.get_terminal_size((80, 24)).columns if terminal else 80
    width = min(max(columns, WIDTHS[0]), WIDTHS[1])
    show(reports.render_text(made, width=width, colour=terminal and "NO_COLOR" not in os.environ))


def show(text: str) -> None:
    """Print text on any standard output, one that cannot say every character included."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    click.echo(text.rstrip("\n").encode(encoding, "backslashreplace").decode(encoding))
