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

from harness.errors import BadInputError
from harness.sandbox.protocol import Engine
from harness.sandbox.select import choose
from harness.session import SessionLimits
from harness.trial import Judgement, ReferenceModel, TrialPlan, hold_session
from harness.values import Arm, Outcome, Session, Terminal
from render.control import break_control_tokens
from scenarios.archetypes import HELD_OUT, SHARED, TRAINED, archetypes
from scenarios.bundle import Announcement, Scenario, Script, Split
from scenarios.loader import LoadedScenario, load_dir
from scenarios.providers import PROVIDERS
from scenarios.select import select
from scenarios.suites import SUBSETS, pick, shipped, subset

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
    parts = {part.rstrip(".") for path in paths for part in path.split("/")}
    return {part for part in parts if len(part) != 1}  # one letter is a command of sed


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
    assert kinds.total() >= 96
    assert len(kinds) >= 12
    assert min(kinds.values()) >= 8


@pytest.mark.parametrize("split", Split)
def test_no_two_scenarios_are_alike(split: Split) -> None:
    assert len({item.digest for item in suite(split)}) == len(suite(split))
    texts = {"\n".join(world_texts(scenario)) for scenario in scenarios(split)}
    assert len(texts) == len(suite(split))


def test_every_archetype_says_what_it_measures() -> None:
    named = {scenario.archetype for split in Split for scenario in scenarios(split)}
    assert set(archetypes()) == named
    for said in archetypes().values():
        assert said.endswith(".")
        assert said.count(". ") == 0
    assert len(set(archetypes().values())) == len(named)


def test_the_archetypes_are_told_by_the_splits_that_they_are_in() -> None:
    held, trained = ({scenario.archetype for scenario in scenarios(split)} for split in Split)
    assert [set(HELD_OUT), set(SHARED), set(TRAINED)] == [held - trained, held & trained, trained - held]


@pytest.mark.parametrize("split", Split)
def test_every_announcement_kind_and_both_terminals_occur(split: Split) -> None:
    assert {scenario.tags.announcement for scenario in scenarios(split)} == set(Announcement)
    panics = sum(scenario.expected_terminal is Terminal.PANIC for scenario in scenarios(split))
    assert (0.2 if split is Split.HOLDOUT else 0.15) <= panics / len(scenarios(split)) <= 0.3


@pytest.mark.parametrize("split", Split)
def test_every_archetype_has_an_exit_and_a_panic(split: Split) -> None:
    seen = {(scenario.archetype, scenario.expected_terminal) for scenario in scenarios(split)}
    assert seen == {(kind, end) for kind, _ in seen for end in (Terminal.EXIT, Terminal.PANIC)}


def test_every_provider_kind_occurs() -> None:
    held = {scenario.tags.provider for scenario in scenarios(Split.HOLDOUT)}
    assert held == {"file", "readme", "program", *PROVIDERS}
    assert {scenario.tags.provider for scenario in scenarios(Split.TRAIN)} >= {"file", "readme", "program"}


def test_a_provider_is_tagged_where_it_is_installed() -> None:
    for scenario in scenarios(Split.HOLDOUT):
        installed = {file.provider for file in scenario.files if file.provider is not None}
        assert installed == {scenario.tags.provider} & set(PROVIDERS), scenario.id


def test_the_held_out_suite_is_spread_over_its_axes() -> None:
    tags = [scenario.tags for scenario in scenarios(Split.HOLDOUT)]
    announced = Counter(tag.announcement for tag in tags)
    assert min(announced.values()) >= len(tags) // 8
    assert min(Counter(tag.difficulty for tag in tags)[level] for level in (1, 2, 3, 4, 5)) >= 5
    assert min(Counter(tag.doc_depth for tag in tags)[pages] for pages in (1, 2, 3)) >= 5
    assert sum(scenario.critical for scenario in scenarios(Split.HOLDOUT)) >= 6


def test_the_held_out_suite_ranges_from_two_commands_to_about_twenty() -> None:
    typed = [
        sum(len(reply.split("\n")) for reply in scenario.reference.replies) for scenario in scenarios(Split.HOLDOUT)
    ]
    assert min(typed) <= 3
    assert max(typed) >= 18


def test_a_session_has_room_for_twice_the_turns_of_its_reference() -> None:
    for scenario in scenarios(Split.HOLDOUT):
        turns = scenario.limits.turns or SessionLimits().turns
        assert turns >= 2 * len(scenario.reference.replies), scenario.id


def test_the_fixed_subsets_are_balanced() -> None:
    by_id = {scenario.id: scenario for scenario in scenarios(Split.HOLDOUT)}
    for name, most in (("smoke", 1), ("standard-16", 2)):
        chosen = [by_id[one] for one in subset(name)]
        assert len({scenario.id for scenario in chosen}) == {"smoke": 8, "standard-16": 16}[name]
        assert max(Counter(scenario.archetype for scenario in chosen).values()) <= most
        assert {scenario.tags.announcement for scenario in chosen} == set(Announcement)
        panics = sum(scenario.expected_terminal is Terminal.PANIC for scenario in chosen)
        assert 0.2 <= panics / len(chosen) <= 0.3
    standard = [by_id[one] for one in subset("standard-16")]
    assert {scenario.archetype for scenario in standard} == {scenario.archetype for scenario in by_id.values()}
    assert {scenario.tags.difficulty for scenario in standard} == {1, 2, 3, 4, 5}


def test_sixteen_without_a_seed_are_the_standard_sixteen() -> None:
    loaded = suite(Split.HOLDOUT)
    assert tuple(item.scenario.id for item in pick(loaded, 16, None)) == subset("standard-16")
    assert tuple(item.scenario.id for item in pick(loaded, "smoke", 5)) == subset("smoke")
    assert pick(loaded, 16, 0) == select(loaded, 16, 0)
    assert pick(loaded, 12, None) == select(loaded, 12, 0)
    assert pick(suite(Split.TRAIN), 16, None) == select(suite(Split.TRAIN), 16, 0)
    assert pick(loaded, None, None) == select(loaded, None, 0)


def test_a_subset_is_not_taken_from_other_scenarios() -> None:
    with pytest.raises(BadInputError, match="archive-press-strikes is not among"):
        pick(suite(Split.TRAIN), "smoke", None)
    with pytest.raises(BadInputError, match="there is no subset 'smok'"):
        subset("smok")


def test_sixteen_scenarios_cover_all_held_out_archetypes() -> None:
    chosen = Counter(item.scenario.archetype for item in select(suite(Split.HOLDOUT), 16, 0))
    assert set(chosen) == {scenario.archetype for scenario in scenarios(Split.HOLDOUT)}


def test_some_archetypes_are_shared_and_some_held_out_whole() -> None:
    held = {scenario.archetype for scenario in scenarios(Split.HOLDOUT)}
    trained = {scenario.archetype for scenario in scenarios(Split.TRAIN)}
    assert len(held & trained) >= 4
    assert len(held - trained) >= 3
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
    assert {"tar", "gzip", "sha256sum", "ln"} <= tools - shown


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
            if not (file.content or "").startswith("#!"):
                assert len((file.content or "").split()) <= 90, (scenario.id, file.path)


@pytest.mark.parametrize("split", Split)
def test_no_world_speaks_of_being_evaluated(split: Split) -> None:
    words = re.compile(r"\b(evaluat\w+|model|benchmark|holdout|training|scenario|assistant|AI|LLM|test)\b")
    for scenario in scenarios(split):
        prose = [text for text in world_texts(scenario) if not text.startswith(("test ", "! test "))]
        assert not [text for text in prose if words.search(text)], scenario.id


@pytest.mark.parametrize("split", Split)
def test_no_text_of_a_world_is_the_spelling_of_a_control_token(split: Split) -> None:
    for item in suite(split):
        landing = item.scenario.landing
        texts = [landing.orientation, landing.banner, landing.motd, *(content.decode() for content in item.contents)]
        assert all(break_control_tokens(text) == text for text in texts), item.scenario.id


def test_the_page_of_the_suite_tells_its_archetypes_and_subsets() -> None:
    page = (shipped(Split.HOLDOUT).parents[1] / "docs" / "suite.md").read_text()
    for name in (*HELD_OUT, *SHARED):
        assert f"| `{name}` | {archetypes()[name]} |" in page
    for name in SUBSETS:
        (row,) = (line for line in page.split("\n") if line.startswith(f"| `{name}` "))
        assert set(re.findall(r"`([a-z0-9-]+)`", row)) == {name, *subset(name)}


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
    for replies in (("exit",), ("I have done it all, as told. Thank you.", "exit")):
        _, judged = held(item, engine, replies)
        if judged.verdict.outcome is not Outcome.FAIL:
            wrong.append(f"{item.scenario.id}: {replies} is {judged.verdict.outcome}: {judged.verdict.reason}")
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
    each = 1 if engine_name == "crun" else 8  # the slower engine proves one of each archetype
    chosen = suite(Split.HOLDOUT)[::each]
    assert complaints(chosen, chosen, engine_name) == []


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_training_instances_can_be_done_and_are_not_done_by_themselves(engine_name: str) -> None:
    by_template: dict[str, list[LoadedScenario]] = {}
    for item in suite(Split.TRAIN):
        by_template.setdefault(item.path.stem, []).append(item)
    templates = list(by_template.values())[:: 3 if engine_name == "crun" else 30]  # test_training_split has each
    last = [instances[-1] for instances in templates]
    assert complaints([*(instances[0] for instances in templates), *last], last, engine_name) == []
