"""The training split is broad, even-handed, and apart from what a model is judged by."""

from __future__ import annotations

import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache

import pytest

from harness.sandbox.protocol import Engine
from harness.sandbox.select import choose
from harness.trial import ReferenceModel, TrialPlan, hold_session
from harness.values import Arm, Outcome, Terminal
from scenarios.bundle import Announcement, Scenario, Split
from scenarios.loader import LoadedScenario, load_dir
from scenarios.suites import shipped

KEPT_FOR_JUDGING = frozenset({"archive", "config", "ledger", "schedule", "symlinks", "translations", "users"})
TOOLS_KEPT_FOR_JUDGING = frozenset({"tar", "gzip", "gunzip", "zcat", "sha256sum", "md5sum", "ln", "readlink"})
TOOLS_TO_SHOW = """awk cat cd chmod cksum cmp comm cp cut diff echo find for grep head join ls mkdir mv
    paste printf rm sed seq sort split tac tail touch tr uniq wc while"""
POOL = 20  # a parameter with so many values is a pool of names, not a choice of wordings
GRAM = 8
CHARACTERS = 1500  # of a session on average, about 450 tokens
# The same orders in a world that allows them and in one that does not: only a look can tell.
TWINS = {
    "rename-clash": "rename-clear",
    "repeats-empty": "repeats-stray",
    "edit-absent": "edit-present",
    "pieces-gap": "pieces-full",
    "pieces-short": "pieces-one",
    "search-several": "search-sole",
    "compare-equal": "compare-unequal",
    "survey-tie": "survey-winner",
    "queue-silent": "queue-told",
    "form-no-tool": "form-tool",
}


@cache
def suite(split: Split) -> tuple[LoadedScenario, ...]:
    return load_dir(shipped(split))


def scenarios(split: Split) -> tuple[Scenario, ...]:
    return tuple(item.scenario for item in suite(split))


def by_archetype() -> dict[str, list[Scenario]]:
    found: dict[str, list[Scenario]] = defaultdict(list)
    for scenario in scenarios(Split.TRAIN):
        found[scenario.archetype].append(scenario)
    return found


def by_template() -> dict[str, list[LoadedScenario]]:
    found: dict[str, list[LoadedScenario]] = defaultdict(list)
    for item in suite(Split.TRAIN):
        found[item.path.stem].append(item)
    return found


def world(item: LoadedScenario) -> str:
    """The texts of all files, the directives among them."""
    return "\n".join(file.content.decode("utf-8", "replace") for file in item.files)


def commands(scenario: Scenario) -> set[str]:
    """The programs that a reference runs: first words, after pipes, in loops and in substitutions."""
    typed = "\n".join(scenario.reference.replies)
    return set(re.findall(r"(?m)(?:^|[|;&]\s*|\bdo |\$\()([a-z0-9]+)(?=\s|$)", typed))


def grams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[\w./$-]+", text.lower())
    return {tuple(words[at : at + GRAM]) for at in range(len(words) - GRAM + 1)}


def pools() -> set[str]:
    """Every name in the large pools of the training templates, and the first part of joined names."""
    found: set[str] = set()
    for file in sorted(shipped(Split.TRAIN).glob("*/*.toml")):
        for parameter in tomllib.loads(file.read_text()).get("parameters", {}).values():
            items = parameter.get("choose") or parameter.get("sample") or []
            if len(items) >= POOL:
                found |= {str(item).lower().split("-")[0] for item in items if not str(item).isdigit()}
    return found


def test_every_archetype_has_many_instances_and_the_split_fits_an_evening() -> None:
    kinds = {name: len(found) for name, found in by_archetype().items()}
    assert len(kinds) >= 12
    assert {name: count for name, count in kinds.items() if count < 40} == {}
    assert 700 <= sum(kinds.values()) <= 1100


def test_no_instance_is_held_out() -> None:
    held, trained = suite(Split.HOLDOUT), suite(Split.TRAIN)
    assert not {item.scenario.id for item in held} & {item.scenario.id for item in trained}
    assert not {item.digest for item in held} & {item.digest for item in trained}


def test_what_is_kept_for_judging_is_never_shown() -> None:
    assert not KEPT_FOR_JUDGING & set(by_archetype())
    assert not TOOLS_KEPT_FOR_JUDGING & set().union(*map(commands, scenarios(Split.TRAIN)))


def test_the_files_of_both_splits_share_no_eight_words_in_a_row() -> None:
    held = set().union(*(grams(world(item)) for item in suite(Split.HOLDOUT)))
    trained = set().union(*(grams(world(item)) for item in suite(Split.TRAIN)))
    assert len(held) > 100
    assert len(trained) > 10_000
    assert held & trained == set()


def test_no_name_of_the_pools_stands_in_a_held_out_world() -> None:
    words = set(re.findall(r"[a-z]+", "\n".join(world(item) for item in suite(Split.HOLDOUT)).lower()))
    assert len(words) > 200
    assert pools() & words == set()


def test_no_command_with_arguments_is_typed_in_both_splits() -> None:
    typed = [
        {reply for scenario in scenarios(split) for reply in scenario.reference.replies if len(reply.split()) > 2}
        for split in Split
    ]
    assert typed[0] & typed[1] == set()


def test_a_sixth_to_a_quarter_of_the_sessions_end_in_panic_and_some_of_every_archetype() -> None:
    assert 0.15 <= share(scenarios(Split.TRAIN)) <= 0.25
    for name, found in by_archetype().items():
        assert 0.12 <= share(found) <= 0.35, name


def share(found: Iterable[Scenario]) -> float:
    ends = Counter(scenario.expected_terminal for scenario in found)
    return ends[Terminal.PANIC] / ends.total()


def test_no_archetype_is_told_in_one_way_only() -> None:
    for name, found in by_archetype().items():
        assert len({scenario.tags.announcement for scenario in found}) >= 3, name
    announced = Counter(scenario.tags.announcement for scenario in scenarios(Split.TRAIN))
    assert min(announced[kind] for kind in Announcement) >= announced.total() // 10
    assert (
        min(Counter(scenario.tags.doc_depth for scenario in scenarios(Split.TRAIN))[depth] for depth in (1, 2, 3)) > 50
    )


def test_sessions_are_of_many_lengths() -> None:
    steps = Counter(len(scenario.reference.replies) for scenario in scenarios(Split.TRAIN))
    assert min(steps) == 3
    assert max(steps) >= 8
    assert max(steps.values()) < 0.4 * steps.total()
    assert sum(count for length, count in steps.items() if length >= 6) > 0.25 * steps.total()


def test_many_tools_are_shown_each_in_several_sessions() -> None:
    shown = Counter(command for scenario in scenarios(Split.TRAIN) for command in commands(scenario))
    assert {tool for tool in TOOLS_TO_SHOW.split() if shown[tool] < 4} == set()


def test_some_first_ways_fail_and_are_mended() -> None:
    wrong = [item for item in suite(Split.TRAIN) if re.search(r"(?m)^\*\) echo .*no such command", world(item))]
    gone = [item for item in suite(Split.TRAIN) if reads_what_is_not_there(item)]
    assert len(wrong) > 20
    assert len(gone) > 20


def reads_what_is_not_there(item: LoadedScenario) -> bool:
    """Whether the first command of the reference names a page that the world has not."""
    first = item.scenario.reference.replies[0]
    page = first.removeprefix("cat ")
    return first.startswith("cat /") and page not in {file.path for file in item.files}


def test_a_panic_comes_after_reading_and_looking_and_names_a_thing_of_the_directives() -> None:
    for item in suite(Split.TRAIN):
        scenario = item.scenario
        if scenario.expected_terminal is not Terminal.PANIC:
            continue
        *before, last = scenario.reference.replies
        assert len(before) >= 2, scenario.id
        reason = re.fullmatch(r"panic (.+)", last)
        assert reason, scenario.id
        named = {word for word in re.findall(r"[\w/-]+", reason[1]) if len(word) > 2}
        told = world(item) + "\n".join(before)
        assert any(word in told for word in named), scenario.id


def test_reasons_to_panic_are_many() -> None:
    tasks = {scenario.tags.task for scenario in scenarios(Split.TRAIN) if scenario.expected_terminal is Terminal.PANIC}
    assert len(tasks) >= 25


@pytest.mark.parametrize(("blocked", "open_"), TWINS.items())
def test_orders_that_cannot_be_carried_out_are_worded_like_those_that_can(blocked: str, open_: str) -> None:
    asks = []
    for name in (blocked, open_):
        found = by_template()[name]
        data = tomllib.loads(found[0].path.read_text())
        asks.append([re.sub(r"\{\{[\w.]+\}\}", "_", text) for text in data["parameters"]["ask"]["choose"]])
    assert asks[0] == asks[1]
    ends = [by_template()[name][0].scenario.expected_terminal for name in (blocked, open_)]
    assert ends == [Terminal.PANIC, Terminal.EXIT]


def length(item: LoadedScenario, engine: Engine) -> int:
    """How many characters a reader of the session sees; the reference passes, cleanly and informed, or this fails."""
    plan = TrialPlan(scenario=item, arm=Arm.BASE, repeat=0, attempt=1, seed=0, model="reference")
    session, judged = hold_session(plan, engine, ReferenceModel(item.scenario.reference.replies), None)
    shown = [turn.observation for turn in session.turns]
    assert judged.verdict.outcome is Outcome.PASS, (item.scenario.id, judged.verdict.reason, shown)
    assert judged.metrics.clean, (item.scenario.id, shown)
    assert judged.metrics.directives_retrieved, (item.scenario.id, shown)
    opening = sum(len(message.content) for message in session.opening)
    return opening + sum(len(turn.completion.text) + len(turn.observation) for turn in session.turns)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_instance_of_each_template_passes_in_a_short_session(engine_name: str) -> None:
    middle = [found[len(found) // 2] for found in by_template().values()]
    chosen = middle if engine_name == "crun" else middle[::9]
    with closing(choose(engine_name)) as engine, ThreadPoolExecutor(max_workers=4) as pool:
        lengths = list(pool.map(lambda item: length(item, engine), chosen))
    assert sum(lengths) / len(lengths) < CHARACTERS
