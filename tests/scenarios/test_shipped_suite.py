"""The shipped suites keep their promises: their range, their separation, and that each bundle can be done."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache
from itertools import chain

import pytest

from harness.sandbox.protocol import Engine
from harness.sandbox.select import choose
from harness.trial import Judgement, ReferenceModel, TrialPlan, hold_session
from harness.values import Arm, Outcome, Session, Terminal
from scenarios.bundle import Announcement, Scenario, Script, Split
from scenarios.loader import LoadedScenario, load_dir
from scenarios.select import select
from scenarios.suites import shipped

# What every Debian machine has, and the one file name that both sides may use.
COMMON_PATH_PARTS = frozenset({"", "bin", "etc", "home", "lib", "local", "operator", "opt", "srv", "tmp", "usr", "var"})
COMMON_NAMES = frozenset({"README"})
POOL = 20  # a parameter with so many values is a pool of names, not a choice of wordings


@cache
def suite(split: Split) -> tuple[LoadedScenario, ...]:
    return load_dir(shipped(split))


def scenarios(split: Split) -> tuple[Scenario, ...]:
    return tuple(item.scenario for item in suite(split))


def strings(value: object) -> Iterator[str]:
    """Every text inside a nested value, the keys of tables included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from chain.from_iterable(strings(part) for part in chain(value.keys(), value.values()))
    elif isinstance(value, Iterable):
        yield from chain.from_iterable(strings(part) for part in value)


def world_texts(scenario: Scenario) -> list[str]:
    """Everything of a scenario that a model could see or would have to write."""
    parts = scenario.model_dump(mode="json", include={"landing", "files", "setup", "checks", "reference"})
    return list(strings(list(parts.values())))


def words_typed(some: Iterable[Scenario]) -> set[str]:
    return {word for scenario in some for reply in scenario.reference.replies for word in reply.split()}


def path_parts(scenario: Scenario) -> set[str]:
    """The names of all files and directories that a scenario speaks of."""
    paths = re.findall(r"/[\w./+-]+", "\n".join(world_texts(scenario)))
    return {part.rstrip(".") for path in paths for part in path.split("/")}


def file_names(scenario: Scenario) -> set[str]:
    checked = [check.path for check in scenario.checks if not isinstance(check, Script)]
    return {path.rsplit("/", 1)[-1] for path in (*(file.path for file in scenario.files), *checked)}


def sentences(scenario: Scenario) -> set[str]:
    """The prose of a scenario: its landing and its files, cut at line ends and full stops."""
    landing = scenario.landing
    texts = [landing.orientation, landing.banner, landing.motd, *(file.content or "" for file in scenario.files)]
    cut = re.split(r"\n|\.\s", "\n".join(texts))
    return {part.strip().rstrip(".").lower() for part in cut if len(part.split()) >= 3}


def pools() -> set[str]:
    """Every name that a training template can draw from its large pools."""
    found: set[str] = set()
    for file in sorted(shipped(Split.TRAIN).glob("*/*.toml")):
        for parameter in tomllib.loads(file.read_text()).get("parameters", {}).values():
            items = parameter.get("choose") or parameter.get("sample") or []
            if len(items) >= POOL:
                found |= {str(item).lower() for item in items}
    return found


def test_there_are_enough_held_out_scenarios_of_enough_archetypes() -> None:
    kinds = Counter(scenario.archetype for scenario in scenarios(Split.HOLDOUT))
    assert kinds.total() >= 24
    assert len(kinds) >= 6
    assert min(kinds.values()) >= 3


def test_the_training_split_has_several_hundred_instances_and_no_two_alike() -> None:
    assert 350 <= len(suite(Split.TRAIN)) <= 450
    assert len({item.digest for item in suite(Split.TRAIN)}) == len(suite(Split.TRAIN))
    texts = {"\n".join(world_texts(scenario)) for scenario in scenarios(Split.TRAIN)}
    assert len(texts) == len(suite(Split.TRAIN))


@pytest.mark.parametrize("split", Split)
def test_every_announcement_kind_and_both_terminals_occur(split: Split) -> None:
    assert {scenario.tags.announcement for scenario in scenarios(split)} == set(Announcement)
    panics = sum(scenario.expected_terminal is Terminal.PANIC for scenario in scenarios(split))
    assert 0.2 <= panics / len(scenarios(split)) <= 0.3


@pytest.mark.parametrize("split", Split)
def test_every_archetype_has_an_exit_and_a_panic(split: Split) -> None:
    seen = {(scenario.archetype, scenario.expected_terminal) for scenario in scenarios(split)}
    assert seen == {(kind, end) for kind, _ in seen for end in (Terminal.EXIT, Terminal.PANIC)}


@pytest.mark.parametrize("split", Split)
def test_every_provider_kind_occurs(split: Split) -> None:
    assert {scenario.tags.provider for scenario in scenarios(split)} == {"file", "readme", "program"}


def test_the_held_out_suite_ranges_from_easy_to_hard() -> None:
    assert {scenario.tags.difficulty for scenario in scenarios(Split.HOLDOUT)} >= {1, 2, 3, 4}
    assert any(scenario.tags.doc_depth > 1 for scenario in scenarios(Split.HOLDOUT))
    assert any(scenario.critical for scenario in scenarios(Split.HOLDOUT))


def test_sixteen_scenarios_cover_all_held_out_archetypes() -> None:
    chosen = Counter(item.scenario.archetype for item in select(suite(Split.HOLDOUT), 16, 0))
    assert set(chosen) == {scenario.archetype for scenario in scenarios(Split.HOLDOUT)}


def test_some_archetypes_are_shared_and_some_held_out_whole() -> None:
    held = {scenario.archetype for scenario in scenarios(Split.HOLDOUT)}
    trained = {scenario.archetype for scenario in scenarios(Split.TRAIN)}
    assert len(held & trained) >= 4
    assert len(held - trained) >= 2
    tasks = {scenario.tags.task for scenario in scenarios(Split.TRAIN)}
    unseen = {scenario.tags.task for scenario in scenarios(Split.HOLDOUT) if scenario.archetype not in trained}
    assert not unseen & tasks


def test_no_tool_of_a_whole_held_out_archetype_is_shown_in_training() -> None:
    trained = {scenario.archetype for scenario in scenarios(Split.TRAIN)}
    shown = {
        word for scenario in scenarios(Split.TRAIN) for reply in scenario.reference.replies for word in reply.split()
    }
    held = [scenario for scenario in scenarios(Split.HOLDOUT) if scenario.archetype not in trained]
    tools = {word for scenario in held for reply in scenario.reference.replies for word in reply.split()}
    assert {"sed", "tar", "gzip", "awk", "sha256sum", "cut"} <= tools - shown


def test_the_splits_share_no_path_and_no_file_name() -> None:
    held = set().union(*(path_parts(scenario) for scenario in scenarios(Split.HOLDOUT)))
    trained = set().union(*(path_parts(scenario) for scenario in scenarios(Split.TRAIN)))
    assert held & trained <= COMMON_PATH_PARTS | COMMON_NAMES | {"sh"}  # of #!/bin/sh
    names = [set().union(*(file_names(scenario) for scenario in scenarios(split))) for split in Split]
    assert names[0] & names[1] <= COMMON_NAMES


def test_no_name_that_training_draws_occurs_in_a_held_out_world() -> None:
    words = re.findall(r"[a-z]+", "\n".join(chain.from_iterable(map(world_texts, scenarios(Split.HOLDOUT)))).lower())
    assert len(pools()) > 250
    assert not pools() & set(words)


def test_the_splits_share_no_sentence() -> None:
    held = set().union(*(sentences(scenario) for scenario in scenarios(Split.HOLDOUT)))
    trained = set().union(*(sentences(scenario) for scenario in scenarios(Split.TRAIN)))
    shell = {'case "$1" in'}
    assert held & trained <= shell


def test_the_splits_share_no_variable_of_the_environment() -> None:
    held = set().union(*(set(scenario.landing.env) for scenario in scenarios(Split.HOLDOUT)))
    trained = set().union(*(set(scenario.landing.env) for scenario in scenarios(Split.TRAIN)))
    assert held
    assert trained
    assert not held & trained


@pytest.mark.parametrize("split", Split)
def test_the_directives_are_in_the_world_and_not_in_the_landing(split: Split) -> None:
    for scenario in scenarios(split):
        wanted = re.compile(scenario.directives.retrieved_when)
        landing = scenario.landing
        shown = [landing.orientation, landing.banner, landing.motd, *landing.env.values()]
        assert not any(wanted.search(text) for text in shown), scenario.id
        assert sum(bool(wanted.search(file.content or "")) for file in scenario.files) == 1, scenario.id


@pytest.mark.parametrize("split", Split)
def test_the_landing_says_neither_the_task_nor_how_to_end(split: Split) -> None:
    for scenario in scenarios(split):
        landing = scenario.landing
        shown = "\n".join([landing.orientation, landing.banner, landing.motd])
        assert not re.search(r"\b(exit|panic)\b", shown), scenario.id
        checked = [check.path for check in scenario.checks if not isinstance(check, Script)]
        assert not any(path in shown for path in checked), scenario.id


@pytest.mark.parametrize("split", Split)
def test_the_directives_say_how_to_end(split: Split) -> None:
    for scenario in scenarios(split):
        told = "\n".join(file.content or "" for file in scenario.files)
        assert re.search(r"\bexit\b", told), scenario.id
        assert re.search(r"\bpanic\b", told), scenario.id


@pytest.mark.parametrize("split", Split)
def test_landings_and_documents_are_short(split: Split) -> None:
    for scenario in scenarios(split):
        assert len((scenario.landing.banner + scenario.landing.motd).split()) <= 20, scenario.id
        for file in scenario.files:
            assert len((file.content or "").split()) <= 90, (scenario.id, file.path)


@pytest.mark.parametrize("split", Split)
def test_no_world_speaks_of_being_evaluated(split: Split) -> None:
    words = re.compile(r"\b(evaluat\w+|model|benchmark|holdout|training|scenario|assistant|AI|LLM|test)\b")
    for scenario in scenarios(split):
        prose = [text for text in world_texts(scenario) if not text.startswith(("test ", "! test "))]
        assert not [text for text in prose if words.search(text)], scenario.id


def test_each_training_template_varies_its_names() -> None:
    by_template: dict[str, list[Scenario]] = {}
    for item in suite(Split.TRAIN):
        by_template.setdefault(item.path.stem, []).append(item.scenario)
    assert len(by_template) >= 40
    for name, instances in by_template.items():
        typed = {instance.reference.replies for instance in instances}
        assert len(typed) == len(instances), name


def held(item: LoadedScenario, engine: Engine, replies: tuple[str, ...]) -> tuple[Session, Judgement]:
    """A session in a fresh container in which these replies are typed."""
    plan = TrialPlan(scenario=item, arm=Arm.BASE, repeat=0, attempt=1, seed=0, model="reference")
    return hold_session(plan, engine, ReferenceModel(replies), None)


def reference_complaints(item: LoadedScenario, engine: Engine) -> list[str]:
    """What is wrong with a bundle's reference in a real container."""
    session, judged = held(item, engine, item.scenario.reference.replies)
    metrics = judged.metrics
    shown = [turn.observation for turn in session.turns]
    if judged.verdict.outcome is not Outcome.PASS:
        return [f"{item.scenario.id}: the reference does not pass: {judged.verdict.reason}; {shown}"]
    if not (metrics.clean and metrics.directives_retrieved and metrics.task):
        return [f"{item.scenario.id}: the reference is not clean, informed and done: {metrics}; {shown}"]
    return []


def idle_complaints(item: LoadedScenario, engine: Engine) -> list[str]:
    """What a session that does nothing, or panics blindly, is wrongly granted."""
    wrong: list[str] = []
    _, judged = held(item, engine, ("exit",))
    if judged.verdict.outcome is not Outcome.FAIL:
        wrong.append(f"{item.scenario.id}: leaving at once is {judged.verdict.outcome}: {judged.verdict.reason}")
    if item.scenario.expected_terminal is Terminal.EXIT:
        return [*wrong, f"{item.scenario.id}: its checks pass in an untouched world"] if judged.metrics.task else wrong
    _, judged = held(item, engine, ("panic",))
    return [*wrong, f"{item.scenario.id}: a blind panic succeeds"] if judged.metrics.success else wrong


def complaints(referenced: Iterable[LoadedScenario], idle: Iterable[LoadedScenario], engine_name: str) -> list[str]:
    """What is wrong with these bundles, in containers of one engine; nothing, for good ones."""
    with closing(choose(engine_name)) as engine, ThreadPoolExecutor(max_workers=4) as pool:
        found = [
            pool.map(lambda item: reference_complaints(item, engine), referenced),
            pool.map(lambda item: idle_complaints(item, engine), idle),
        ]
        return [complaint for results in found for result in results for complaint in result]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_held_out_bundle_can_be_done_and_is_not_done_by_itself(engine_name: str) -> None:
    assert complaints(suite(Split.HOLDOUT), suite(Split.HOLDOUT), engine_name) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_training_instances_can_be_done_and_are_not_done_by_themselves(engine_name: str) -> None:
    by_template: dict[str, list[LoadedScenario]] = {}
    for item in suite(Split.TRAIN):
        by_template.setdefault(item.path.stem, []).append(item)
    templates = list(by_template.values())[:: 1 if engine_name == "crun" else 7]
    last = [instances[-1] for instances in templates]
    assert complaints([*(instances[0] for instances in templates), *last], last, engine_name) == []
