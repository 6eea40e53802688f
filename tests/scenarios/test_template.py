"""A template gives the same instances everywhere, each a bundle of its own."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import BundleError
from scenarios.loader import LoadedScenario, load_file
from scenarios.template import expand, parse
from tests.scenarios.bundles import TEMPLATE, changed, write


def load(folder: Path, text: str = TEMPLATE) -> tuple[LoadedScenario, ...]:
    return load_file(write(folder, text, name="drawn"))


def orders(loaded: LoadedScenario) -> str:
    return str(loaded.files[0].content, "utf-8")


def test_every_seed_gives_an_instance_with_its_own_id_and_digest(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert [item.scenario.id for item in loaded] == [f"drawn-{seed:03d}" for seed in range(1, 13)]
    assert len({item.digest for item in loaded}) == 12
    assert {item.path for item in loaded} == {tmp_path / "notes" / "drawn.toml"}


def test_placeholders_are_filled_in_texts_keys_and_numbers(tmp_path: Path) -> None:
    for item in load(tmp_path):
        file = item.scenario.files[0]
        directory, _, name = file.path.rpartition("/")
        assert (directory, name) in {("/srv/a", "x.txt"), ("/srv/b", "y.txt")}
        assert item.scenario.landing.motd == f"Orders: {file.path}"
        count, tree = item.scenario.checks
        assert count.kind == "line_count"
        assert 2 <= count.count <= 9
        assert tree.kind == "tree_equals"
        people = tree.files[name].split(", ") if ", " in tree.files[name] else tree.files[name].split("\n")
        assert len(people) == 3
        assert people == sorted(people)
        assert f", as {', '.join(sorted(people, key=orders(item).index))} and " in orders(item)
        assert orders(item).endswith("Literally {{word}}.")


def test_the_draws_are_known_ones() -> None:
    # the shipped training split is drawn so: other values here mean other scenarios, and other digests
    template = parse(tomllib.loads(TEMPLATE))
    drawn = [str(expand(template, seed)["files"]) for seed in (1, 2, 700)]
    assert "'/srv/b/y.txt', 'content': 'Write cedar into /srv/b/out, as dana, ben, cleo and dana said." in drawn[0]
    assert "'/srv/b/y.txt', 'content': 'Write dune into /srv/b/out, as anna, dana, emil and anna said." in drawn[1]
    assert "'/srv/a/x.txt', 'content': 'Put basalt into /srv/a/out, as cleo, dana, anna and cleo said." in drawn[2]


def test_another_python_process_with_another_hash_seed_draws_the_same(tmp_path: Path) -> None:
    path = write(tmp_path, TEMPLATE, name="drawn")
    program = (
        "import sys; from pathlib import Path; from scenarios.loader import load_file;"
        "print(*(item.digest for item in load_file(Path(sys.argv[1]))))"
    )
    for seed in ("1", "2"):
        command = [sys.executable, "-c", program, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed})
        assert done.stdout.split() == [item.digest for item in load_file(path)]


def test_choose_uses_the_whole_pool_before_it_repeats_any_of_it(tmp_path: Path) -> None:
    words = [
        orders(item).split(" into")[0].split()[-1] for item in load(tmp_path, TEMPLATE.replace("[1, 12]", "[0, 39]"))
    ]
    for start in range(0, 40, 4):
        assert Counter(words[start : start + 4]) == Counter(["amber", "basalt", "cedar", "dune"])
    assert len({tuple(words[start : start + 4]) for start in range(0, 40, 4)}) > 1


def test_a_longer_range_of_seeds_or_another_parameter_changes_no_other_draw(tmp_path: Path) -> None:
    before = load(tmp_path / "one")
    more = TEMPLATE.replace("[1, 12]", "[0, 20]").replace(
        "[parameters]\n", '[parameters]\nplace_of_birth = { choose = ["x", "y"] }\n'
    )
    more = more.replace('"note"', '"note"').replace('task = "write-note"', 'task = "write-{{place_of_birth}}"')
    after = {item.scenario.id: item for item in load(tmp_path / "two", more)}
    for item in before:
        assert after[item.scenario.id].files == item.files


def body(parameters: str, text: str) -> str:
    """The template with other parameters, used in the orders; the other placeholders are plain words."""
    start, stop = TEMPLATE.index("[parameters]"), TEMPLATE.index("[tags]")
    new = TEMPLATE[:start] + "[parameters]\n" + parameters + "\n" + TEMPLATE[stop:]
    for name in ("place.dir", "place.file", "order", "sorted", "people.0", "people"):
        new = new.replace("{{" + name + "}}", {"place.dir": "/srv/a"}.get(name, "x"))
    new = new.replace("Literally {{{{word}}.", "").replace('count = "{{times}}"', "count = 1")
    return new.replace("x into /srv/a/out, as x and x said. ", text).replace("[1, 12]", "[1, 3]")


VALUES = {
    "numbers": ("n = { range = [5, 5] }", "{{n}}", "5"),
    "negative": ("n = { range = [-3, -3] }", "{{n}}", "-3"),
    "seed": ("n = { choose = [7] }", "{{seed}} {{n}}", "1 7"),
    "nested": ('a = { choose = ["<{{b}}>"] }\nb = { choose = ["c"] }', "{{a}}", "<c>"),
    "spaces": ('a = { choose = ["b"] }', "{{ a }}{{a }}", "bb"),
    "braces": ('a = { choose = ["b"] }', "{{{a}}} {{{{a}} }} {", "{b} {{a}} }} {"),
    "list and items": ('a = { sample = ["b"], count = 1 }', "{{a}} {{a.0}}", "b b"),
    "join": ('a = { choose = ["b"], count = 3, join = "-" }', "{{a}}", "b-b-b"),
    "count span": ('a = { choose = ["b"], count = [2, 2] }', "{{a}}", "b\nb"),
    "empty list": ('a = { choose = ["b"], count = 0 }', "<{{a}}>", "<>"),
    "row": ('a = { choose = [{ p = "x", q = 2 }] }', "{{a.p}}{{a.q}}", "x2"),
    "rows": ('a = { sample = [{ p = "x" }], count = 1 }', "{{a.0.p}} {{a.p}}", "x x"),
    "sum": ('n = { range = [5, 5], count = 3 }\nt = { derive = "sum(n, 1)" }', "{{t}}", "16"),
    "of derived": ('n = { choose = ["{{s}}b"] }\ns = { derive = "upper(\'a\')" }', "{{n}}", "Ab"),
}


@pytest.mark.parametrize("name", VALUES)
def test_a_placeholder_stands_for_its_value(tmp_path: Path, name: str) -> None:
    parameters, text, expected = VALUES[name]
    loaded = load(tmp_path, body(parameters, text))
    assert orders(loaded[0]) == expected


BROKEN = {
    "no instances": (
        changed("instances = [1, 12]\n", "", text=TEMPLATE),
        "parameters: a bundle with parameters needs instances",
    ),
    "no parameters": (
        TEMPLATE[: TEMPLATE.index("[parameters]")] + TEMPLATE[TEMPLATE.index("[tags]") :],
        "instances: instances need a table of parameters",
    ),
    "backwards": (
        TEMPLATE.replace("[1, 12]", "[12, 1]"),
        "instances: instances must satisfy 0 <= first <= last < 1000, and is [12, 1]",
    ),
    "too many": (TEMPLATE.replace("[1, 12]", "[1, 1000]"), "instances: instances must satisfy"),
    "one number": (
        TEMPLATE.replace("[1, 12]", "12"),
        "instances: instances must be two whole numbers; write `instances = [1, 40]`",
    ),
    "truth": (TEMPLATE.replace("[1, 12]", "[true, 12]"), "instances: instances must be two whole numbers"),
    "name": (body('Name = { choose = ["x"] }', "y"), 'parameters.Name: "Name" cannot be a parameter\'s name'),
    "reserved name": (
        body("seed = { range = [1, 2] }", "{{seed}}"),
        'parameters.seed: "seed" cannot be a parameter\'s name',
    ),
    "two kinds": (
        body('a = { choose = ["x"], range = [1, 2] }', "{{a}}"),
        "parameters.a: a parameter is a table with exactly one of",
    ),
    "no kind": (body('a = "x"', "{{a}}"), "parameters.a: a parameter is a table with exactly one of"),
    "unknown key": (
        body('a = { choose = ["x"], sep = "," }', "{{a}}"),
        "parameters.a.sep: extra inputs are not permitted",
    ),
    "empty pool": (body("a = { choose = [] }", "{{a}}"), "parameters.a.choose: tuple should have at least 1 item"),
    "pool with a truth": (body("a = { choose = [true] }", "{{a}}"), "parameters.a.choose[0]: "),
    "pool twice": (
        body('a = { choose = ["x", "x"] }', "{{a}}"),
        "parameters.a.choose: an item stands in the pool twice (2 items, 1",
    ),
    "rows unlike": (
        body('a = { choose = [{ p = "x" }, { q = "x" }] }', "{{a.p}}"),
        "parameters.a.choose: the rows of a pool must all",
    ),
    "range backwards": (
        body("a = { range = [2, 1] }", "{{a}}"),
        "parameters.a.range: the range is empty: 2 is larger than 1",
    ),
    "too many of a pool": (
        body('a = { sample = ["x"], count = 2 }', "{{a}}"),
        "parameters.a.sample: 2 different items cannot be drawn",
    ),
    "sample without count": (body('a = { sample = ["x"] }', "{{a}}"), "parameters.a.count: field required"),
    "unused": (
        body('a = { choose = ["x"] }', "y"),
        "parameters.a: the parameter a is never used; write {{a}} where it belongs, or remove it",
    ),
    "unknown name": (
        body('a = { choose = ["x"] }', "{{a}} {{b}}"),
        'files[0].content: there is no parameter "b"; there are a',
    ),
    "unknown name in a pool": (
        body('a = { choose = ["{{b}}", "x"] }', "{{a}}"),
        'parameters.a: there is no parameter "b"',
    ),
    "malformed": (
        body('a = { choose = ["x"] }', "{{a}} {{A}}"),
        'files[0].content: "{{A}}" is no placeholder such as {{name}}; a literal {{ is written {{{{',
    ),
    "unclosed": (body('a = { choose = ["x"] }', "{{a}} {{a"), 'files[0].content: "{{a" is no placeholder'),
    "circle": (
        body('a = { choose = ["{{b}}"] }\nb = { choose = ["{{a}}"] }', "{{a}}"),
        "files[0].content: parameters need each other in a circle: a -> b -> a",
    ),
    "item beyond": (
        body('a = { sample = ["x"], count = 1 }', "{{a.1}}"),
        "files[0].content: a.1 counts from 0, and there are 1 items",
    ),
    "part of a text": (
        body('a = { choose = ["x"] }', "{{a.b}}"),
        'files[0].content: a.b: a single text has no part "b"',
    ),
    "unknown part": (
        body('a = { choose = [{ p = "x" }] }', "{{a.q}}"),
        'files[0].content: a.q: a row has no "q", only p',
    ),
    "whole row": (
        body('a = { choose = [{ p = "x" }] }', "{{a}}"),
        "files[0].content: a is a row of several texts; name one of them, as in {{a.key}}",
    ),
    "derive": (
        body('a = { derive = "evil(1)" }', "{{a}}"),
        'files[0].content: there is no function "evil"; the functions are column',
    ),
    "doubling": (
        body(
            "\n".join(f'a{n} = {{ choose = ["{{{{a{n + 1}}}}}{{{{a{n + 1}}}}}"] }}' for n in range(30))
            + '\na30 = { choose = ["x"] }',
            "{{a0}}",
        ),
        "files[0].content: the text with its parameters filled in is longer than",
    ),
    "id placeholder": (
        TEMPLATE.replace('id = "drawn"', 'id = "{{word}}"'),
        'id: the id is "{{word}}", and the file is "drawn.toml"',
    ),
    "not a number": (
        TEMPLATE.replace("{ range = [2, 9] }", '{ choose = ["x"] }'),
        'unable to parse string as an integer, and is "x" (in the instance drawn-001)',
    ),
    "keys become one": (
        TEMPLATE.replace('{ "{{place.file}}" = "{{sorted}}" }', '{ "{{word}}" = "{{sorted}}", "{{ word }}" = "" }'),
        "two keys become the same",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_template_says_what_is_wrong(tmp_path: Path, name: str) -> None:
    text, said = BROKEN[name]
    with pytest.raises(BundleError) as caught:
        load(tmp_path, text)
    assert said in caught.value.message


def test_a_plain_bundle_keeps_its_double_braces(tmp_path: Path) -> None:
    text = write(tmp_path).read_text()
    text = text.replace("Welcome. Orders:", "Welcome to {{word}}. Orders:")
    (loaded,) = load_file(write(tmp_path, text))
    assert loaded.scenario.landing.motd.startswith("Welcome to {{word}}")


@settings(deadline=None)
@given(st.lists(st.text(max_size=5), min_size=1, max_size=20, unique=True), st.data())
def test_a_sample_is_of_different_items_of_its_pool(pool: list[str], data: st.DataObject) -> None:
    clean = [item.replace("{{", "") for item in pool]
    if len(set(clean)) < len(clean):
        clean = [f"{index}{item}" for index, item in enumerate(clean)]
    count = data.draw(st.integers(0, len(clean)))
    template = parse(
        {
            "id": "x",
            "instances": [0, 99],
            "parameters": {"a": {"sample": list(clean), "count": count, "join": "\0"}},
            "items": [f"{{{{a.{index}}}}}" for index in range(count)] or ["{{a}}"],
        }
    )
    drawn = expand(template, data.draw(st.integers(0, 99)))["items"]
    assert isinstance(drawn, list)
    assert len({str(item) for item in drawn}) == max(count, 1)
    assert count == 0 or {str(item) for item in drawn} <= set(clean)
