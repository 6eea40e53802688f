"""Every example of docs/scenarios.md works as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from scenarios.bundle import Scenario
from scenarios.loader import load_file
from scenarios.shape import CHECKS
from scenarios.template import expand, parse
from tests.scenarios.bundles import write

DOCS = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text()


def examples(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)


def test_the_bundle_of_the_page_loads_and_shows_every_field(tmp_path: Path) -> None:
    text = examples("toml")[0]
    (loaded,) = load_file(write(tmp_path / "holdout", text, name="lamp"))
    assert loaded.files[0].content.startswith(b"Write the word dark")
    assert set(tomllib.loads(text)) == set(Scenario.model_fields)


def test_the_templates_of_the_page_expand() -> None:
    whole, lines = examples("toml")[1:]
    template = parse(tomllib.loads(whole))
    files = expand(template, 7)["files"]
    assert "{{" not in str(files)
    fragment = tomllib.loads(
        f'id = "x"\ninstances = [1, 2]\n[parameters]\n{lines}\n[out]\ntext = "{{{{lines}}}}={{{{total}}}}"'
    )
    out = expand(parse(fragment), 1)["out"]
    assert isinstance(out, dict)
    rows, total = str(out["text"]).split("=")
    assert sum(int(row.split()[1]) for row in rows.split("\n")) == int(total)


def test_every_kind_of_check_and_each_of_its_keys_is_on_the_page() -> None:
    for model in CHECKS:
        keys = [f"`{name}`" for name in model.model_fields if name != "kind"]
        kind = str(model.model_fields["kind"].annotation).split("'")[1]
        (row,) = (line for line in DOCS.split("\n") if line.startswith(f"| `{kind}` "))
        assert all(key in row.split("|")[1] for key in keys)


def test_the_program_of_the_page_runs() -> None:
    (program,) = examples("python")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"[1-8] sha256:\n", done.stdout)
