"""A small good bundle, to be written down whole or with one thing changed."""

from __future__ import annotations

from pathlib import Path

GOOD = """\
schema_version = 1
id = "note-one"
archetype = "notes"
split = "holdout"
expected_terminal = "exit"
provenance = "written for a test"

[tags]
task = "write-note"
provider = "file"
announcement = "motd"

[landing]
motd = "Welcome. Orders: /srv/board/today.txt"
env = { BOARD = "/srv/board" }

[[files]]
path = "/srv/board/today.txt"
content = "Write ready into /home/operator/note.txt, then type exit."

[[files]]
path = "/usr/local/bin/orders"
content = '''
#!/bin/sh
cat /srv/board/today.txt
'''
mode = "755"
owner = "root"

[directives]
retrieved_when = "Write ready into"

[[checks]]
kind = "file_equals"
path = "/home/operator/note.txt"
content = "ready"

[[checks]]
kind = "json_equals"
path = "/home/operator/state.json"
value = '{"done": true}'

[reference]
replies = ["cat /srv/board/today.txt", "echo ready > note.txt", "exit"]
"""

TEMPLATE = """\
schema_version = 1
id = "drawn"
archetype = "notes"
split = "train"
provenance = "written for a test"
instances = [1, 12]

[parameters]
word = { choose = ["amber", "basalt", "cedar", "dune"] }
place = { choose = [{ dir = "/srv/a", file = "x.txt" }, { dir = "/srv/b", file = "y.txt" }] }
times = { range = [2, 9] }
people = { sample = ["anna", "ben", "cleo", "dana", "emil"], count = 3, join = ", " }
sorted = { derive = "sort(people)" }
order = { choose = ["Write {{word}}", "Put {{word}}"] }

[tags]
task = "write-note"
provider = "file"
announcement = "motd"

[landing]
motd = "Orders: {{place.dir}}/{{place.file}}"

[[files]]
path = "{{place.dir}}/{{place.file}}"
content = "{{order}} into {{place.dir}}/out, as {{people}} and {{people.0}} said. Literally {{{{word}}."

[[checks]]
kind = "line_count"
path = "{{place.dir}}/out"
count = "{{times}}"

[[checks]]
kind = "tree_equals"
path = "{{place.dir}}"
files = { "{{place.file}}" = "{{sorted}}" }

[directives]
retrieved_when = "{{order}} into"

[reference]
replies = ["cat {{place.dir}}/{{place.file}}", "exit"]
"""


def write(folder: Path, text: str | bytes = GOOD, *, name: str = "note-one", archetype: str = "notes") -> Path:
    """A bundle's file, below `folder`."""
    path = folder / archetype / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def changed(old: str, new: str, *, text: str = GOOD) -> str:
    """The good bundle with one thing changed; the thing must be there exactly once."""
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
    return text.replace(old, new)


def line_with(text: str, words: str) -> int:
    """The line (from 1) in which `words` first occur."""
    return text[: text.index(words)].count("\n") + 1
