"""The step summary and the comment: always within their size, what is lost is said, and nothing hostile gets out."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BadInputError
from harness.values import TrialRecord
from reports import build_report, comment_marker, load_policy, render_comment, render_markdown
from reports.schema import Report
from reports.views.fitting import Block, fit, folded
from tests.reports.records import LIVE, invalid, pair, run_of
from tests.reports.test_views import HOSTILE, hostile_report


def report_of(trials: list[TrialRecord]) -> Report:
    return build_report(trials, run=LIVE, policy=load_policy())


@pytest.fixture(scope="module")
def large() -> Report:
    """A report in which everything that can be long is: archetypes, exclusions, reasons, notes."""
    trials = [replace(t, archetype=f"a-{t.scenario}-{'<' * 200}", reason="&" * 300) for t in run_of(tuned_only=400)]
    trials = [invalid(t, message="|" * 300) if i % 5 == 0 else t for i, t in enumerate(trials)]
    return build_report(trials, run=replace(LIVE, notes=tuple("*" * 300 for _ in range(300))), policy=load_policy())


class TestSize:
    @pytest.mark.parametrize("room", [0, 100, 400, 1000, 3000, 10_000, 65_536, 300_000, 1 << 20])
    def test_no_view_is_ever_larger_than_its_room(self, room: int, large: Report) -> None:
        assert len(render_markdown(large, max_bytes=room).encode()) <= room
        assert len(render_comment(large, max_bytes=max(room, 100)).encode()) <= max(room, 100)

    def test_the_comment_fits_what_github_takes_and_the_summary_too(self, large: Report) -> None:
        assert 30_000 < len(render_comment(large)) <= 65_536
        assert 65_536 < len(render_markdown(large).encode()) <= 1 << 20

    def test_the_decision_is_the_last_thing_to_go(self, large: Report) -> None:
        text = render_markdown(large, max_bytes=2500)
        assert f"**{large.gate_result.upper()}: {large.promotion_recommendation}**" in text
        assert "Left out for size: " in text

    @pytest.mark.parametrize("room", range(0, 1200, 7))
    def test_a_summary_that_is_nearly_full_gets_the_decision_or_nothing(self, room: int, large: Report) -> None:
        text = render_markdown(large, max_bytes=room)
        assert text == "" or f"**{large.gate_result.upper()}: {large.promotion_recommendation}**" in text

    def test_what_is_left_out_is_counted(self, large: Report) -> None:
        text = render_comment(large)
        dropped = re.search(r"(\d+) (?:pair|exclusion|note)s? left out for size", text)
        assert dropped is not None
        assert int(dropped[1]) > 0

    @settings(max_examples=200)
    @given(
        st.lists(st.lists(st.text(alphabet="aä\U0001f600", max_size=60), max_size=8), max_size=6),
        st.integers(0, 3000),
    )
    def test_every_line_is_shown_or_counted_or_its_block_is_named(self, texts: list[list[str]], room: int) -> None:
        blocks = [folded(f"block {i}", "line", lines) for i, lines in enumerate(texts)]
        shown = fit(blocks, room)
        assert len(shown.encode()) <= room
        for block in blocks:
            if not block.lines or not shown:
                continue
            if f"<summary>{block.title} ({len(block.lines)})" not in shown:
                assert block.title in shown.rpartition("Left out for size: ")[2]
                continue
            body = shown.split(f"<summary>{block.title} (")[1].split("</details>")[0]
            dropped = re.search(r"(\d+) lines? left out", body)
            kept = len(block.lines) - (int(dropped[1]) if dropped else 0)
            assert kept >= 1
            assert body.startswith(f"{len(block.lines)})</summary>\n\n" + "".join(f"{x}\n" for x in block.lines[:kept]))

    def test_enough_room_loses_nothing(self) -> None:
        blocks = [Block(title="t", noun="line", lines=("a", "b"))]
        assert fit(blocks, 1000) == "a\nb\n"


class TestComment:
    def test_begins_with_a_hidden_line_that_no_run_changes(self) -> None:
        one, other = report_of(run_of(both=3)), report_of(run_of(tuned_only=9, neither=7))
        assert render_comment(one).splitlines()[0] == render_comment(other).splitlines()[0] == comment_marker("report")
        assert comment_marker("report") == "<!-- evalh:report -->"

    @pytest.mark.parametrize("key", ["", "a b", "-->", "x" * 65, "a\nb", "é"])
    def test_a_key_that_could_break_the_marker_is_refused(self, key: str) -> None:
        with pytest.raises(BadInputError, match="no key"):
            comment_marker(key)

    def test_lists_losses_and_wins_and_no_ties(self) -> None:
        trials = [*pair("won", base=False, tuned=True), *pair("lost", base=True, tuned=False)]
        text = render_comment(report_of([*trials, *pair("tied", base=True, tuned=True)]))
        assert (
            text.index("only base gets right (1)") < text.index("lost&#46;0") < text.index("only tuned gets right (1)")
        )
        assert "won&#46;0" in text
        assert "tied" not in text

    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_hostile_text_adds_no_markup_link_mention_or_second_marker(self, text: str) -> None:
        shown = render_comment(hostile_report(text))
        first, _, rest = shown.partition("\n")
        assert first == comment_marker("report")
        tags = set(re.findall(r"<[^>]*>?", rest))
        assert tags <= {"<code>", "</code>", "<details>", "</details>", "<summary>", "</summary>"}
        assert not re.search(r"[@`!]|https?:/|www\.|\]\(|(?<!&)#(?!#? )", rest)
        quiet = render_comment(hostile_report("quiet"))
        assert shown.count("\n") == quiet.count("\n")
        assert shown.count("|") == quiet.count("|")


def test_costs_archetypes_and_what_is_said_in_sentences_are_in_the_summary() -> None:
    text = render_markdown(report_of(run_of(tuned_only=9, neither=7)))
    assert "| turns | 16 | 12 |" in text
    assert "| notes | 16 | 0/16 -&#62; 9/16" in text or "| notes | 16 | 0/16 -> 9/16" in text
    assert "Odds of a win on success: 9 to 0" in text
