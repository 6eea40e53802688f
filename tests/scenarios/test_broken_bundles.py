"""Every way to break a bundle has its own message: file, line, key, what is wrong, what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import BundleError
from scenarios.loader import load_file
from tests.scenarios.bundles import GOOD, changed, line_with, write

# what is changed, what it becomes, a text in the line that must be named, and what is said after the line
BROKEN = {
    "unknown key": (
        'mode = "755"',
        'mod = "755"',
        "mod =",
        'files[1].mod: there is no key "mod"; did you mean `mode`?',
    ),
    "unknown key far from any": (
        'mode = "755"',
        'xyzzy = "755"',
        "xyzzy",
        'files[1].xyzzy: there is no key "xyzzy"; the keys here are path, content, source, provider, settings',
    ),
    "unknown table": (
        "[landing]",
        "[lending]",
        "[lending]",
        'lending: there is no key "lending"; did you mean `landing`?',
    ),
    "unknown key of a check": (
        'content = "ready"',
        'contents = "ready"',
        "contents",
        'checks[0].contents: there is no key "contents"; did you mean `content`?',
    ),
    "unknown check kind": (
        'kind = "file_equals"',
        'kind = "file_equal"',
        '"file_equal"',
        'checks[0].kind: there is no check kind "file_equal"; did you mean `file_equals`? the kinds are file_exists, '
        "file_absent, file_equals, file_matches, mode, owner, tree_equals, json_equals, line_count, script",
    ),
    "check without a kind": (
        'kind = "file_equals"\n',
        "",
        "[[checks]]",
        "checks[0]: a check needs a kind; the kinds are",
    ),
    "missing key": (
        'retrieved_when = "Write ready into"\n',
        "",
        "[directives]",
        "directives.retrieved_when: directives.retrieved_when is missing; add `retrieved_when = ...` to directives",
    ),
    "wrong type": (
        'motd = "Welcome. Orders: /srv/board/today.txt"',
        "motd = 5",
        "motd = 5",
        "landing.motd: it should be a valid string, and is 5",
    ),
    "text for a number": (
        "[directives]",
        '[limits]\nturns = "6"\n\n[directives]',
        'turns = "6"',
        'limits.turns: it should be a valid integer, and is "6"',
    ),
    "number out of range": (
        "[directives]",
        "[limits]\nturns = 0\n\n[directives]",
        "turns = 0",
        "limits.turns: it should be greater than or equal to 1, and is 0",
    ),
    "octal as a number": (
        'mode = "755"',
        "mode = 0o755",
        "mode =",
        'files[1].mode: it should be a valid string, and is 493; write three or four octal digits, such as "644"',
    ),
    "octal digits": (
        'mode = "755"',
        'mode = "789"',
        "mode =",
        'files[1].mode: "789" does not fit; write three or four octal',
    ),
    "word of a choice": (
        'expected_terminal = "exit"',
        'expected_terminal = "turn_limit"',
        "expected_terminal",
        "expected_terminal: it should be 'exit' or 'panic', and is \"turn_limit\"",
    ),
    "date": (
        'content = "ready"',
        "content = 1979-05-27",
        "1979",
        "checks[0].content: dates and times are not used in bundles",
    ),
    "infinity": (
        "[directives]",
        "[limits]\nseconds = inf\n[directives]",
        "inf\n",
        "limits.seconds: the number is not finite",
    ),
    "relative path": (
        'path = "/srv/board/today.txt"',
        'path = "srv/board/today.txt"',
        '"srv/board',
        'files[0].path: "srv/board/today.txt" does not fit; write an absolute path',
    ),
    "path outside": (
        'path = "/usr/local/bin/orders"',
        'path = "/usr/bin/orders"',
        "/usr/bin/orders",
        'files[1].path: "/usr/bin/orders" is not below one of /home, /tmp, /etc, /srv, /opt, /var, /usr/local, /run',
    ),
    "path of a check outside": (
        'path = "/home/operator/note.txt"',
        'path = "/root/note.txt"',
        "/root/note",
        'checks[0].path: "/root/note.txt" is not below one of',
    ),
    "path with dots": (
        'path = "/usr/local/bin/orders"',
        'path = "/usr/local/../bin/orders"',
        "/../",
        'files[1].path: "usr/local/../bin/orders" has an empty part, `.` or `..` in it',
    ),
    "path that ends with a slash": (
        'path = "/usr/local/bin/orders"',
        'path = "/usr/local/bin/"',
        '/bin/"',
        "files[1].path:",
    ),
    "path of evalh": (
        'path = "/usr/local/bin/orders"',
        'path = "/usr/local/bin/panic"',
        "bin/panic",
        'files[1].path: "/usr/local/bin/panic" belongs to evalh itself',
    ),
    "path twice": (
        'path = "/usr/local/bin/orders"',
        'path = "/srv/board/today.txt"',
        "/srv/board/today.txt\"\ncontent = '''",
        'files[1].path: "/srv/board/today.txt" is given twice',
    ),
    "file in a file": (
        'path = "/usr/local/bin/orders"',
        'path = "/srv/board/today.txt/x"',
        "today.txt/x",
        'files[1].path: "/srv/board/today.txt" is a file, so it cannot hold "/srv/board/today.txt/x"',
    ),
    "motd twice": (
        'path = "/usr/local/bin/orders"',
        'path = "/etc/motd"',
        "/etc/motd",
        "files[1].path: /etc/motd is written from",
    ),
    "content and source": (
        'mode = "755"',
        'source = "x"',
        '[[files]]\npath = "/usr',
        "files[1]: the file has both content and source",
    ),
    "neither content nor source": (
        'content = "Write ready into /home/operator/note.txt, then type exit."\n',
        "",
        "[[files]]",
        "files[0]: the file has neither content nor source nor provider; give exactly one of them",
    ),
    "variable of the session": (
        "BOARD =",
        "PS1 =",
        "env = {",
        "landing.env.PS1: PS1 is set by the session itself; choose another name",
    ),
    "no variable name": ("BOARD =", '"MY-BOARD" =', "env = {", 'landing.env.MY-BOARD: "MY-BOARD" is no variable name'),
    "regular expression": (
        'retrieved_when = "Write ready into"',
        'retrieved_when = "Write (ready"',
        "retrieved_when",
        'directives.retrieved_when: "Write (ready" is no regular expression: missing ), unterminated subpattern',
    ),
    "regular expression of doubtful meaning": (
        'retrieved_when = "Write ready into"',
        'retrieved_when = "[[a]"',
        "retrieved_when",
        'directives.retrieved_when: "[[a]" is no regular expression: Possible nested set',
    ),
    "regular expression of a check": (
        'kind = "file_equals"\npath = "/home/operator/note.txt"\ncontent = "ready"',
        'kind = "file_matches"\npath = "/home/operator/note.txt"\npattern = "*"',
        "pattern",
        'checks[0].pattern: "*" is no regular expression: nothing to repeat',
    ),
    "long regular expression": (
        'retrieved_when = "Write ready into"',
        f'retrieved_when = "{"a" * 1001}"',
        "retrieved_when",
        "directives.retrieved_when: the pattern is longer than 1000 characters",
    ),
    "deep regular expression": (
        'retrieved_when = "Write ready into"',
        f'retrieved_when = "{"(" * 490}{")" * 490}"',
        "retrieved_when",
        "directives.retrieved_when: ",
    ),
    "JSON": (
        "value = '{\"done\": true}'",
        "value = 'done'",
        "value",
        "checks[1].value: the value is not JSON: Expecting value",
    ),
    "JSON key twice": (
        "value = '{\"done\": true}'",
        'value = \'{"a": 1, "a": 2}\'',
        "value",
        "checks[1].value: the value is not JSON: an object has a key twice",
    ),
    "JSON pointer": (
        "value = '{\"done\": true}'",
        "value = '1'\nat = 'done'",
        "at =",
        'checks[1].at: "done" is no JSON pointer',
    ),
    "reference that never ends": (
        '"echo ready > note.txt", "exit"]',
        '"echo ready > note.txt"]',
        "replies",
        'reference.replies[1]: the last line of the last reply must begin with `exit`, not "echo"',
    ),
    "reference with the other ending": (
        '"echo ready > note.txt", "exit"]',
        '"panic no such thing"]',
        "replies",
        'reference.replies[1]: the last line of the last reply must begin with `exit`, not "panic"',
    ),
    "blank reply": ('"echo ready > note.txt"', '"  "', "replies", "reference.replies[1]: a reply needs text"),
    "long line in a reply": (
        '"echo ready > note.txt"',
        f'"echo {"x" * 4094}"',
        "replies",
        "reference.replies[1]: a line is longer than the 4094 bytes that a terminal takes",
    ),
    "no replies": (
        '["cat /srv/board/today.txt", "echo ready > note.txt", "exit"]',
        "[]",
        "replies",
        "reference.replies: ",
    ),
    "no checks": (
        GOOD[GOOD.index("[[checks]]") : GOOD.index("[reference]")],
        "",
        "schema_version",
        "checks: checks is missing",
    ),
    "id and file": (
        'id = "note-one"',
        'id = "note-two"',
        "id =",
        'id: the id is "note-two", and the file is "note-one.toml"',
    ),
    "id with capitals": (
        'id = "note-one"',
        'id = "Note"',
        "id =",
        'id: "Note" does not fit; use small letters, digits and -',
    ),
    "archetype and folder": (
        'archetype = "notes"',
        'archetype = "stock"',
        "archetype",
        'archetype: the archetype is "stock", and the file lies in the folder "notes"',
    ),
    "split and folder": (
        'split = "holdout"',
        'split = "train"',
        "split",
        'split: the split is "train", and the file lies in the folder "holdout"',
    ),
    "schema of the future": (
        "schema_version = 1",
        "schema_version = 2",
        "schema_version",
        "schema_version: it should be 1, and is 2",
    ),
    "number of many digits": ("schema_version = 1", f"schema_version = {'9' * 5000}", "schema_version", "not TOML: "),
    "number beyond 64 bits": (
        "schema_version = 1",
        f"schema_version = {'9' * 30}",
        "schema_version",
        "schema_version: the number does not fit 64 bits",
    ),
    "syntax": ('split = "holdout"', "split = holdout", "split =", "not TOML: invalid value, column 9"),
    "key twice": (
        'split = "holdout"',
        'split = "holdout"\nsplit = "train"',
        'split = "train"',
        "not TOML: cannot overwrite a value",
    ),
    "nested too deep": (
        'split = "holdout"',
        f"split = {'[' * 5000}{']' * 5000}",
        "schema_version",
        "the bundle is nested too deep",
    ),
    "long dotted key": (
        'split = "holdout"',
        ".".join(["a"] * 100) + " = 1",
        "a.a",
        "more than 64 names are joined by dots",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_bundle_is_told_with_file_line_key_and_remedy(tmp_path: Path, name: str) -> None:
    old, new, place, said = BROKEN[name]
    text = changed(old, new)
    path = write(tmp_path / "holdout", text)
    with pytest.raises(BundleError) as caught:
        load_file(path)
    lines = caught.value.message.split("\n")
    expected = f"{path}:{line_with(text, place)}: {said}"
    assert any(line.startswith(expected) for line in lines), caught.value.message
    assert all(line.startswith(f"{path}:") for line in lines)


def test_several_problems_of_a_file_come_together_in_the_order_of_its_lines(tmp_path: Path) -> None:
    text = GOOD.replace('path = "/usr/local/bin/orders"', 'path = "/bin/orders"')
    text = text.replace('retrieved_when = "Write ready into"', 'retrieved_when = "("').replace('"exit"]', '"ls"]')
    with pytest.raises(BundleError) as caught:
        load_file(write(tmp_path, text))
    keys = [line.split(": ")[1] for line in caught.value.message.split("\n")]
    assert keys == ["files[1].path", "directives.retrieved_when", "reference.replies[2]"]


def test_a_panic_scenario_ends_its_reference_with_panic(tmp_path: Path) -> None:
    text = changed('expected_terminal = "exit"', 'expected_terminal = "panic"')
    with pytest.raises(BundleError, match='must begin with `panic`, not "exit"'):
        load_file(write(tmp_path, text))
    good = changed('"exit"]', '"panic the board is gone"]', text=text)
    assert load_file(write(tmp_path, good))


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"id = 'a'\n\xff = 1\n", ":2: byte 0xff is not UTF-8; save the file as UTF-8"),
        (b"\xef\xbb\xbfid = 'a'\n", ":1: the file begins with a byte order mark; save it as plain UTF-8"),
        (b"id = 'a'\nname = \"open\n", ":2: not TOML: illegal character"),
        (b"#" * (1 << 20), ":1: the file is larger than 524288 bytes"),
        (b"", "schema_version is missing"),
        (b"id = 'a'\x00", ":1: not TOML:"),
        (b"key", ":1: not TOML: expected '=' after a key in a key/value pair, at the end of the file"),
    ],
)
def test_files_that_are_no_bundles_are_told_apart(tmp_path: Path, raw: bytes, said: str) -> None:
    with pytest.raises(BundleError) as caught:
        load_file(write(tmp_path, raw))
    assert said in caught.value.message


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"gone.toml:1: cannot be read: No such file or directory$"):
        load_file(tmp_path / "gone.toml")


def test_a_bundle_with_odd_characters_does_not_reach_the_terminal_raw(tmp_path: Path) -> None:
    text = changed('mode = "755"', '"\\u001b[31mred" = 1')
    with pytest.raises(BundleError) as caught:
        load_file(write(tmp_path, text))
    assert "\x1b" not in caught.value.message
    assert '"\\x1b[31mred"' in caught.value.message
