"""report.html for every reader: axe's rules in light and dark, on a desk and on a phone, and without scripts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from reports import Report, ScenarioFacts, StopRule, build_report, load_policy
from reports.schema_numbers import CalibrationRate, CalibrationRow
from reports.views.html import write_html
from tests.reports.html.browsing import PHONE, WINDOW, Watched, picture, screens
from tests.reports.records import LIVE, invalid, pair, run_of

pytest.importorskip("axe_playwright_python", reason="pip install -e '.[dev]'")
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, ViewportSize

pytestmark = pytest.mark.browser


def violations(page: Page, scheme: str) -> list[tuple[str, str]]:
    """What axe finds on the page: rules and the elements that break them; in the dark only colours differ."""
    options = {"resultTypes": ["violations"]} | ({"runOnly": ["color-contrast"]} if scheme == "dark" else {})
    found = Axe().run(page, options=options).response["violations"]
    return [(rule["id"], node["html"]) for rule in found for node in rule["nodes"]]


def repeated() -> Report:
    """A report with repeats, calibration, notes, a stated margin and an excluded pair with a hostile reason."""
    rows = (
        CalibrationRow(player="always_exit", trials=6, invalid=0, rates={"success": CalibrationRate(count=0, n=6)}),
    )
    records = [
        trial
        for scenario in range(8)
        for repeat in range(3)
        for trial in pair(
            f"s-{scenario}", base=scenario == 1, tuned=scenario != repeat, repeat=repeat, critical=scenario < 3
        )
    ]
    records[0] = invalid(records[0], message="<img src=x onerror=alert(1)>")
    info = replace(
        LIVE, calibration=rows, notes=("one note", "another"), repeats=3, digests=(("base", "sha256:" + "0" * 64),)
    )
    return build_report(records, run=info, policy=load_policy("regression"))


def stopped() -> Report:
    """A report of a run that was decided early, with the pairs that it did not need."""
    names = [f"s-{i:05d}" for i in range(20)]
    rule = StopRule(metric="success", alpha=0.05, order=tuple((name, 0) for name in names))
    facts = tuple(ScenarioFacts(id=name, critical=False) for name in names)
    info = replace(LIVE, planned=rule.order, stop_rule=rule, scenarios=facts)
    return build_report(run_of(tuned_only=8), run=info, policy=load_policy())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("report", "headings"),
    [(repeated(), {"Repeats", "Calibration", "Effort", "Claims"}), (stopped(), {"Early stop", "Claims"})],
    ids=["repeated", "stopped"],
)
def test_every_part_of_a_report_is_on_the_page_and_accessible(
    browser: Browser, tmp_path: Path, scheme: Literal["light", "dark"], report: Report, headings: set[str]
) -> None:
    context = browser.new_context(viewport=WINDOW, color_scheme=scheme)
    try:
        watched = Watched(context.new_page())
        page = watched.open(write_html(tmp_path, report).as_uri())
        assert headings <= set(page.locator("h2").all_inner_texts())
        page.evaluate("for (const node of document.querySelectorAll('details')) node.open = true")
        assert violations(page, scheme) == []
        assert page.locator("a.tile.stopped").count() == sum(pair.result == "stopped" for pair in report.pairs)
        assert watched.complaints == []
    finally:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", [WINDOW, PHONE], ids=["desk", "phone"])
def test_axe_finds_no_violation(
    browser: Browser, page_url: str, scheme: Literal["light", "dark"], window: ViewportSize
) -> None:
    context = browser.new_context(viewport=window, color_scheme=scheme)
    try:
        page = Watched(context.new_page()).open(page_url)
        for details in page.locator("details > summary").all():
            if not details.evaluate("node => node.parentElement.open"):
                details.click()
        picture(page, f"overview-{scheme}-{window['width']}")
        assert violations(page, scheme) == []
        page.evaluate("location.hash = '#pair=hostile-01.0'")
        expect(page.locator("#duel")).to_have_text("hostile-01.0")
        screens(page)
        picture(page, f"pair-{scheme}-{window['width']}")
        assert violations(page, scheme) == []
        page.keyboard.press("?")
        assert violations(page, scheme) == []
    finally:
        context.close()


def test_on_a_phone_nothing_hangs_out_of_the_window(browser: Browser, page_url: str) -> None:
    context = browser.new_context(viewport=PHONE)
    try:
        page = Watched(context.new_page()).open(page_url)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.evaluate("location.hash = '#pair=hostile-01.0'")
        page.wait_for_selector("#duel")
        screens(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        boxes = [page.locator(".side").nth(i).bounding_box() for i in (0, 1)]
        assert boxes[0]
        assert boxes[1]
        assert boxes[0]["y"] < boxes[1]["y"]
    finally:
        context.close()


def test_many_repeats_and_long_names_stay_within_a_phone(browser: Browser, tmp_path: Path) -> None:
    name = "an-archetype-of-" + "x" * 120
    records = [
        replace(trial, archetype=name, model="m" * 300)
        for repeat in range(25)
        for trial in pair("s" * 200, base=False, tuned=repeat % 2 == 0, repeat=repeat)
    ]
    report = build_report(records, run=replace(LIVE, id="r" * 200, repeats=25), policy=load_policy())
    context = browser.new_context(viewport=PHONE)
    try:
        page = Watched(context.new_page()).open(write_html(tmp_path, report).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert violations(page, "light") == []
    finally:
        context.close()


def test_a_printed_page_is_dark_on_light_whatever_the_theme(browser: Browser, page_url: str) -> None:
    context = browser.new_context(color_scheme="dark")
    try:
        page = Watched(context.new_page()).open(page_url)
        for theme in ("auto", "light", "dark"):
            assert page.locator("#theme").inner_text() == f"Theme: {theme}"
            page.emulate_media(media="print")
            assert ground(page) == "rgb(255, 255, 255)"
            page.emulate_media(media="screen")
            page.keyboard.press("t")
    finally:
        context.close()


def ground(page: Page) -> object:
    """The colour behind everything."""
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_the_theme_follows_the_system_until_the_reader_chooses(browser: Browser, page_url: str) -> None:
    context = browser.new_context(color_scheme="dark")
    try:
        page = Watched(context.new_page()).open(page_url)
        assert ground(page) == "rgb(20, 23, 27)"
        page.keyboard.press("t")
        assert page.locator("#theme").inner_text() == "Theme: light"
        assert ground(page) == "rgb(255, 255, 255)"
        page.reload()
        page.wait_for_selector("html[data-ready=yes]")
        assert ground(page) == "rgb(255, 255, 255)"
    finally:
        context.close()


def test_a_reader_without_scripts_still_gets_the_decision(browser: Browser, page_url: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(page_url)
        assert "INCONCLUSIVE: await_paired_eval" in page.locator("noscript").inner_text()
    finally:
        context.close()
