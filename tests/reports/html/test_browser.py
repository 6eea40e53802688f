"""report.html in a real Chromium: the decision, the grid, the table, and the two sessions of a pair."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reports import build_report, load_policy
from reports.rebuild import rebuild_report
from reports.views.html import HTML, write_html
from tests.reports.html.browsing import Watched, screens
from tests.reports.records import LIVE, pair

pytest.importorskip("playwright", reason="pip install -e '.[dev]'")
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Locator

pytestmark = pytest.mark.browser


def shown(rows: Locator) -> list[str]:
    return [text.split()[0] for text in rows.all_inner_texts()]


def test_the_page_shows_the_decision_the_metrics_and_every_pair_and_asks_nobody(
    watched: Watched, page_url: str
) -> None:
    page = watched.open(page_url)
    assert page.locator(".verdict h2").inner_text() == "INCONCLUSIVE await a paired evaluation"
    assert page.locator(".why li").first.inner_text().startswith("Inconclusive by the policy promote")
    assert page.locator("table.claims tbody tr").count() >= 2
    assert page.locator(".counts .wins dd").inner_text() == "1"
    assert page.locator(".counts .losses dd").inner_text() == "1"
    success = page.locator("table.forest").first.locator("tr.main")
    assert success.locator("td").first.inner_text() == "2/4 → 2/4"
    assert success.locator("svg").count() == 2
    assert page.locator("a.tile").count() == 5
    assert page.locator("table.pairs tbody tr").count() == 5
    assert watched.asked == [page_url]


def test_a_tile_of_the_grid_says_who_won_without_colour_and_leads_to_the_pair(watched: Watched, page_url: str) -> None:
    page = watched.open(page_url)
    tile = page.locator("a.tile.win")
    assert tile.get_attribute("aria-label") == "archive-01.0: win; base FAIL, tuned PASS"
    assert tile.inner_text().split() == ["\u00d7", "\u2713"]
    tile.click()
    assert page.url.endswith("#pair=archive-01.0")
    assert page.locator("#duel").inner_text() == "archive-01.0"


def test_the_two_sessions_stand_side_by_side_with_what_was_typed(watched: Watched, page_url: str) -> None:
    page = watched.open(f"{page_url}#pair=archive-01.0")
    base, tuned = screens(page)
    assert base.splitlines() == [
        "Welcome. Duty: /srv/duty.txt",
        "$ I would be happy to help!",
        "/bin/sh: 1: I: not found",
        "$ ",
    ]
    assert tuned.splitlines() == [
        "Welcome. Duty: /srv/duty.txt",
        "$ cat /srv/duty.txt",
        "Count the barges.",
        "$ cd /srv",
        "$ wc -l barges",
        "12 barges",
        "$ exit",
    ]
    boxes = [page.locator(".side").nth(i).bounding_box() for i in (0, 1)]
    assert boxes[0]
    assert boxes[1]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] < boxes[1]["x"]


def test_a_link_to_a_pair_and_a_turn_opens_both_terminals_there(watched: Watched, page_url: str) -> None:
    page = watched.open(f"{page_url}#pair=archive-01.0&turn=1")
    assert [text.splitlines()[-1] for text in screens(page)] == ["$ ", "$ "]
    assert screens(page)[1].splitlines()[2] == "Count the barges."
    assert page.locator(".turns li[aria-current] button").all_inner_texts() == ["1", "1"]
    page.evaluate("location.hash = '#pair=archive-01.0&turn=0'")
    page.wait_for_selector(".turns li[data-turn='0'][aria-current]")
    assert screens(page) == ["Welcome. Duty: /srv/duty.txt\n$ "] * 2


@pytest.mark.parametrize(
    "fragment", ["#pair=no-such.0", "#pair=%00%3Cimg%3E", "#turn=3", "#pair=archive-01.0&turn=x", "#%"]
)
def test_a_link_that_leads_nowhere_still_opens_the_report(watched: Watched, page_url: str, fragment: str) -> None:
    page = watched.open(page_url + fragment)
    assert page.locator("h1").inner_text() == "Paired report test"
    assert page.locator("img").count() == 0


def test_the_scrubber_goes_through_the_session_and_says_where_it_is(watched: Watched, page_url: str) -> None:
    page = watched.open(f"{page_url}#pair=archive-01.0")
    screens(page)
    scrubber = page.locator(".side").nth(1).locator("input[type=range]")
    assert "turn 3 of 3" in (scrubber.get_attribute("aria-valuetext") or "")
    scrubber.focus()
    page.keyboard.press("Home")
    assert screens(page)[1].startswith("Welcome")
    assert "exit" not in screens(page)[1]
    assert "turn 0 of 3" in (scrubber.get_attribute("aria-valuetext") or "")
    page.keyboard.press("End")
    assert "$ exit" in screens(page)[1]
    assert page.locator(".side").nth(1).locator(".ticks i").count() == 3


def test_playing_starts_at_the_beginning_and_comes_to_the_end(watched: Watched, page_url: str) -> None:
    page = watched.open(f"{page_url}#pair=archive-01.0&turn=0")
    screens(page)
    expect(page.locator(".screen").nth(1)).not_to_contain_text("$ exit")
    page.select_option("#speed", "8")
    page.get_by_role("button", name="Play both").click()
    expect(page.locator(".screen").nth(1)).to_contain_text("$ exit")
    expect(page.locator("button.play")).to_have_text(["Play", "Play"])


def test_keys_move_between_turns_and_pairs_and_back(watched: Watched, page_url: str) -> None:
    page = watched.open(f"{page_url}#pair=archive-01.0&turn=0")
    screens(page)
    page.keyboard.press("n")
    assert page.url.endswith("&turn=1")
    page.keyboard.press("2")
    assert page.url.endswith("&turn=2")
    page.keyboard.press("p")
    assert page.url.endswith("&turn=1")
    page.keyboard.press("j")
    expect(page.locator("#duel")).to_have_text("archive-02.0")
    assert page.evaluate("document.activeElement.id") == "duel"
    page.keyboard.press("k")
    expect(page.locator("#duel")).to_have_text("archive-01.0")
    page.keyboard.press("Escape")
    page.wait_for_selector("table.pairs")
    assert page.evaluate("document.activeElement.textContent") == "archive-01.0"
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.textContent") == "archive-02.0"
    page.keyboard.press("/")
    page.keyboard.type("j")
    assert page.input_value("#search") == "j"


def test_single_keys_can_be_switched_off(watched: Watched, page_url: str) -> None:
    page = watched.open(page_url)
    page.keyboard.press("?")
    page.get_by_label("Single keys do these things").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") != "search"


def test_the_table_filters_by_words_result_archetype_and_sorts_both_ways(watched: Watched, page_url: str) -> None:
    page = watched.open(page_url)
    rows = page.locator("table.pairs tbody tr")
    page.fill("#search", "archive pass")
    assert shown(rows) == ["archive-01.0", "archive-02.0"]
    assert page.locator(".count").inner_text() == "2 of 5 pairs"
    assert page.locator("a.tile").count() == 2
    page.fill("#search", "")
    page.select_option("#result", "loss")
    assert shown(rows) == ["archive-02.0"]
    page.select_option("#result", "")
    page.select_option("#archetype", "count")
    assert shown(rows) == ["count-01.0", "count-02.0"]
    page.select_option("#archetype", "")
    page.get_by_role("button", name="result", exact=True).click()
    assert shown(rows) == ["archive-01.0", "archive-02.0", "count-01.0", "hostile-01.0", "count-02.0"]
    page.get_by_role("button", name="result", exact=True).click()
    assert shown(rows)[0] == "count-02.0"
    assert page.locator("th[data-column=result]").get_attribute("aria-sort") == "descending"


def test_the_grid_names_each_scenario_that_has_repeats_and_can_be_skipped(watched: Watched, tmp_path: Path) -> None:
    records = [
        trial for name in ("one", "two") for k in range(3) for trial in pair(name, base=False, tuned=True, repeat=k)
    ]
    report = build_report(records, run=replace(LIVE, repeats=3), policy=load_policy())
    page = watched.open(write_html(tmp_path, report).as_uri())
    assert page.locator(".tiles li small").all_inner_texts() == ["one", "two"]
    page.locator("#critical").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('table')?.className") == "pairs"
    assert page.evaluate("document.activeElement.textContent") == "one.0"


def test_a_report_without_any_trial_says_missing_and_offers_no_archetype(watched: Watched, tmp_path: Path) -> None:
    report = build_report([], run=replace(LIVE, planned=(("a", 0), ("b", 0))), policy=load_policy())
    page = watched.open(write_html(tmp_path, report).as_uri())
    assert page.locator("table.pairs .chip").all_inner_texts() == ["missing"] * 2
    assert page.locator("#archetype option").all_inner_texts() == ["any"]
    assert page.locator(".counts .invalid dd").inner_text() == "0"
    page.fill("#search", "missing")
    assert page.locator("a.tile.missing").count() == 2


def test_a_page_without_the_sessions_says_where_they_are(watched: Watched, run_dir: Path, tmp_path: Path) -> None:
    write_html(tmp_path, rebuild_report(run_dir))
    page = watched.open((tmp_path / HTML).as_uri() + "#pair=archive-01.0")
    page.wait_for_selector(".side-body .muted")
    assert page.locator(".side-body").all_inner_texts()[0].startswith("This session is not in this page")
    page.keyboard.press("Escape")
    page.wait_for_selector("table.pairs")
    assert "This page holds 0 sessions of 10 trials" in page.locator("main").inner_text()
