"""A scenario written as a Harbor task: task.toml, instruction, Dockerfile, verifier and solution."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from harness.errors import BadInputError
from harness.values import Terminal
from scenarios.bundle import Scenario
from scenarios.interop.draft import table
from scenarios.interop.findings import Findings
from scenarios.interop.harbor_shared import (
    ENDING_JUDGED,
    OPERATOR,
    PANIC,
    PANIC_NOTE,
    PANIC_PATH,
    SCHEMA,
    SETUP_PATH,
    VERIFIER_LOGS,
)
from scenarios.interop.sh_checks import PRELUDE, sh_check
from scenarios.loader import LoadedScenario

_AGENT_SECONDS: Final = 900.0
_DIFFICULTIES: Final = ("trivial", "easy", "medium", "hard", "very hard")
_UNSAFE: Final = re.compile(r'[$*?\[\]\\"`]')  # in a path, to a Dockerfile
_ENGINES_OWN: Final = ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf")


def export_harbor(item: LoadedScenario, out: Path) -> Path:
    """Write OUT/ID, a Harbor task, and return that folder.

    Raises:
        RefusedError: something of the scenario has no counterpart in a Harbor task; each is named.
        BadInputError: the folder is taken or cannot be written.
    """
    scenario, target = item.scenario, out / item.scenario.id
    found = Findings()
    texts = {
        "task.toml": _config(item),
        "instruction.md": _instruction(scenario),
        "environment/Dockerfile": _dockerfile(item, found),
        "environment/panic": PANIC,
        "tests/test.sh": _verifier(item, found),
        "solution/solve.sh": _solution(scenario),
    }
    found.settle()
    if scenario.setup.script.strip():
        texts["environment/setup.sh"] = f"{scenario.setup.script.strip(chr(10))}\n"
    contents = {name: text.encode() for name, text in texts.items()}
    contents |= {f"environment/{_source(file.path)}": file.content for file in item.files}
    if scenario.landing.motd:
        contents[f"environment/{_source('/etc/motd')}"] = scenario.landing.motd.encode()
    if target.exists():
        raise BadInputError(f"{target} is there already", hint="remove it first, or say another folder with --out")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".exporting-", dir=out) as scratch:
            _write(Path(scratch) / scenario.id, contents)
            shutil.move(Path(scratch) / scenario.id, target)
    except OSError as error:
        raise BadInputError(f"{target} cannot be written: {error.strerror or error}") from error
    return target


def _write(folder: Path, contents: dict[str, bytes]) -> None:
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        if content.startswith(b"#!"):
            path.chmod(0o755)


def _source(path: str) -> str:
    return f"files{path}"


def _config(item: LoadedScenario) -> str:
    scenario = item.scenario
    tags = scenario.tags.model_dump(mode="json")
    landing = scenario.landing.model_dump(mode="json", exclude={"env"}, exclude_defaults=True)
    own = {
        "id": scenario.id,
        "archetype": scenario.archetype,
        "digest": item.digest,
        "expected_terminal": scenario.expected_terminal.value,
        "retrieved_when": scenario.directives.retrieved_when,
    }
    parts = [
        table("", {"schema_version": SCHEMA}),
        table("[task]", {"name": f"evalh/{scenario.id}", "description": f"Shell work: {scenario.tags.task}."}),
        table("[metadata]", {"category": scenario.archetype, "difficulty": _DIFFICULTIES[tags["difficulty"] - 1]}),
        table("[metadata.evalh]", own),
        table("[metadata.evalh.tags]", tags),
        table("[metadata.evalh.landing]", landing),
        table("[agent]", {"timeout_sec": scenario.limits.seconds or _AGENT_SECONDS, "user": "operator"}),
        table("[verifier]", {"timeout_sec": 120.0, "user": "root"}),
        table("[environment]", {"network_mode": "no-network", "workdir": "/home/operator"}),
    ]
    return "\n".join(parts).lstrip()


def _instruction(scenario: Scenario) -> str:
    """The landing in prose: the task itself is told by the world."""
    landing = scenario.landing
    parts = [landing.orientation.strip()] if landing.orientation.strip() else []
    parts.append("You are the user `operator` of a small Debian machine, in /home/operator.")
    if shown := f"{landing.banner}\n{landing.motd}".strip():
        parts += ["Logging in shows:", _indented(shown)]
    if landing.env:
        parts += ["The environment has:", _indented("\n".join(f"{k}={v}" for k, v in sorted(landing.env.items())))]
    parts.append(
        "What there is to do stands on the machine itself: find it, and do it. Where that says `exit`, stop working.\n"
        "If the work cannot be done, run `panic REASON` and stop."
    )
    return "\n\n".join(parts) + "\n"


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))


def _dockerfile(item: LoadedScenario, found: Findings) -> str:
    scenario = item.scenario
    lines = ["FROM debian:bookworm-slim", f"RUN {OPERATOR}", f"COPY --chmod=755 panic {PANIC_PATH}"]
    if scenario.landing.motd:
        lines.append(_copy("/etc/motd", "root", 0o644))
    for index, file in enumerate(item.files):
        if _UNSAFE.search(file.path) or file.path in _ENGINES_OWN:
            found.refuse(f"{item.path}", f"{scenario.id}: files[{index}]: a Dockerfile cannot place {file.path}")
        lines.append(_copy(file.path, file.owner, file.mode))
    if scenario.setup.script.strip():
        lines += [f"COPY setup.sh {SETUP_PATH}", f"RUN cd / && /bin/sh {SETUP_PATH} && rm {SETUP_PATH}"]
    for name, value in sorted(scenario.landing.env.items()):
        if not value.isprintable():
            found.refuse(f"{item.path}", f"{scenario.id}: landing.env.{name}: a Dockerfile takes variables of one line")
        lines.append(f"ENV {name}=" + '"' + re.sub(r'([\\"$])', r"\\\1", value) + '"')
    return "\n".join([*lines, "WORKDIR /home/operator", ""])


def _copy(path: str, owner: str, mode: int) -> str:
    return f"COPY --chown={owner}:{owner} --chmod={mode:o} {json.dumps([_source(path), path], ensure_ascii=False)}"


def _verifier(item: LoadedScenario, found: Findings) -> str:
    scenario = item.scenario
    functions = []
    for number, check in enumerate(scenario.checks, start=1):
        try:
            functions.append(f"check_{number}() ( # {check.kind}\n    {sh_check(check)}\n)\n")
        except ValueError as error:
            where = f"checks[{number - 1}] ({check.kind})"
            found.refuse(f"{item.path}", f"{scenario.id}: {where} has no equivalent in sh: {error}")
    note = f"[ -s {PANIC_NOTE} ]" if scenario.expected_terminal is Terminal.PANIC else f"[ ! -e {PANIC_NOTE} ]"
    ending = f'ending() {{ # unless somebody else judges it\n    [ "${{{ENDING_JUDGED}:-}}" = yes ] || {note}\n}}\n'
    names = [*(f"check_{number}" for number in range(1, len(scenario.checks) + 1)), "ending"]
    return "\n".join(
        (
            f"#!/bin/sh\n# The checks of the scenario {scenario.id}: all must pass for a reward of 1.",
            "export LC_ALL=C.UTF-8\n",
            PRELUDE,
            *functions,
            ending,
            f"reward=1\nfor check in {' '.join(names)}; do",
            '    "$check" || { reward=0; echo "$check fails"; }\ndone',
            f'mkdir -p {VERIFIER_LOGS}\necho "$reward" > {VERIFIER_LOGS}/reward.txt\n',
        )
    )


def _solution(scenario: Scenario) -> str:
    return "\n".join(["#!/bin/sh", "cd /home/operator || exit 1", *_typed(scenario), ""])


def _typed(scenario: Scenario) -> Iterator[str]:
    """The lines of the reference replies, without the `exit` at their end."""
    lines = [line for reply in scenario.reference.replies for line in reply.rstrip().split("\n")]
    yield from lines if scenario.expected_terminal is Terminal.PANIC else lines[:-1]
