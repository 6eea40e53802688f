"""A Harbor task (schema 1.x) read as a bundle in the making; what has no counterpart is refused by name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

from harness.errors import BadInputError
from scenarios.interop.docker_world import DockerWorld, docker_world, named_paths
from scenarios.interop.draft import Draft, DraftFile, Table, slug
from scenarios.interop.findings import Findings
from scenarios.interop.harbor_config import HarborConfig, read_config
from scenarios.interop.harbor_shared import ENDING_JUDGED
from scenarios.interop.harbor_solution import solution
from scenarios.interop.harbor_verifier import verifier_script
from scenarios.interop.places import HOME, Moves, paths_in, refusal, top
from scenarios.interop.retrieval import telling

INSTRUCTION: Final = "/srv/orders/instruction.md"
_MOTD: Final = f"What is to be done here: {INSTRUCTION}\n"
_DIFFICULTY: Final = {"trivial": 1, "easy": 2, "medium": 3, "hard": 4, "very hard": 5}
_ELSEWHERE: Final = {
    "environment/docker-compose.yaml": "compose services have no counterpart: a world is one container",
    "environment/docker-compose.yml": "compose services have no counterpart: a world is one container",
    "environment/singularity-compose.yaml": "compose services have no counterpart: a world is one container",
    "steps": "a task of several steps has no counterpart",
    "trajectory.json": "a conversation that went before has no counterpart",
    "tests/Dockerfile": "a verifier with an environment of its own has no counterpart",
}
_TURNS, _SECONDS, _LONG_REPLY = 12, 120, 300  # a run's defaults; characters that surely fit its tokens
_CANARY: Final = re.compile(r"(?i)^(?:<!--.*canary.*-->|#.*canary.*)$")


class _Told(TypedDict, total=False):
    tags: Table
    landing: Table
    files: tuple[DraftFile, ...]
    retrieved_when: str
    replies: tuple[str, ...]
    expected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A task as it was read, in the world's own paths."""

    name: str
    config: HarborConfig
    text: str
    world: DockerWorld
    moves: Moves
    env: dict[str, str]


def harbor_tasks(folder: Path) -> tuple[Path, ...]:
    """The task that a folder is, or the tasks that lie in it, sorted; BadInputError if there is none."""
    if (folder / "task.toml").is_file():
        return (folder,)
    found = tuple(sorted(path.parent for path in folder.glob("*/task.toml")))
    if not found:
        raise BadInputError(f"{folder} is no Harbor task: task.toml is missing", hint="give the folder of a task")
    return found


def read_harbor(folder: Path, *, archetype: str = "", accept_base: bool = False) -> Draft:
    """The bundle that a Harbor task becomes; nothing is run or written.

    `archetype` is the task's category, or "harbor", where it is not said; `accept_base` takes any base image for
    Debian 12 with its essential programs. Raises RefusedError with a line for everything that has no counterpart.
    """
    found = Findings()
    config = read_config(folder / "task.toml", found)
    for name, what in _ELSEWHERE.items():
        if (folder / name).exists():
            found.refuse(str(folder / name), what)
    text = _instruction(folder / "instruction.md", found)
    dockerfile = folder / "environment" / "Dockerfile"
    moves = _moves(dockerfile, text, config, found)
    world = _world(dockerfile, moves, config, found, accept_base=accept_base)
    env = {**world.env, **{name: moves.rewrite(value) for name, value in config.env.items()}}
    ending = str(config.evalh.get("expected_terminal", "exit"))
    present = {file.path.rsplit("/", 1)[-1] for file in world.files.values() if int(file.mode, 8) & 0o111}
    answers = _moved(config.solution_env, moves)
    solve = folder / "solution" / "solve.sh"
    replies = solution(solve, moves, answers, world.workdir, ending, present, found)
    judged = {**env, **_moved(config.verifier_env, moves), **({ENDING_JUDGED: "yes"} if config.evalh else {})}
    script = verifier_script(folder / "tests", moves, judged, world.workdir, present, found)
    found.settle()
    for note in moves.notes():
        found.note(note)
    task = _Task(name=folder.resolve().name, config=config, text=moves.rewrite(text), world=world, moves=moves, env=env)
    return _draft(task, script, replies, archetype, found.notes)


def _moved(env: Mapping[str, str], moves: Moves) -> dict[str, str]:
    return {name: moves.rewrite(value) for name, value in env.items()}


def _instruction(path: Path, found: Findings) -> str:
    """The instruction without the canary lines at its head."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        found.refuse(str(path), f"it cannot be read: {getattr(error, 'strerror', None) or error}")
        return "nothing"
    while lines and (not lines[0].strip() or _CANARY.match(lines[0])):
        lines.pop(0)
    if not lines:
        found.refuse(str(path), "it says nothing")
    return "\n".join(lines).rstrip() + "\n"


def _moves(dockerfile: Path, text: str, config: HarborConfig, found: Findings) -> Moves:
    """Every directory that the task works in and that stands elsewhere in a world."""
    said = [path for path in paths_in(text) if path.count("/") > 1]
    for path in paths_in(text):
        if path.count("/") == 1 and "." in path:
            found.refuse("instruction.md", f"{path} lies directly below /, where nothing can be made")
    if dockerfile.is_file():
        try:
            said += named_paths(dockerfile.read_text(encoding="utf-8"))
        except (ValueError, OSError) as error:
            found.refuse(str(dockerfile), str(error))
    moves = Moves.of([*said, config.workdir or "/"])
    for name in moves.names:
        if any(top(path) == "srv" and path.startswith(f"/srv/{name}") for path in said):
            found.refuse(str(dockerfile), f"/{name} would have to be /srv/{name}, and the task uses that too")
    return moves


def _world(dockerfile: Path, moves: Moves, config: HarborConfig, found: Findings, *, accept_base: bool) -> DockerWorld:
    if config.image and not dockerfile.is_file() and not accept_base:
        what = f"the image {config.image} is ready-made, and worlds are Debian 12 with its essential programs"
        found.refuse(str(dockerfile.parent.parent / "task.toml"), what, "--accept-base takes it for that")
    world = DockerWorld()
    if dockerfile.is_file():
        try:
            world = docker_world(dockerfile, moves, found, accept_base=accept_base, as_root=config.as_root)
        except (OSError, ValueError) as error:
            found.refuse(str(dockerfile), str(error))
    elif not config.image:
        found.refuse(str(dockerfile), "it is missing")
    if config.workdir:
        world.workdir = moves.rewrite(config.workdir)
        world.setup.append(f"mkdir -p {shlex.quote(world.workdir)}")
        world.own(world.workdir, is_file=False)
    if world.workdir == "/":
        world.workdir = HOME
    elif why := refusal(world.workdir):
        found.refuse(str(dockerfile), why)
    return world


def _draft(task: _Task, script: str, replies: tuple[str, ...], archetype: str, notes: tuple[str, ...]) -> Draft:
    config, own = task.config, task.config.evalh
    name = str(own.get("id", "")) or slug(task.name)
    seconds = config.agent_seconds or 0
    limits: dict[str, int | float] = {}
    if len(replies) + 1 > _TURNS:
        limits["turns"] = min(len(replies) + 5, 200)
    if seconds > _SECONDS:
        limits["seconds"] = min(seconds, 3600.0)
    if longest := max(map(len, replies)) // 2 * (max(map(len, replies)) > _LONG_REPLY):
        limits["tokens"] = min(longest, 32768)
    return Draft(
        id=name,
        archetype=archetype or str(own.get("archetype", "")) or slug(config.category or "harbor"),
        origin=f"imported from the Harbor task {config.name or task.name} (schema {config.schema})",
        checks=({"kind": "script", "script": script, "timeout": min(config.verifier_seconds, 120.0)},),
        limits=limits,
        notes=notes,
        setup=_setup(task),
        **(_restored(task, replies) if own else _announced(task, replies)),
    )


def _announced(task: _Task, replies: tuple[str, ...]) -> _Told:
    """The parts of a bundle whose landing leads to the instruction, in a file of its own."""
    place = f"The work is done in {task.world.workdir}. " if task.world.workdir != HOME else ""
    text = f"{task.text}\n{place}When all is done, type exit. If it cannot be done, run panic with the reason.\n"
    directives = DraftFile(path=INSTRUCTION, content=text.encode(), owner="root")
    difficulty = _DIFFICULTY.get(task.config.difficulty.lower(), 3)
    taken = "/etc/motd" in task.world.files or any("/etc/motd" in part for part in task.world.setup)
    way = "banner" if taken else "motd"
    tags: Table = {"task": slug(task.name), "provider": "file", "announcement": way, "difficulty": difficulty}
    return {
        "tags": tags,
        "landing": {way: _MOTD, **({"env": task.env} if task.env else {})},
        "files": (directives, *task.world.files.values()),
        "retrieved_when": telling(task.text, (_MOTD,)),
        "replies": (f"cat {INSTRUCTION}", *replies),
    }


def _restored(task: _Task, replies: tuple[str, ...]) -> _Told:
    """The parts of a bundle that evalh had exported: its own landing, tags and proof of having read."""
    own = task.config.evalh
    landing = dict(own.get("landing", {}))
    files = [file for file in task.world.files.values() if file.path != "/etc/motd" or not landing.get("motd")]
    return {
        "tags": dict(own.get("tags", {})),
        "landing": {**landing, **({"env": task.env} if task.env else {})},
        "files": tuple(files),
        "retrieved_when": str(own.get("retrieved_when", "")),
        "replies": replies,
        "expected": str(own.get("expected_terminal", "exit")),
    }


def _setup(task: _Task) -> str:
    """The setup script: the moved directories, what RUN did, and whose it all is."""
    made = [task.moves.target(name) for name in task.moves.names if task.moves.target(name) != HOME]
    parts = [f"mkdir -p {shlex.join(made)}"] if made else []
    parts += task.world.setup
    yards = sorted({*task.world.yards, *made}) if task.config.as_root else made
    parts += [f"[ ! -e {shlex.quote(yard)} ] || chown -R operator:operator {shlex.quote(yard)}" for yard in yards]
    return "\n".join(parts) + "\n" if parts else ""
