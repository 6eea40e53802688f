"""The line of every key is found in any TOML text that tomllib reads."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.errors import BundleError
from scenarios.loader import load_file
from scenarios.problems import KeyPath, Problem, ProblemError
from scenarios.toml_lines import line_numbers, line_of
from scenarios.toml_text import decode, parse
from tests.scenarios.bundles import GOOD, TEMPLATE, write

SAMPLE = '''\
# a comment with [brackets] and "quotes"
top = 1 # one
"odd \\"key\\" # ]" = "a # b"
'literal.key' = 'c:\\\\'

[table] # header
text = """
[not.a.table]
key = 1
"" quotes \\""" inside"""
after = true
a.b.c = { x = 1, "y z" = [1, 2,
  # comment ]
  { deep = """
""" }, 3], w = 2 }

[[rows]]
name = "first"
[rows.inner]
value = 1
[[rows.inner.more]]
q = \'\'\'
[[rows]]
it''s fine\'\'\'\'
[[rows]]
name = "second"
inner.value = 1979-05-27 07:32:00
[[rows.list]]
a = [
  "x",

  "y", # ]
]
b = 0x_ff
'''.replace("0x_ff", "0xff")


def test_keys_tables_arrays_and_inline_tables_have_their_lines() -> None:
    assert tomllib.loads(SAMPLE)["rows"][1]["list"][0]["b"] == 255
    lines = line_numbers(SAMPLE)
    found: dict[int, list[KeyPath]] = {}
    for key, line in lines.items():
        found.setdefault(line, []).append(key)
    assert found == {
        1: [()],
        2: [("top",)],
        3: [('odd "key" # ]',)],
        4: [("literal.key",)],
        6: [("table",)],
        7: [("table", "text")],
        11: [("table", "after")],
        12: [
            ("table", "a"),
            ("table", "a", "b"),
            ("table", "a", "b", "c"),
            ("table", "a", "b", "c", "x"),
            ("table", "a", "b", "c", "y z"),
            ("table", "a", "b", "c", "y z", 0),
            ("table", "a", "b", "c", "y z", 1),
        ],
        14: [("table", "a", "b", "c", "y z", 2), ("table", "a", "b", "c", "y z", 2, "deep")],
        15: [("table", "a", "b", "c", "y z", 3), ("table", "a", "b", "c", "w")],
        17: [("rows",), ("rows", 0)],
        18: [("rows", 0, "name")],
        19: [("rows", 0, "inner")],
        20: [("rows", 0, "inner", "value")],
        21: [("rows", 0, "inner", "more"), ("rows", 0, "inner", "more", 0)],
        22: [("rows", 0, "inner", "more", 0, "q")],
        25: [("rows", 1)],
        26: [("rows", 1, "name")],
        27: [("rows", 1, "inner"), ("rows", 1, "inner", "value")],
        28: [("rows", 1, "list"), ("rows", 1, "list", 0)],
        29: [("rows", 1, "list", 0, "a")],
        30: [("rows", 1, "list", 0, "a", 0)],
        32: [("rows", 1, "list", 0, "a", 1)],
        34: [("rows", 1, "list", 0, "b")],
    }


def test_what_does_not_stand_in_the_text_has_the_line_of_what_is_around_it() -> None:
    lines = line_numbers(SAMPLE)
    assert line_of(lines, ("rows", 1, "list", 0, "gone", 5)) == 28
    assert line_of(lines, ("gone",)) == 1


def places(value: object, key: KeyPath = ()) -> Iterator[KeyPath]:
    """Every key path of parsed data."""
    yield key
    if isinstance(value, dict):
        for name, item in value.items():
            yield from places(item, (*key, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*key, index))


def test_every_key_of_real_bundles_has_a_line() -> None:
    for text in (GOOD, TEMPLATE, SAMPLE):
        assert set(places(tomllib.loads(text))) == set(line_numbers(text))


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=30)


def basic(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def multiline(text: str) -> str:
    escaped = "".join(f"\\u{ord(c):04x}" if c == "\x7f" else c for c in text.replace("\\", "\\\\"))
    return '"""\n' + escaped.replace('"""', '""\\"') + '"""' if not escaped.endswith('"') else basic(text)


STRINGS: st.SearchStrategy[tuple[str, Callable[[str], str]]] = st.tuples(TEXTS, st.sampled_from([basic, multiline]))
SCALARS = STRINGS.map(lambda pair: pair[1](pair[0])) | st.sampled_from(["1", "true", "1.5", "1979-05-27", "'a # b'"])
KEYS = st.sampled_from(["a", "b-c", "D_1"]) | NAMES.map(basic)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A TOML text: tables and arrays of tables with scalars, arrays and inline tables, and blank lines between."""
    lines: list[str] = []
    for index in range(draw(st.integers(1, 5))):
        array = draw(st.booleans())
        name = f"t{draw(st.integers(0, 1))}" if array else f"s{index}"
        lines.append(f"[[{name}]]" if array else f"[ {name} . {draw(KEYS)} ] # x = [")
        for number in range(draw(st.integers(0, 4))):
            items = draw(st.lists(SCALARS, max_size=3))
            gap = draw(st.sampled_from([" ", "\n", "\n # ] , \n"]))
            inner = f"[{gap}{(',' + gap).join(items)}{gap}]"
            flat = [item for item in items if "\n" not in item]
            table = "{ " + ", ".join(f"k{place} = {item}" for place, item in enumerate(flat)) + " }"
            value = draw(st.sampled_from([inner, table, draw(SCALARS)]))
            lines.append(f"k{number}.{draw(KEYS)} = {value}")
        lines += [""] * draw(st.integers(0, 2))
    return "\n".join(lines)


@settings(max_examples=150, deadline=None)
@given(documents())
def test_any_document_has_a_line_for_each_key_and_the_keys_word_stands_in_it(text: str) -> None:
    data = tomllib.loads(text)
    lines = line_numbers(text)
    assert set(places(data)) == set(lines)
    rows = text.split("\n")
    for key, line in lines.items():
        if key and isinstance(key[-1], str) and key[-1].isascii() and key[-1].isalnum():
            assert key[-1] in rows[line - 1]
    assert all(1 <= line <= len(rows) for line in lines.values())


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b'"' * 5000)
@example(b"a" * 100_000)
@example(b"'a'." * 20_000 + b"b = 1")
@example(b"[" * 100_000)
@example(b"x = {" * 20_000)
def test_any_bytes_at_all_are_read_or_refused(raw: bytes) -> None:
    problems: tuple[Problem, ...] = ()
    data: object = None
    try:
        data = parse(decode(raw))
    except ProblemError as error:
        problems = error.problems
    assert isinstance(data, dict) != bool(problems)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_bundle_with_any_stretch_replaced_loads_or_is_refused_in_one_line_each(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([GOOD, TEMPLATE]))
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 40)))
    new = data.draw(st.text(max_size=10) | st.sampled_from(["{{", "}}", "[[", '"', "'''", "\n", " = ", "{{word}}"]))
    raw = (text[:start] + new + text[stop:]).encode("utf-8", "surrogatepass")
    with TemporaryDirectory() as folder:
        path = write(Path(folder), raw, name="note-one" if text is GOOD else "drawn")
        message = ""
        try:
            load_file(path)
        except BundleError as error:
            message = error.message
        for line in message.split("\n") if message else ():
            assert line.startswith(f"{path}:")
            assert line.isprintable()
