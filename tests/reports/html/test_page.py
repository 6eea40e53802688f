"""The page as a file: what it holds, what it leaves out and says so, and what of a damaged run it still shows."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.store import AUDIT
from harness.values import Arm, TrialKey
from reports import Report, build_report, load_policy
from reports.rebuild import rebuild_report
from reports.views.html import SessionCast, page, read_session_cast, read_sessions, render_html, write_html
from reports.views.html.progress import progress_of
from reports.views.html.sessions import MAX_SAID, MAX_TEXT, session_json
from tests.records import manifest
from tests.reports.html.runs import HOSTILE_WORDS, LANDING
from tests.reports.records import LIVE, run_of

SESSION = re.compile(r'<script type="text/plain" class="session" data-trial="([^"]*)">([^<]*)</script>')
KEY = TrialKey(scenario="a", arm=Arm.BASE, repeat=0)


def held(text: str) -> dict[str, str]:
    """The sessions of a page: trial to JSON."""
    return {unescape(name): zlib.decompress(base64.b64decode(body)).decode() for name, body in SESSION.findall(text)}


def report_in(text: str) -> Report:
    packed = re.search(r'<script type="text/plain" id="report">([^<]*)</script>', text)
    assert packed is not None
    return Report.model_validate_json(zlib.decompress(base64.b64decode(packed[1])))


def played(cast: str = "", turns: str = "") -> dict[str, object]:
    made = json.loads(session_json(SessionCast(key=KEY, cast=cast, turns=turns)))
    assert isinstance(made, dict)
    return made


def test_the_page_holds_the_very_report_and_every_session(run_dir: Path) -> None:
    report = rebuild_report(run_dir)
    text = render_html(report, read_sessions(run_dir, report))
    assert report_in(text) == report
    assert len(held(text)) == 10
    assert json.loads(held(text)["archive-01.tuned.0"])["recorded"] is True


def test_its_policy_names_its_own_script_and_style_and_nothing_else(run_dir: Path) -> None:
    text = render_html(rebuild_report(run_dir))
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    for element in ("script", "style"):
        (body,) = re.findall(rf"<{element}>(.*?)</{element}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy[1]
    assert policy[1].startswith("default-src 'none'")
    assert "connect-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]


def test_it_names_no_other_place_and_no_path_of_this_machine(run_dir: Path) -> None:
    text = render_html(rebuild_report(run_dir))
    assert set(re.findall(r"https?://[^\s\"'`)]+", text)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\s(?:src|href)=", text.split("<style>")[0] + text.split("</style>")[1].split("<script")[0])
    assert str(run_dir) not in text


def test_hostile_words_of_a_run_reach_no_markup() -> None:
    records = [replace(record, reason=HOSTILE_WORDS, model=HOSTILE_WORDS) for record in run_of(both=1, tuned_only=1)]
    info = replace(LIVE, id=HOSTILE_WORDS, notes=(HOSTILE_WORDS,), blockers=(HOSTILE_WORDS,))
    text = render_html(build_report(records, run=info, policy=load_policy()))
    assert "<img" not in text
    assert "alert(1)&gt;" in text  # the title
    assert text.count("<script") == text.count("</script>") == 3


def test_lost_and_won_pairs_come_first_and_what_is_left_out_is_said(
    run_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = rebuild_report(run_dir)
    monkeypatch.setattr(page, "MAX_SESSIONS", 4)
    text = render_html(report, read_sessions(run_dir, report))
    assert list(held(text)) == ["archive-02.base.0", "archive-02.tuned.0", "archive-01.base.0", "archive-01.tuned.0"]
    assert "This page holds 4 sessions of 10 trials" in text
    monkeypatch.setattr(page, "MAX_SESSION_BYTES", 100)
    assert "This page holds 0 sessions of 10 trials" in render_html(report, read_sessions(run_dir, report))


def test_a_page_of_a_report_without_its_run_says_so(run_dir: Path, tmp_path: Path) -> None:
    written = write_html(tmp_path, rebuild_report(run_dir)).read_text()
    assert "This page holds 0 sessions of 10 trials" in written


def test_the_same_records_give_the_same_page(run_dir: Path) -> None:
    report = rebuild_report(run_dir)
    assert render_html(report, read_sessions(run_dir, report)) == render_html(report, read_sessions(run_dir, report))


def test_a_link_out_of_the_run_directory_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "run" / "sessions").mkdir(parents=True)
    (tmp_path / "run" / "sessions" / "a.base.0.cast").symlink_to(tmp_path / "secret")
    assert read_session_cast(tmp_path / "run", KEY, 1) is None


def test_sessions_that_lie_behind_a_linked_directory_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.base.0.cast").write_text("secret")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "sessions").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    assert read_session_cast(tmp_path / "run", KEY, 1) is None


def test_a_pipe_in_the_place_of_a_session_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    os.mkfifo(tmp_path / "sessions" / "a.base.0.cast")
    assert read_session_cast(tmp_path, KEY, 1) is None


@pytest.mark.parametrize("scenario", ["../a", "/etc/passwd", ".hidden", "a/../../b", "a\0b"])
def test_a_trial_whose_name_is_no_file_name_has_no_session(tmp_path: Path, scenario: str) -> None:
    assert read_session_cast(tmp_path, TrialKey(scenario=scenario, arm=Arm.BASE, repeat=0), 1) is None


def test_a_recording_that_a_crash_cut_is_played_as_far_as_it_goes() -> None:
    made = played('{"version": 2, "width": 80, "height": 24}\n[0.5, "o", "$ "]\n[1.0, "o", "hal')
    assert (made["width"], made["height"], made["events"]) == (80, 24, [[0.5, "o", "$ "]])
    assert made["end"] is None


def test_a_session_without_a_recording_is_made_from_its_turns() -> None:
    opening = json.dumps({"type": "opening", "value": [{"role": "user", "content": "hello\n$ "}]})
    turn = {"index": 1, "completion": {"text": "ls"}, "lines": [], "observation": "a b\n$ "}
    made = played(turns=f"{opening}\n{json.dumps({'type': 'turn', 'value': turn})}\n")
    assert made["recorded"] is False
    assert made["events"] == [[0.0, "o", "hello\r\n$ "], [1.0, "m", "1: "], [1.0, "o", "a b\r\n$ "]]


def test_the_harness_marks_are_not_in_the_page() -> None:
    made = played('[0.1, "o", "a\\u001e0123456789:0:1\\u001f$ "]\n')
    assert made["events"] == [[0.1, "o", "a$ "]]


def test_a_flood_is_cut_in_the_middle_its_end_is_kept_and_the_rest_is_counted() -> None:
    flood = [[i, "o", f"<{i}>" + "x" * 60_000] for i in range(40)] + [[40, "m", "7: exit"], [41, "o", "bye"]]
    made = played("\n".join(json.dumps(event) for event in flood))
    shown = json.dumps(made["events"])
    assert len(shown) < MAX_TEXT + 10_000
    assert "<0>" in shown
    assert "<39>" in shown
    assert "<20>" not in shown
    assert '[40.0, "m", "7: exit"], [41.0, "o", "bye"]' in shown
    assert "characters left out" in shown
    assert isinstance(made["left_out"], int)
    assert 40 * 60_000 - MAX_TEXT <= made["left_out"] < 40 * 60_100


def test_what_a_model_said_without_end_is_cut_too() -> None:
    turns = [{"type": "turn", "value": {"index": i, "completion": {"text": "y" * 100_000}}} for i in range(100)]
    made = played(turns="\n".join(json.dumps(turn) for turn in turns))
    assert len(json.dumps(made)) < MAX_SAID + 40_000
    assert isinstance(made["turns"], list)
    assert len(made["turns"]) == 100
    assert "characters left out" in made["turns"][0]["reply"]


@settings(max_examples=50)
@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.floats(allow_nan=True) | st.integers() | st.text(),
            lambda inner: (
                st.lists(inner)
                | st.dictionaries(st.sampled_from(["type", "value", "index", "completion", "lines", "text"]), inner)
            ),
            max_leaves=8,
        )
    )
)
def test_no_damage_to_a_session_breaks_the_page(values: list[object]) -> None:
    lines = "\n".join(json.dumps(value) for value in values)
    made = played(lines, lines)
    assert {"events", "turns", "end", "width"} <= made.keys()
    assert not re.search(r"\b(NaN|Infinity)\b", re.sub(r'"(?:[^"\\\\]|\\\\.)*"', "", json.dumps(made)))


def test_the_landing_is_in_the_session_of_a_recorded_trial(run_dir: Path) -> None:
    found = read_session_cast(run_dir, TrialKey(scenario="archive-01", arm=Arm.BASE, repeat=0), 1)
    assert found is not None
    events = json.loads(session_json(found))["events"]
    assert events[0][2] == LANDING


def test_a_run_whose_log_fell_silent_is_not_called_running(tmp_path: Path) -> None:
    (tmp_path / AUDIT).parent.mkdir()
    at = datetime(2026, 1, 1, tzinfo=UTC)
    lines = [
        {"at": at.isoformat(), "event": "run_started"},
        {"at": at.isoformat(), "event": "trial_started", "trial": "a.base.0"},
    ]
    (tmp_path / AUDIT).write_text("".join(json.dumps(line) + "\n" for line in lines) + "{damaged")
    report = build_report([], run=replace(LIVE, planned=(("a", 0),)), policy=load_policy())
    soon = progress_of(tmp_path, manifest("a"), report, at=at + timedelta(seconds=11))
    assert (soon.state, soon.running, soon.planned, soon.finished) == ("running", ("a.base.0",), 2, 0)
    late = progress_of(tmp_path, manifest("a"), report, at=at + timedelta(minutes=5))
    assert (late.state, late.running) == ("no sign of life", ())


def test_a_run_that_was_decided_early_says_so_when_it_has_ended(tmp_path: Path) -> None:
    (tmp_path / AUDIT).parent.mkdir()
    events = ["run_started", "decided", "trial_finished", "run_finished"]
    report = build_report([], run=LIVE, policy=load_policy())
    for told, state in ((4, "decided early"), (3, "running")):
        (tmp_path / AUDIT).write_text("".join(json.dumps({"event": event}) + "\n" for event in events[:told]))
        assert progress_of(tmp_path, manifest("a"), report).state == state
