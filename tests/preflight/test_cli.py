"""`evalh fingerprint` writes the file beside an adapter, and says what is wrong with what it was given."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.preflight import Fingerprint, read_fingerprint
from tests.integration.command import evalh
from tests.preflight.conftest import Healthy


@pytest.mark.slow
def test_a_fingerprint_is_written_beside_the_adapter(
    healthy_server: Healthy, fingerprint: Fingerprint, tmp_path: Path
) -> None:
    adapter = Path(shutil.copytree(healthy_server.adapters["tuned"], tmp_path / "adapter"))
    done = evalh("fingerprint", "--base", str(healthy_server.base), "--adapter", "adapter", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    written = read_fingerprint(adapter, adapter_digest=fingerprint.adapter_digest)
    assert written == Fingerprint.model_validate_json(done.stdout)
    assert [one.tuned.ids for one in written.canaries] == [one.tuned.ids for one in fingerprint.canaries]


def test_what_is_no_base_or_no_adapter_is_bad_input(healthy_server: Healthy, tmp_path: Path) -> None:
    base, adapter = str(healthy_server.base), str(healthy_server.adapters["tuned"])
    swapped = evalh("fingerprint", "--base", adapter, "--adapter", base, cwd=tmp_path)
    assert swapped.returncode == 30
    assert "this is an adapter" in swapped.stderr
    missing = evalh("fingerprint", "--base", base, "--adapter", "nowhere", cwd=tmp_path)
    assert missing.returncode == 30
    assert "does not exist" in missing.stderr
    assert "Traceback" not in swapped.stderr + missing.stderr
