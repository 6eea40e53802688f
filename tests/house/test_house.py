"""The rules of the house that no linter holds: ceilings, and names that nobody else may own."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = "evalh", "harness", "scenarios", "checkers", "render", "reports", "tests"
MODULE, FUNCTION = 400, 40  # lines: of a module, and of a function without its signature and docstring
MODULES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def long_functions(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            lines = (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > FUNCTION:
                yield f"{node.name}, {lines} lines"


def test_no_module_is_longer_than_the_ceiling() -> None:
    assert len(MODULES) > 300
    assert [path.name for path in MODULES if path.read_text().count("\n") > MODULE] == []


def test_no_function_is_longer_than_the_ceiling() -> None:
    assert list(long_functions(ast.parse("def long():\n" + "    x = 1\n" * 41))) == ["long, 41 lines"]
    found = {path.name: list(long_functions(ast.parse(path.read_text()))) for path in MODULES}
    assert {name: functions for name, functions in found.items() if functions} == {}


@pytest.mark.parametrize("room", [room for room in ROOMS if room != "tests"])
def test_no_other_distribution_owns_a_rooms_name(room: str) -> None:
    assert set(packages_distributions().get(room, ["evalh"])) == {"evalh"}


# Packages that come with a declared one, whose own interface they are part of.
BROUGHT = {"anyio", "numpy", "pydantic_core", "requests", "safetensors", "starlette", "tokenizers"}
FOR_DEVELOPERS = {"evalh/pytest_plugin.py": {"pytest"}, "harness/bench/page.py": {"playwright"}}


def imported(tree: ast.Module) -> set[str]:
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    return {name.partition(".")[0] for name in names}


def test_what_users_run_imports_no_package_that_only_developers_have() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [each for name, wanted in project["optional-dependencies"].items() if name != "dev" for each in wanted]
    declared = {re.split(r"[^\w-]", each)[0] for each in [*project["dependencies"], *extras]}
    known = declared | BROUGHT | set(ROOMS) | sys.stdlib_module_names
    strange = {}
    for path in (each for each in MODULES if each.relative_to(ROOT).parts[0] != "tests"):
        name = str(path.relative_to(ROOT))
        if found := imported(ast.parse(path.read_text())) - known - FOR_DEVELOPERS.get(name, set()):
            strange[name] = found
    assert strange == {}
