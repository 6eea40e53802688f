"""A real browser for the page's tests, and a run directory to show in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports.rebuild import rebuild_report
from reports.views.html import HTML, write_html
from tests.reports.html.browsing import PATIENCE, WINDOW, Watched
from tests.reports.html.runs import write_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium, without a window."""
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium here: apt-get install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install -e '.[dev]'")
    sync_api.expect.set_options(timeout=PATIENCE * 1000)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=arguments)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with its page."""
    run = write_run(tmp_path_factory.mktemp("html") / "run")
    write_html(run, rebuild_report(run))
    return run


@pytest.fixture(scope="session")
def page_url(run_dir: Path) -> str:
    """Where the page of that run lies."""
    return (run_dir / HTML).as_uri()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile of its own for one test."""
    made = browser.new_context(viewport=WINDOW)
    yield made
    made.close()


@pytest.fixture
def watched(context: BrowserContext) -> Iterator[Watched]:
    """A tab that must not have complained of anything by the end of the test."""
    seen = Watched(context.new_page())
    yield seen
    assert seen.complaints == []
