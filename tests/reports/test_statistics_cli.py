"""`evalh stats`: what it prints, and what it says of files and numbers that are wrong."""

from __future__ import annotations

import io
import json
from pathlib import Path

import click
import pytest

from harness.cli.main import cli
from harness.errors import BadInputError
from reports.statistics.unconditional import MOST_EXACT
from tests.reports.test_statistics_clustered import PET, PSYCHIATRY, SPECT

HEADER = "cluster,base,tuned\n"


def said(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    cli.main(["stats", *map(str, arguments)], standalone_mode=False)
    return capsys.readouterr().out


def refused(*arguments: str | Path) -> str:
    """The one line that `evalh` prints of this."""
    with pytest.raises(BadInputError) as caught:
        cli.main(["stats", *map(str, arguments)], standalone_mode=False)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def csv_of(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "pairs.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def psychiatry_rows() -> str:
    rows = []
    for number, cluster in enumerate(PSYCHIATRY):
        ties = cluster.pairs - cluster.tuned_only - cluster.base_only
        rows += (
            [f"{number},0,1"] * cluster.tuned_only + [f"{number},1,0"] * cluster.base_only + [f"{number},1,1"] * ties
        )
    return HEADER + "\n".join(rows) + "\n"


class TestClustered:
    def test_psychiatry_prints_the_published_statistics(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        found = json.loads(said(capsys, "clustered", csv_of(tmp_path, psychiatry_rows()), "--json"))
        wanted = (
            "clusters pairs difference yang_z yang_p durkalski_chi2 durkalski_p signflip_p cluster_robust conclusion"
        )
        assert set(wanted.split()) <= set(found)
        assert (found["clusters"], found["pairs"]) == (29, 135)
        assert found["yang_z"] ** 2 == pytest.approx(8.43, abs=5e-3)
        assert found["durkalski_chi2"] == pytest.approx(7.542, abs=5e-4)
        low, high = found["cluster_robust"]
        assert low < found["difference"] == -29 / 135 < high
        assert found["conclusion"] == "different"

    def test_the_standard_input_any_column_order_words_and_a_byte_order_mark(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = "\ufefftuned, Base,note,CLUSTER\r\n"
        for patient, (pet, spect) in enumerate(zip(PET.split(), SPECT.split(), strict=True)):
            for one, two in zip(pet, spect, strict=True):
                rows += f'{"true" if one == "1" else "False"},{two},"a, note",p{patient}\r\n\r\n'
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(rows.encode())))
        found = json.loads(said(capsys, "clustered", "-", "--json"))
        assert (found["clusters"], found["pairs"]) == (21, 51)
        assert found["durkalski_chi2"] == pytest.approx(2.32, abs=5e-3)
        assert found["yang_z"] == pytest.approx(-(3.13**0.5), abs=2e-3)

    def test_a_list_for_people_names_what_was_not_computed(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        text = said(capsys, "clustered", csv_of(tmp_path, HEADER + "a,0,1\na,1,1\n"))
        assert "cluster_robust           not computed" in text
        assert "conclusion               inconclusive" in text
        assert "2/2^1" in text

    @pytest.mark.parametrize(
        ("content", "where"),
        [
            ("", "is empty"),
            ("\n\n", "is empty"),
            (HEADER, "holds no pair"),
            ("cluster,base\na,1\n", "line 1: there is no column tuned"),
            ("cluster;base;tuned\na;1;0\n", "separated by commas"),
            ("cluster,base,base,tuned\na,1,0,1\n", "line 1: there is more than one column base"),
            (HEADER + "a,1,0\n\na,1,2\n", "line 4, column tuned: '2' is neither 0, 1, true nor false"),
            (HEADER + "a,,0\n", "line 2, column base: there is no value"),
            (HEADER + " ,1,0\n", "line 2, column cluster: there is no value"),
            (HEADER + "a,1\n", "line 2: 2 cells where the header has 3"),
            (HEADER + "a,1,0,0\n", "line 2: 4 cells where the header has 3"),
            (HEADER + 'a,"1"x,0\n', "line 2"),
            (HEADER + 'a,1,0\n"a,1,0\n', "line 3"),
            (HEADER + "a,1,\x1b[2J\n", r"line 2, column tuned: '\x1b[2J'"),
            (HEADER + "a,1," + "9" * 500 + "\n", "'" + "9" * 40 + "' is neither"),
            (HEADER.encode("utf-16"), "there is no column cluster"),
            (HEADER.encode() + b"\xff,1,\xff\n", r"line 2, column tuned: '\udcff'"),
        ],
    )
    def test_a_wrong_file_is_named_with_line_and_column(self, content: str | bytes, where: str, tmp_path: Path) -> None:
        path = csv_of(tmp_path, content)
        message = refused("clustered", path)
        assert message.startswith(str(path))
        assert where in message

    def test_a_file_that_cannot_be_read_is_named(self, tmp_path: Path) -> None:
        assert "No such file" in refused("clustered", tmp_path / "none.csv")
        assert "directory" in refused("clustered", tmp_path)
        assert "cannot be read" in refused("clustered", "a\0b")


class TestCounts:
    @pytest.mark.parametrize(
        "cells", [(0, 0, 0, 1), (16, 0, 0, 0), (0, 16, 0, 0), (0, 0, 16, 0), (10**6, 0, 10**6, 1), (0, 10**6, 0, 0)]
    )
    def test_the_corners_of_the_paired_table_print_valid_json(
        self, cells: tuple[int, ...], capsys: pytest.CaptureFixture[str]
    ) -> None:
        found = json.loads(said(capsys, "paired", *map(str, cells), "--margin", "0.1", "--json"))
        wanted = "difference mcnemar_exact_p mcnemar_midp tango newcombe bonett_price wald win_odds"
        assert {*wanted.split(), "noninferiority_p", "noninferiority_exact_p", "smallest_detectable"} <= set(found)
        assert (found["noninferiority_exact_p"] is None) == (sum(cells) > MOST_EXACT)
        for name in ("tango", "newcombe", "bonett_price", "wald"):
            low, high = found[name]
            assert -1 <= low <= high <= 1
        assert found["difference"] == (cells[1] - cells[2]) / sum(cells)
        assert (found["win_odds"]["odds"] is None) == (cells[2] == 0)

    def test_whole_numbers_are_printed_whole(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        rows = "".join(f"{number},0,1\n" for number in range(12))
        assert "pairs                    12\n" in said(capsys, "clustered", csv_of(tmp_path, HEADER + rows))

    @pytest.mark.parametrize("level", ["0", "1", "nan", "-1", "1.5", "1e-20", "high"])
    def test_a_level_outside_0_and_1_is_a_usage_error(self, level: str) -> None:
        with pytest.raises(click.UsageError, match="strictly between 0 and 1"):
            cli.main(["stats", "proportion", "1", "2", f"--level={level}"], standalone_mode=False)

    @pytest.mark.parametrize(
        "arguments", [("power", "nan", ".1", "10"), ("power", ".9", ".9", "10"), ("proportion", "5", "4")]
    )
    def test_numbers_that_make_no_sense_together_are_refused(self, arguments: tuple[str, ...]) -> None:
        assert refused(*arguments)
