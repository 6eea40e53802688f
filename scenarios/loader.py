"""Reads bundles from files: all that is wrong is told at once, with file, line and key.

Nothing of a bundle is executed here, and no file outside of its folder is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BundleError
from scenarios import toml_text
from scenarios.bundle import Scenario, Split
from scenarios.digest import digest
from scenarios.parameters import Data
from scenarios.problems import Problem, ProblemError, dotted, quoted
from scenarios.rules import broken_rules
from scenarios.shape import shape
from scenarios.sources import ResolvedFile, Sources, read_regular
from scenarios.template import expand, is_template, parse
from scenarios.toml_lines import line_numbers, line_of

_DEEPEST_FOLDER = 6
_MOST_MESSAGES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedScenario:
    """A scenario that can be run: checked, its files' bytes at hand, and its identity.

    `path` is the TOML file that it came from; instances of a template share it.
    """

    scenario: Scenario
    digest: str
    path: Path
    files: tuple[ResolvedFile, ...]

    @property
    def contents(self) -> tuple[bytes, ...]:
        """The files' bytes, in the order of `scenario.files`."""
        return tuple(file.content for file in self.files)


def load_file(path: Path) -> tuple[LoadedScenario, ...]:
    """The scenario of one TOML file, or all instances of the template in it, in the order of their seeds.

    Raises BundleError that names everything wrong with the file, one line each: file, line, key.
    """
    loaded, messages = _load(path)
    _raise(messages)
    return loaded


def load_dir(path: Path, split: Split | None = None) -> tuple[LoadedScenario, ...]:
    """Every scenario below the folder `path`, sorted by id; `split` leaves the other split's out.

    A folder named like a bundle beside it holds that bundle's fixtures and is not searched.
    Raises BundleError for a folder without scenarios, and for everything wrong with any of its files.
    """
    if not path.is_dir():
        raise BundleError(f"{path} is not a folder", hint="give a folder of scenario bundles")
    loaded: list[LoadedScenario] = []
    messages: list[str] = []
    for file in _bundles(path, messages, depth=0):
        if split is not None and _folder_split(file) not in {None, split}:
            continue
        found, wrong = _load(file)
        loaded += found
        messages += wrong
    messages += _doubles(loaded)
    _raise(messages)
    chosen = [item for item in loaded if split in {None, item.scenario.split}]
    if not chosen:
        kind = f" of the split {split.value}" if split else ""
        other = f"; {len(loaded)} belong to the other split" if loaded else ""
        raise BundleError(
            f"{path} holds no scenarios{kind}{other}", hint="bundles are files named <archetype>/<id>.toml"
        )
    return tuple(sorted(chosen, key=lambda item: item.scenario.id))


def _raise(messages: list[str]) -> None:
    if not messages:
        return
    shown = messages[:_MOST_MESSAGES]
    if len(messages) > len(shown):
        shown.append(f"... and {len(messages) - len(shown)} more")
    raise BundleError("\n".join(shown))


def _bundles(folder: Path, messages: list[str], *, depth: int) -> Iterator[Path]:
    """The bundle files of a folder tree, sorted; what cannot be searched is told in `messages`."""
    if depth > _DEEPEST_FOLDER:
        messages.append(f"{folder}: folders are nested too deep for a suite of scenarios")
        return
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith((".", "__")))
    bundles = [entry for entry in entries if entry.suffix == ".toml"]
    yield from bundles
    own = {entry.stem for entry in bundles}
    for entry in entries:
        if entry.name in own or entry in bundles or not entry.is_dir():
            continue
        if entry.is_symlink():
            messages.append(f"{entry}: a symbolic link to a folder is not searched; put the folder itself there")
            continue
        yield from _bundles(entry, messages, depth=depth + 1)


def _folder_split(file: Path) -> Split | None:
    """The split whose folder the file lies in, as in `holdout/<archetype>/<id>.toml`."""
    name = file.absolute().parent.parent.name
    return Split(name) if name in {split.value for split in Split} else None


def _load(path: Path) -> tuple[tuple[LoadedScenario, ...], list[str]]:
    """The scenarios of a file, and the messages about what is wrong with it (then no scenarios)."""
    text = ""
    try:
        text = toml_text.decode(_read(path))
        return _scenarios(path, toml_text.parse(text)), []
    except ProblemError as error:
        lines = {} if any(problem.line for problem in error.problems) else line_numbers(text)
        located = [(problem.line or line_of(lines, problem.key), problem) for problem in error.problems]
        located.sort(key=lambda item: item[0])
        return (), list(dict.fromkeys(_message(path, line, problem) for line, problem in located))


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, limit=toml_text.LARGEST, follow=True)
    except OSError as error:
        raise ProblemError(Problem(key=(), message=f"cannot be read: {error.strerror or error}")) from None


def _message(path: Path, line: int, problem: Problem) -> str:
    name = str(path) if str(path).isprintable() else quoted(str(path), limit=300)
    key = dotted(problem.key)
    advice = f"; {problem.advice}" if problem.advice else ""
    return f"{name}:{line}: " + (f"{key}: " if key else "") + problem.message + advice


def _scenarios(path: Path, data: dict[str, Data]) -> tuple[LoadedScenario, ...]:
    sources = Sources(path.parent / path.stem)
    if not is_template(data):
        return (_scenario(path, data, sources, name=path.stem, lenient=False),)
    template = parse(data)
    if template.id != path.stem:
        raise ProblemError(_other_id(template.id, path))
    loaded: list[LoadedScenario] = []
    for seed in template.seeds:
        name = f"{template.id}-{seed:03d}"
        try:
            loaded.append(_scenario(path, expand(template, seed), sources, name=name, lenient=True))
        except ProblemError as error:
            raise ProblemError(*(_of_instance(problem, name) for problem in error.problems)) from None
    return tuple(loaded)


def _of_instance(problem: Problem, name: str) -> Problem:
    message = f"{problem.message} (in the instance {name})"
    return Problem(key=problem.key, message=message, advice=problem.advice, line=problem.line)


def _other_id(found: str, path: Path) -> Problem:
    message = f"the id is {quoted(found)}, and the file is {quoted(path.name)}"
    return Problem(key=("id",), message=message, advice="name both alike")


def _scenario(path: Path, data: Mapping[str, Data], sources: Sources, *, name: str, lenient: bool) -> LoadedScenario:
    scenario = shape(data, lenient=lenient)
    problems = [*_place(scenario, path, name), *broken_rules(scenario)]
    files: tuple[ResolvedFile, ...] = ()
    try:
        files = sources.resolve(scenario.files)
    except ProblemError as error:
        neither = {problem.key for problem in problems}
        problems += [problem for problem in error.problems if problem.key[:2] not in neither]
    if problems:
        raise ProblemError(*problems)
    identity = digest(scenario, tuple(file.content for file in files))
    return LoadedScenario(scenario=scenario, digest=identity, path=path, files=files)


def _place(scenario: Scenario, path: Path, name: str) -> Iterator[Problem]:
    """What does not agree between a scenario and where its file lies."""
    if scenario.id != name:
        yield _other_id(scenario.id, path)
    folder = path.absolute().parent.name
    if scenario.archetype != folder:
        message = f"the archetype is {quoted(scenario.archetype)}, and the file lies in the folder {quoted(folder)}"
        yield Problem(key=("archetype",), message=message, advice="move the file, or correct the archetype")
    split = _folder_split(path)
    if split not in {None, scenario.split}:
        message = f"the split is {quoted(scenario.split.value)}, and the file lies in the folder {quoted(str(split))}"
        yield Problem(key=("split",), message=message, advice="move the file, or correct the split")


def _doubles(loaded: list[LoadedScenario]) -> Iterator[str]:
    seen: dict[str, Path] = {}
    for item in loaded:
        first = seen.setdefault(item.scenario.id, item.path)
        if first != item.path:
            yield f"{item.path}:1: id: {quoted(item.scenario.id)} is also the id of {first}; every id occurs once"
