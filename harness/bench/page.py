"""How soon report.html of a run of 1,000 trials can be read in a real Chromium, beside a blank page.

python -m harness.bench.page [--trials 1000]

Needs Chromium and the package playwright (both come with the tests); without them it says so and measures nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import reports
from harness.bench.report import run_of
from harness.store import session_stem
from harness.values import Arm, TrialKey
from reports.views.html import HTML, write_html

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TRIALS, ROUNDS, TURNS = 1000, 5, 12
BLANK = "<!doctype html><html lang=en data-ready=yes><title>blank</title>"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=TRIALS)
    for line in measure(parser.parse_args().trials):
        print(line, flush=True)


def measure(trials: int) -> Iterator[str]:
    """Seconds to write the page, and from asking for it to its being built, beside a blank page."""
    program = next(
        (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
    )
    try:
        from playwright.sync_api import sync_playwright  # only this measurement needs it
    except ImportError:
        program = None
    if program is None:
        yield "report.html: not measured (apt-get install chromium, pip install -e '.[dev]')"
        return
    with run_of(trials // 2) as run, tempfile.TemporaryDirectory() as place:
        made = reports.rebuild_report(run, reports.load_policy())
        _sessions(run, made)
        began = perf_counter()
        write_html(run, made)
        writing = perf_counter() - began
        blank = Path(place) / "blank.html"
        blank.write_text(BLANK)
        page = run / HTML
        yield f"report.html of {trials} trials: {page.stat().st_size / 1e6:.1f} MB, written in {writing:.2f} s"
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=arguments)
            for name, path in (("blank page", blank), ("report.html", page)):
                seconds = [_opened(browser, path) for _ in range(ROUNDS)]
                yield f"  open {name:<15}{median(seconds):7.2f} s (median of {ROUNDS}, slowest {max(seconds):.2f} s)"
            browser.close()


def _opened(browser: Browser, path: Path) -> float:
    """Seconds from asking for a page in a new tab to its being built."""
    tab = browser.new_page()
    began = perf_counter()
    tab.goto(path.as_uri())
    tab.wait_for_selector("html[data-ready=yes]")
    took = perf_counter() - began
    tab.close()
    return took


def _sessions(run: Path, made: reports.Report) -> None:
    """A recording of some turns for every trial."""
    (run / "sessions").mkdir()
    for number, pair in enumerate(made.pairs):
        for arm in Arm:
            key = TrialKey(scenario=pair.scenario, arm=arm, repeat=pair.repeat)
            lines: list[object] = [{"version": 2, "width": 200, "height": 50}, [0.0, "o", "Welcome.\r\n$ "]]
            for turn in range(1, TURNS + 1):
                lines.append([2.0 * turn, "m", f"{turn}: wc -l /srv/{number}/{turn}"])
                lines.append([2.0 * turn + 0.1, "o", f"{number * turn} /srv/{number}/{turn}\r\n" * 5 + "$ "])
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (run / "sessions" / f"{session_stem(key, 1)}.cast").write_text(text)


if __name__ == "__main__":
    main()
