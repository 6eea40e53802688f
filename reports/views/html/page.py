"""The page: one self-contained file that holds the report, as many sessions as fit, and its own program and policy."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterable
from dataclasses import asdict
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from harness.store import write_atomically
from harness.values import TrialKey
from reports.plain import plain
from reports.schema import Report
from reports.views.html.casts import SessionCast, read_sessions
from reports.views.html.progress import Progress
from reports.views.html.sessions import session_json
from reports.wording import plural

HTML = "report.html"
TERMINAL = ("line", "colours", "emulator")
SCRIPTS = ("dom", "words", "store", *TERMINAL, "player", "plot", "summary", "pairs", "duel", "app")
MAX_SESSIONS = 2000  # sessions that a page holds: a thousand pairs
MAX_SESSION_BYTES = 24 << 20  # of all sessions, packed, as they stand in the page
LEVEL = 6  # of compression: smaller ones hardly gain time


def render_html(report: Report, sessions: Iterable[SessionCast] = ()) -> str:
    """The page as text; it needs no network, and its policy forbids any.

    Sessions are taken in the order given until there are `MAX_SESSIONS` or `MAX_SESSION_BYTES` of them;
    the page says how many trials it holds no session of.
    """
    packed: list[str] = []
    room = MAX_SESSION_BYTES
    for session in sessions:
        element = _session(session)
        room -= len(element)
        if room < 0 or len(packed) == MAX_SESSIONS:
            break
        packed.append(element)
    trials = sum((pair.base is not None) + (pair.tuned is not None) for pair in report.pairs)
    return _page(report, {"live": False, "left_out": _left_out(trials, len(packed))}, packed)


def live_page(report: Report, *, version: str, progress: Progress) -> str:
    """The page of a server: sessions and news of the run are fetched from it."""
    return _page(report, {"live": True, "version": version, "progress": asdict(progress)}, [])


def write_html(run_dir: Path, report: Report) -> Path:
    """Write report.html with the sessions of the run directory, whole or not at all; its path.

    Raises:
        StoreError: the directory cannot be written.
    """
    write_atomically(run_dir / HTML, render_html(report, read_sessions(run_dir, report)))
    return run_dir / HTML


def content_policy(*, live: bool) -> str:
    """The page's Content-Security-Policy: its own script and style by their digests, and nothing else.

    No markup can be made from text either (Trusted Types). Only a served page may ask its own server.
    """
    script, style = (f"'sha256-{_digest(text)}'" for text in (_script(), _static("style.css")))
    rules = (
        "default-src 'none'",
        f"script-src {script}",
        f"style-src {style}",
        "connect-src 'self'" if live else "connect-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
    return "; ".join(rules)


def _page(report: Report, page: dict[str, object], sessions: Iterable[str]) -> str:
    return Template(_static("page.html")).substitute(
        csp=content_policy(live=bool(page["live"])),
        title=escape(f"Paired report {plain(report.run.id)}"),
        style=_static("style.css"),
        fallback=_fallback(report),
        page=json.dumps(page).replace("<", "\\u003c"),
        report=_pack(report.model_dump_json()),
        sessions="\n".join(sessions),
        script=_script(),
    )


def _session(session: SessionCast) -> str:
    name = escape(str(_shown(session.key)), quote=True)
    return f'<script type="text/plain" class="session" data-trial="{name}">{_pack(session_json(session))}</script>'


def _shown(key: TrialKey) -> TrialKey:
    """The key with the scenario's name as the report spells it."""
    return TrialKey(scenario=plain(key.scenario), arm=key.arm, repeat=key.repeat)


def _pack(text: str) -> str:
    return base64.b64encode(zlib.compress(text.encode("utf-8", "replace"), LEVEL)).decode("ascii")


def _left_out(trials: int, held: int) -> str | None:
    if held >= trials:
        return None
    return (
        f"This page holds {plural(held, 'session')} of {plural(trials, 'trial')}; lost and won pairs come first. "
        "`evalh view` on the run directory shows all that were recorded."
    )


def _fallback(report: Report) -> str:
    """What a reader without scripts sees: the decision, and where the numbers are."""
    why = "".join(f"<li>{escape(plain(sentence, 600))}</li>" for sentence in report.rationale)
    verdict = escape(f"{report.gate_result.upper()}: {report.promotion_recommendation}")
    return (
        f"<h1>{escape(f'Paired report {plain(report.run.id)}')}</h1><h2>{verdict}</h2><ul>{why}</ul>"
        "<p>This page needs JavaScript to show more; report.md beside it does not.</p>"
    )


def _static(name: str) -> str:
    return (files("reports.views.html") / "static" / name).read_text(encoding="utf-8")


def _script() -> str:
    parts = "\n".join(_static(f"{name}.js") for name in SCRIPTS)
    return f'"use strict";\n(() => {{\n{parts}}})();\n'


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
