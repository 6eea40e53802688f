"""What a Dockerfile makes, as a world: files, a setup script, variables, a working directory."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from scenarios.interop.absent import absent_programs
from scenarios.interop.docker_copy import copied
from scenarios.interop.dockerfile import Instruction, instructions
from scenarios.interop.draft import DraftFile
from scenarios.interop.findings import Findings
from scenarios.interop.harbor_shared import OPERATOR, PANIC, PANIC_PATH, is_secret
from scenarios.interop.places import HOME, Moves, refusal, yard

_ALIKE: Final = re.compile(r"(?:[\w.-]+(?::\d+)?/)*(?:debian|ubuntu|buildpack-deps)(?::[\w.-]+)?(?:@sha256:[0-9a-f]+)?")
_VARIABLE: Final = re.compile(r"(?<!\\)\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))")
_RUN_PATH: Final = re.compile(r"(?:^|(?<=[\s>=]))/[\w.@+-]+(?:/[\w.@+-]+)*")
_SILENT: Final = frozenset(("LABEL", "MAINTAINER", "STOPSIGNAL"))
_NOTED: Final = {"CMD": "no command is started", "EXPOSE": "worlds have no network"}
_OWN_NAMES: Final = frozenset(("DEBIAN_FRONTEND", "LANG", "LC_ALL", "LANGUAGE", "TERM", "TZ"))


@dataclass(slots=True, kw_only=True)
class DockerWorld:
    """A world in the making; `workdir` and all paths are the world's own."""

    files: dict[str, DraftFile] = field(default_factory=dict)
    setup: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    yards: set[str] = field(default_factory=set)
    _variables: dict[str, str] = field(default_factory=dict)

    def expanded(self, text: str) -> str:
        """The text with its variables filled in; ValueError names one that is not known."""

        def value(found: re.Match[str]) -> str:
            name = found[1] or found[2]
            if name not in self._variables:
                raise ValueError(f"the variable {name} is not known here")
            return self._variables[name]

        filled = _VARIABLE.sub(value, text)
        if re.search(r"(?<!\\)\$", filled.replace("\\$", "")):
            raise ValueError("only plain variables can be filled in")
        return filled.replace("\\$", "$")

    def know(self, name: str, value: str) -> None:
        """Let a variable be filled in from here on, and be seen by the setup."""
        self._variables[name] = value
        self.setup.append(f"export {name}={shlex.quote(value)}")

    def own(self, path: str, *, is_file: bool) -> None:
        """Let the directories that `path` needs be the operator's."""
        found = yard(path, is_file=is_file)
        if found:
            self.yards.add(found)


def named_paths(text: str) -> Iterator[str]:
    """The absolute paths that a Dockerfile works on."""
    for one in instructions(text):
        if one.word in {"WORKDIR", "COPY", "ADD"}:
            last = (one.words or tuple(one.text.split()) or ("",))[-1].strip("\"'")
            yield from (last,) if last.startswith("/") else ()
        elif one.word == "RUN":
            yield from _RUN_PATH.findall("\n".join((one.text, *one.bodies)))


def docker_world(path: Path, moves: Moves, found: Findings, *, accept_base: bool, as_root: bool) -> DockerWorld:
    """The world that environment/Dockerfile makes; what has no counterpart goes to `found`.

    `as_root` says that the task's agent is root, so that all files become the operator's.
    """
    world = DockerWorld()
    stages, ran = 0, 0
    for one in instructions(path.read_text(encoding="utf-8")):
        where = f"{path}:{one.line}"
        try:
            if one.word == "FROM":
                stages += 1
                _base(one, where, found, accept_base=accept_base, stages=stages)
            elif one.word == "RUN":
                ran = ran or one.line
                _run(one, where, world, moves, found)
            elif one.word in {"COPY", "ADD"}:
                for file in copied(one, path.parent, world.expanded, world.workdir, moves, as_root=as_root):
                    _place(_respelt(file, moves), where, world, found)
                if ran:
                    found.note(f"all files are placed before the first RUN (line {ran})")
            else:
                _other(one, where, world, moves, found)
        except ValueError as error:
            found.refuse(where, f"{one.word}: {error}")
    return world


def _base(one: Instruction, where: str, found: Findings, *, accept_base: bool, stages: int) -> None:
    image = one.text.split()[0] if one.text else ""
    if stages > 1:
        found.refuse(where, "FROM: a build of several stages has no counterpart", "copy what it makes into the task")
    elif not _ALIKE.fullmatch(image):
        if not accept_base:
            what = f"FROM: worlds are Debian 12 with its essential programs, and the base is {image or 'missing'}"
            found.refuse(where, what, "--accept-base takes it for that")
        found.note(f"the base {image} was taken for Debian 12 with its essential programs")
    elif not re.search(r"debian:(?:bookworm|12)", image):
        found.note(f"the base {image} is Debian 12 with its essential programs here")


def _run(one: Instruction, where: str, world: DockerWorld, moves: Moves, found: Findings) -> None:
    if one.text == OPERATOR:
        return
    if one.flags:
        raise ValueError(f"--{one.flags[0][0]} has no counterpart")
    script = shlex.join(one.words) if one.words is not None else one.text
    if one.bodies:
        script = one.bodies[0] if script.startswith("<<") else script + "\n" + _rejoined(one)
    for _, name, why in absent_programs(script):
        found.refuse(where, f"RUN {name}: {why}", "let the task do without it")
    script = moves.rewrite(script).rstrip("\n")
    for path in _RUN_PATH.findall(script):
        world.own(path, is_file=True)
    world.setup.append(f"(\ncd {shlex.quote(world.workdir)}\n{script}\n) || exit 1")


def _rejoined(one: Instruction) -> str:
    """The here-documents as the shell reads them, each with its end."""
    ends = re.findall(r"<<-?\s*['\"]?([A-Za-z_]\w*)", one.text)
    return "".join(f"{body}{end}\n" for body, end in zip(one.bodies, ends, strict=True))


def _respelt(file: DraftFile, moves: Moves) -> DraftFile:
    """The file with every moved path in its text spelt as it is in the world."""
    try:
        return replace(file, content=moves.rewrite(file.content.decode()).encode())
    except UnicodeDecodeError:
        return file


def _place(file: DraftFile, where: str, world: DockerWorld, found: Findings) -> None:
    if file.path == PANIC_PATH and file.content == PANIC.encode():
        return
    if why := refusal(file.path):
        found.refuse(where, why)
        return
    world.files[file.path] = file
    if file.owner == "operator":
        world.own(file.path, is_file=True)


def _other(one: Instruction, where: str, world: DockerWorld, moves: Moves, found: Findings) -> None:
    if one.word == "WORKDIR":
        inside = moves.rewrite(world.expanded(one.text.strip("\"'")))
        world.workdir = ("" if inside.startswith("/") else world.workdir.rstrip("/") + "/") + (
            inside.rstrip("/") or "/"
        )
        if world.workdir != "/":
            if why := refusal(world.workdir):
                world.workdir = HOME  # so that nothing else is refused for this
                raise ValueError(why)
            world.own(world.workdir, is_file=False)
            world.setup.append(f"mkdir -p {shlex.quote(world.workdir)}")
    elif one.word in {"ENV", "ARG"}:
        for name, value in _pairs(one):
            _variable(one.word, name, moves.rewrite(world.expanded(value)), world, found)
    elif one.word == "USER" and one.text in {"root", "0", "operator"}:
        return
    elif one.word in _NOTED:
        found.note(f"{one.word} is left out: {_NOTED[one.word]}")
    elif one.word not in _SILENT:
        what = "worlds have the users root and operator" if one.word == "USER" else "it has no counterpart in a world"
        found.refuse(where, f"{one.word} {one.text.split()[0] if one.text else ''}".rstrip() + f": {what}")


def _pairs(one: Instruction) -> Iterator[tuple[str, str]]:
    """The variables of ENV and ARG: NAME=VALUE ..., or the old form of ENV, NAME VALUE."""
    first, _, rest = one.text.partition(" ")
    if one.word == "ENV" and "=" not in first:
        yield first, rest.strip()
        return
    for word in shlex.split(one.text.replace("\\$", "\\\\$")):
        name, given, value = word.partition("=")
        if not given:
            raise ValueError(f"{name} has no value here")
        yield name, value


def _variable(word: str, name: str, value: str, world: DockerWorld, found: Findings) -> None:
    if is_secret(name):
        raise ValueError(f"{name} looks like a secret, and a world has none")
    if name == "PATH":
        raise ValueError("PATH is the session's own")
    if name in _OWN_NAMES:
        found.note(f"{name} is the session's own")
        return
    world.know(name, value)
    if word == "ENV":
        world.env[name] = value
