"""The language of derived parameters computes what it says, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.derive import FUNCTIONS, DeriveError, Value, derive
from scenarios.drawing import below, shuffled, stream

NAMES: dict[str, Value] = {
    "people": ("cleo", "anna", "ben", "anna"),
    "amounts": ("10", "9", "2"),
    "logs": ("09:00 ERROR disk", "09:05 info ok", "09:07 ERROR net"),
    "word": "amber",
    "n": "3",
}


def lookup(name: str) -> Value:
    if name in NAMES:
        return NAMES[name]
    raise DeriveError(f"no {name}")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("word", "amber"),
        ("people", NAMES["people"]),
        (" 'a, (b' ", "a, (b"),
        ('"it\'s"', "it's"),
        ("007", "7"),
        ("-5", "-5"),
        ("sum(amounts, n, 1)", "25"),
        ("sum()", "0"),
        ("min(amounts)", "2"),
        ("max(amounts, 11)", "11"),
        ("sub(n, 5)", "-2"),
        ("mul(n, n)", "9"),
        ("len(people)", "4"),
        ("len(unique(people))", "3"),
        ("upper(word)", "AMBER"),
        ("upper(people)", ("CLEO", "ANNA", "BEN", "ANNA")),
        ("lower('AB')", "ab"),
        ("title(word)", "Amber"),
        ("sort(people)", ("anna", "anna", "ben", "cleo")),
        ("sort(amounts)", ("10", "2", "9")),
        ("sort_numbers(amounts)", ("2", "9", "10")),
        ("reverse(amounts)", ("2", "9", "10")),
        ("head(people, 2)", ("cleo", "anna")),
        ("tail(people, 2)", ("ben", "anna")),
        ("tail(people, 9)", NAMES["people"]),
        ("head(people, -1)", ()),
        ("len(with(logs, 'ERROR'))", "2"),
        ("without(logs, 'ERROR')", ("09:05 info ok",)),
        ("column(logs, 3)", ("disk", "ok", "net")),
        ("paste(amounts, ' x ', n)", ("10 x 3", "9 x 3", "2 x 3")),
        ("paste('a', n)", "a3"),
        ("list(n, amounts)", ("3", "10", "9", "2")),
        ("join(sort(amounts), '+')", "10+2+9"),
        ("sum(column(paste(people, ' ', list(1, 2, 3, 4)), 2))", "10"),
    ],
)
def test_an_expression_has_its_value(expression: str, expected: Value) -> None:
    assert derive(expression, lookup) == expected


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "ends too early"),
        ("sum(", "ends too early"),
        ("sum(n", "a `,` or `)` is missing"),
        ("sum(n) n", '"n" follows a complete expression'),
        ("1 + 2", 'cannot read "+ 2"'),
        (")", '")" stands where a value should'),
        ("__import__('os')", 'there is no function "__import__"'),
        ("word.upper()", 'there is no function "word.upper"'),
        ("nobody", "no nobody"),
        ("len(people, n)", "len() does not take 2 arguments"),
        ("sum(word)", '"amber" is not a whole number'),
        ("sum(99999999999999999999)", 'cannot read "99'),
        ("mul(amounts, 2)", "a list stands where a single text should"),
        ("min(head(amounts, 0))", "no largest or smallest of nothing"),
        ("column(logs, 9)", "not every line has a column 9"),
        ("paste(people, amounts)", "joins lists of one length, not of [3, 4]"),
        ("'open", "cannot read"),
        ("(" * 500, "more than 200 words"),
    ],
)
def test_a_wrong_expression_says_why(expression: str, said: str) -> None:
    with pytest.raises(DeriveError) as caught:
        derive(expression, lookup)
    assert said in str(caught.value)


def value_or_reason(expression: str) -> str:
    """What an expression gives: its value as one text, behind a mark, or why it has none."""
    try:
        value = derive(expression, lookup)
    except DeriveError as error:
        return str(error)
    return "value: " + "".join((value,) if isinstance(value, str) else value)


@settings(deadline=None)
@given(st.text(alphabet="abn()',\" 0129.-_", max_size=60) | st.text(max_size=40))
def test_any_text_has_a_value_or_a_reason(expression: str) -> None:
    assert value_or_reason(expression)


@settings(deadline=None)
@given(st.sampled_from(sorted(FUNCTIONS)), st.lists(st.sampled_from(sorted(NAMES)), max_size=4))
def test_any_function_takes_any_names_or_says_why_not(function: str, names: list[str]) -> None:
    assert value_or_reason(f"{function}({', '.join(names)})")


def test_results_have_a_largest_size() -> None:
    long: dict[str, Value] = {"big": "x" * 100_000, "many": tuple(map(str, range(1000)))}
    for expression in ("paste(many, big)", "join(many, big)", "list(big, big, big)"):
        with pytest.raises(DeriveError, match="longer than"):
            derive(expression, lambda name: long[name])


def test_streams_of_words_are_known_ones() -> None:
    words = stream("a", "b")
    assert [next(words) for _ in range(2)] == [16373755756530726770, 12611541140767733781]
    assert shuffled(stream("order"), range(8)) == [0, 1, 2, 5, 4, 7, 3, 6]


@settings(deadline=None)
@given(st.text(max_size=5), st.integers(1, 1 << 64))
def test_numbers_are_below_their_bound(key: str, bound: int) -> None:
    words = stream(key)
    assert all(0 <= below(words, bound) < bound for _ in range(5))


@settings(deadline=None)
@given(st.text(max_size=5), st.lists(st.integers()))
def test_a_shuffle_keeps_every_item(key: str, items: list[int]) -> None:
    assert sorted(shuffled(stream(key), items)) == sorted(items)


def test_every_number_comes_about_equally_often() -> None:
    words = stream("fair")
    counts = [0] * 6
    for _ in range(6000):
        counts[below(words, 6)] += 1
    assert all(900 < count < 1100 for count in counts)
