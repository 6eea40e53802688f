"""Which bundles a scenario command means: a folder, a file, or the id of a shipped or given one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import scenarios
from harness.errors import BadInputError
from scenarios import LoadedScenario, Split

_SEED = re.compile(r"-[0-9]{3}$")


def bundles_at(paths: Sequence[Path]) -> tuple[LoadedScenario, ...]:
    """Every scenario of the folders and files given, sorted by id, each once.

    Raises BadInputError for a place that is not there, BundleError for all that is wrong with what is.
    """
    found: dict[tuple[Path, str], LoadedScenario] = {}
    for path in paths:
        if not path.exists():
            raise BadInputError(f"there is no {path}", hint="give a folder of bundles, or a bundle's file")
        for item in scenarios.load_file(path) if path.is_file() or path.suffix == ".toml" else scenarios.load_dir(path):
            found[(item.path.absolute(), item.scenario.id)] = item
    return tuple(sorted(found.values(), key=lambda item: item.scenario.id))


def one_bundle(name: str, folders: Iterable[Path] = ()) -> LoadedScenario:
    """The scenario that a file or an id names; ids are looked for in `folders`, then in the shipped splits.

    Raises BadInputError for a name that is nothing, or a template's, of which one instance must be named.
    """
    path = Path(name)
    if path.suffix == ".toml" or path.is_file():
        return _only(scenarios.load_file(path), str(path))
    for folder in (*folders, *(scenarios.shipped(split) for split in Split)):
        for stem in dict.fromkeys((name, _SEED.sub("", name))):
            for file in sorted(folder.rglob(f"{stem}.toml")) if re.fullmatch(r"[a-z0-9-]+", stem) else ():
                loaded = scenarios.load_file(file)
                same = [item for item in loaded if item.scenario.id == name]
                return same[0] if same else _only(loaded, name)
    raise BadInputError(
        f"there is no scenario {name!r}", hint="give a bundle's file, or an id that `evalh scenario list` shows"
    )


def only(loaded: Sequence[LoadedScenario], ids: Sequence[str]) -> tuple[LoadedScenario, ...]:
    """Those with one of the ids; all if none is given. BadInputError for an id that is not among them."""
    if not ids:
        return tuple(loaded)
    missing = set(ids) - {item.scenario.id for item in loaded}
    if missing:
        raise BadInputError(f"there is no scenario {sorted(missing)[0]!r} there", hint="see `evalh scenario list`")
    return tuple(item for item in loaded if item.scenario.id in ids)


def _only(loaded: Sequence[LoadedScenario], name: str) -> LoadedScenario:
    if len(loaded) == 1:
        return loaded[0]
    first, last = loaded[0].scenario.id, loaded[-1].scenario.id
    raise BadInputError(f"{name} is a template of {len(loaded)} instances", hint=f"name one of {first} to {last}")
