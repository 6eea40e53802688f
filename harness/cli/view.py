"""`evalh view`: a run's page in the browser, with live progress while the run goes on."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path

import click

import reports
from reports.views.html.live import LiveRun
from reports.views.html.serve import PageServer


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="port on 127.0.0.1; 0, the default, is a free one"
)
@click.option("--open/--no-open", "opened", default=None, help="open a browser; by default where there is a desktop")
@click.option("--policy", metavar="POLICY", help="decide by promote, regression, smoke or a TOML file")
def view(*, run: Path, port: int, opened: bool | None, policy: str | None) -> None:
    """Serve the page of RUN on this machine until ^C; it follows a run that goes on.

    RUN is only read. The page is also written as report.html at the end of a run, and opens without a server.
    """
    live = LiveRun(run, reports.load_policy(policy) if policy else None)
    with PageServer(live, port) as server:
        click.echo(f"serving {server.url} (^C ends it)")
        try:
            if opened or (opened is None and _has_desktop()):
                webbrowser.open(server.url)
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("ended")


def _has_desktop() -> bool:
    """Whether a browser with a window of its own can be expected; one in the terminal would be in the way."""
    return sys.stdout.isatty() and (
        sys.platform == "darwin" or any(os.environ.get(n) for n in ("DISPLAY", "WAYLAND_DISPLAY"))
    )
