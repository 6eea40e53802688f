"""A hostile session in report.html: it is text, and the page's policy would stop it if it were not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.reports.html.browsing import Watched, screens

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext

pytestmark = pytest.mark.browser


def test_a_hostile_session_is_shown_as_text_and_nothing_of_it_runs(watched: Watched, page_url: str) -> None:
    page = watched.open(f"{page_url}#pair=hostile-01.0")
    for text in screens(page):
        assert "</script><img src=x onerror=alert(1)>" in text
        assert "a link" in text
        assert "javascript:" not in text
        assert "a title" not in text
        assert "hidden" in text
        assert "\u202e" not in text
        assert "0123456789abcdef" not in text
        assert "characters left out" in text
    assert page.locator("img, iframe, object").count() == 0
    assert page.locator(".screen a").count() == 0
    reply = page.locator(".turns pre").nth(1).inner_text()
    assert r"\u{1b}[2J\u{202e}" in reply
    assert watched.asked == [page_url]


def test_a_script_that_got_into_the_page_would_not_run(context: BrowserContext, page_url: str) -> None:
    page = Watched(context.new_page()).open(page_url)
    refused = page.evaluate(
        """async () => {
            const refusals = [];
            addEventListener("securitypolicyviolation", (event) => refusals.push(event.effectiveDirective));
            const image = "<img src=x onerror='window.ran = 1'>";
            try { document.body.innerHTML += image; } catch (e) { refusals.push(e.name); }
            const script = document.createElement("script");
            try { script.textContent = "window.ran = 2"; } catch (e) { refusals.push(e.name); }
            document.body.append(script);
            document.body.setAttribute("style", "display: none");
            try { await fetch("https://example.org/"); } catch (e) { refusals.push("fetch"); }
            const told = () => ["connect-src", "style-src-attr"].every((name) => refusals.includes(name));
            for (let i = 0; i < 300 && !told(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
            return [refusals, window.ran ?? null, getComputedStyle(document.body).display];
        }"""
    )
    refusals, ran, display = refused
    assert ran is None
    assert display == "block"
    assert refusals.count("TypeError") == 2
    assert {"fetch", "connect-src", "style-src-attr", "require-trusted-types-for"} <= set(refusals)
