"""The wheel holds all that evalh needs at run time, and works far from any checkout."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from harness.sandbox.image.tree import docker_inputs_digest
from scenarios import shipped

pytestmark = pytest.mark.slow  # the wheel is built: left out of `make check`

ROOT = Path(__file__).parents[2]
PACKAGES = ("evalh", "harness", "scenarios", "checkers", "render", "reports")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The folder that the wheel is unpacked in, as an installer would."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(wheel.parent / "installed")
    return wheel.parent / "installed"


def run(installed: Path, program: str) -> str:
    """What a program prints whose evalh is the unpacked wheel; -S keeps this checkout's own installation out."""
    head = f"import sys\nsys.path[:0] = [{str(installed)!r}]\nsys.path.append({sysconfig.get_path('purelib')!r})\n"
    done = subprocess.run(
        [sys.executable, "-S", "-c", head + program], check=False, capture_output=True, text=True, cwd=installed.parent
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    files = {path.relative_to(ROOT) for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()}
    assert {str(path) for path in files if "__pycache__" not in path.parts} <= inside
    assert not [name for name in inside if name.startswith(("tests/", "docs/"))]


def test_the_docker_image_is_built_of_the_same_inputs_as_in_the_checkout(installed: Path) -> None:
    program = "from harness.sandbox.image.tree import docker_inputs_digest\nprint(docker_inputs_digest())"
    assert run(installed, program).strip() == docker_inputs_digest()


def test_the_shipped_scenarios_are_listed_from_the_wheel(installed: Path) -> None:
    program = "sys.argv = ['evalh', 'scenario', 'list']\nfrom evalh.__main__ import main\nmain()"
    listed = run(installed, program)
    assert [file.stem for file in shipped("holdout").rglob("*.toml") if f"{file.stem} " not in listed] == []
