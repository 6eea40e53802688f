"""A whole run with both arms on a vLLM of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.store import read_manifest
from harness.values import Outcome, ParityLevel
from tests.integration.command import SUITE, UNPROVEN, evalh, records
from tests.tiny_model import make_tiny_adapter, make_tiny_llama
from tests.vllm.models import HIDDEN

pytestmark = pytest.mark.timeout(1200)


def test_a_run_served_by_vllm_compares_every_prompt_token_for_token(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALH_VLLM", program)
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    base = make_tiny_llama(tmp_path / "base", hidden_size=HIDDEN)
    make_tiny_adapter(tmp_path / "ckpt", base, scale=1.0)
    limits = ("--max-tokens", "24", "--max-turns", "3", "--turn-seconds", "3")
    arguments = (
        "run",
        "--adapter",
        "ckpt",
        "--serve",
        "vllm",
        "--scenarios",
        str(SUITE),
        *UNPROVEN,
        "--out",
        "run",
        *limits,
    )
    done = evalh(*arguments, cwd=tmp_path, timeout=900.0)
    assert done.returncode == 0, done.stderr
    found = records(tmp_path / "run")
    assert len(found) == 4
    for record in found.values():
        assert record.outcome is not Outcome.INVALID
        assert record.parity is not None
        assert (record.parity.level, record.parity.differed) == (ParityLevel.REPLY_IDS, 0)
        assert record.parity.agreed == record.parity.prompts > 0
    manifest = read_manifest(tmp_path / "run")
    assert manifest.blockers == ()
    assert {finding.check for finding in manifest.preflight if finding.result == "ok"} >= {
        *("cards", "liveness", "contamination", "parity"),
    }
