"""A browser's page that is watched: what it complains of, what it asks the network for, what its terminals show."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import ConsoleMessage, Page, Request, ViewportSize

PATIENCE = 30  # seconds, on a machine that does other things too
WINDOW: ViewportSize = {"width": 1300, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 800}


class Watched:
    """A page with everything that it complained of or asked the network for."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._request)
        page.set_default_timeout(PATIENCE * 1000)

    def _console(self, message: ConsoleMessage) -> None:
        self.complaints.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        self.asked.append(request.url)

    def open(self, url: str) -> Page:
        """The page at an address, once its program has built it."""
        self.page.goto(url)
        self.page.wait_for_selector("html[data-ready=yes]")
        return self.page


def picture(page: Page, name: str) -> None:
    """Keep a picture of the whole page under the directory that EVALH_SCREENSHOTS names; nothing without it."""
    if folder := os.environ.get("EVALH_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def screens(page: Page) -> list[str]:
    """What both terminals show, once both sessions are unpacked."""
    page.wait_for_selector(".side:nth-child(2) .screen, .side:nth-child(2) .side-body .muted")
    return page.locator(".screen").all_inner_texts()
