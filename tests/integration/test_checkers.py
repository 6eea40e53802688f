"""The checkers over real containers of every engine, and what a hostile operator can do to them there."""

from __future__ import annotations

from harness.sandbox.protocol import Engine, PlacedFile
from harness.values import Outcome
from tests.checkers.checking import judge
from tests.integration.session import landed, spec

SETUP = """
install -d -o operator -g operator /srv/box /srv/box/sub
echo '{"count": 3, "done": true}' > /srv/box/state.json
printf 'one\\ntwo  \\n\\n' > /srv/box/list
echo two > /srv/box/sub/b
ln -s ../list /srv/box/sub/link
ln -s nowhere /srv/dangling
ln -s /srv/box /srv/same
chown -R operator:operator /srv/box
chown root:root /srv/box/list
chmod 640 /srv/box/list
"""

GOOD: tuple[dict[str, object], ...] = (
    {"kind": "file_exists", "path": "/srv/box/list"},
    {"kind": "file_exists", "path": "/srv/box", "type": "directory"},
    {"kind": "file_exists", "path": "/srv/dangling", "type": "symlink"},
    {"kind": "file_absent", "path": "/srv/gone"},
    {"kind": "file_equals", "path": "/srv/box/sub/link", "content": "one\ntwo"},
    {"kind": "file_equals", "path": "/home/operator/placed", "content": "as placed", "strip": False},
    {"kind": "file_matches", "path": "/srv/box/list", "pattern": "(?m)^t.o"},
    {"kind": "file_matches", "path": "/srv/box/list", "pattern": "three", "negate": True},
    {"kind": "mode", "path": "/srv/box/list", "mode": "640"},
    {"kind": "owner", "path": "/srv/box/list", "owner": "root"},
    {"kind": "owner", "path": "/srv/box/sub/b", "owner": "operator"},
    {"kind": "tree_equals", "path": "/srv/box/sub", "files": {"b": "two", "link": "one\ntwo"}},
    {"kind": "tree_equals", "path": "/srv/same/sub", "files": {"b": "two", "link": "one\ntwo"}},
    {"kind": "json_equals", "path": "/srv/box/state.json", "value": '{"done": true, "count": 3.0}'},
    {"kind": "json_equals", "path": "/srv/box/state.json", "value": "3", "at": "/count"},
    {"kind": "line_count", "path": "/srv/box/list", "count": 2},
    {"kind": "script", "script": 'test "$(id -u)" = 0 && test "$(wc -l < /srv/box/list)" -eq 3'},
    {"kind": "script", "script": 'test "$PWD" = / && test "$PATH" = /usr/sbin:/usr/bin:/sbin:/bin && ! read -r line'},
)
BAD: tuple[dict[str, object], ...] = (
    {"kind": "file_exists", "path": "/srv/dangling"},
    {"kind": "file_absent", "path": "/srv/dangling"},
    {"kind": "file_equals", "path": "/srv/box/list", "content": "one"},
    {"kind": "file_equals", "path": "/srv/box", "content": ""},
    {"kind": "file_matches", "path": "/srv/box/list", "pattern": "three"},
    {"kind": "mode", "path": "/srv/box/list", "mode": "644"},
    {"kind": "owner", "path": "/srv/box/list", "owner": "operator"},
    {"kind": "tree_equals", "path": "/srv/box/sub", "files": {"b": "two"}},
    {"kind": "json_equals", "path": "/srv/box/list", "value": "3"},
    {"kind": "line_count", "path": "/srv/box/list", "count": 3},
    {"kind": "script", "script": "exit 1"},
    {"kind": "script", "script": "no-such-program"},
)


def test_every_kind_of_check_passes_and_fails_on_a_real_world(engine: Engine) -> None:
    placed = PlacedFile(path="/home/operator/placed", content=b"as placed")
    with engine.open(spec(setup=SETUP, files=(placed,))) as sandbox:
        landed(sandbox)
        sandbox.kill_operator()
        for check in GOOD:
            assert judge(sandbox, **check)[0] is Outcome.PASS, (check, judge(sandbox, **check))
        for check in BAD:
            assert judge(sandbox, **check)[0] is Outcome.FAIL, check


HOSTILE = {
    "a FIFO": "mkfifo note",
    "a directory": "mkdir note",
    "a link to itself": "ln -s note note",
    "a link to the machine": "ln -s /proc/1/root/etc/passwd note",
    "a link to a device": "ln -s /dev/zero note",
    "a link to the terminal": "ln -s /dev/tty note",
    "a huge sparse file": "truncate -s 8T note",
    "bytes": "head -c 100000 /dev/urandom > note",
    "a file that nobody may read": "echo x > note; chmod 0 note",
    "a deep JSON": "yes [ | head -c 1000000 | tr -d '\\n' > note",
    "a socket": "perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => \"note\", Listen => 1)'",
}
CHECKS: tuple[dict[str, object], ...] = (
    {"kind": "file_equals", "path": "note", "content": "ready"},
    {"kind": "file_matches", "path": "note", "pattern": "^ready+$"},
    {"kind": "json_equals", "path": "note", "value": '"ready"'},
    {"kind": "line_count", "path": "note", "count": 77},
    {"kind": "mode", "path": "note", "mode": "111"},
    {"kind": "tree_equals", "path": ".", "files": {"note": "ready"}},
    {"kind": "script", "script": 'test "$(cat note)" = ready', "timeout": 1.0},
)


def at(place: str, check: dict[str, object]) -> dict[str, object]:
    """The check, of `note` in the directory `place`."""
    moved = {key: f"{place}/{value}".removesuffix("/.") if key == "path" else value for key, value in check.items()}
    return {**moved, "script": f"cd {place}; {check['script']}"} if "script" in check else moved


def test_whatever_lies_there_instead_of_the_file_is_a_fail(engine: Engine) -> None:
    places = {f"/home/operator/{number}": command for number, command in enumerate(HOSTILE.values())}
    with engine.open(spec()) as sandbox:
        session = landed(sandbox)
        for place, command in places.items():
            session.type(f"mkdir {place}; cd {place}; {command}")
        sandbox.kill_operator()
        for place, command in places.items():
            for check in CHECKS:
                outcome, reason = judge(sandbox, **at(place, check))
                assert outcome is Outcome.FAIL, (command, check, reason)
                assert reason.isprintable()


TREES = {
    "too many files": "i=0; while [ $i -lt 10001 ]; do : > $i; i=$((i + 1)); done",
    "a deep tree": "i=0; while [ $i -lt 3000 ]; do mkdir d && cd d || break; i=$((i + 1)); done; : > leaf; cd",
    "names made to hurt": "touch \"$(printf 'a\\nb')\" \"$(printf '\\033[2J')\" \"$(printf '\\377')\"",
    "links round and round": "ln -s . a; ln -s .. b; ln -s c c; ln -s \"$(printf '\\377')\" \"$(printf '\\376')\"",
    "a huge sparse file": "truncate -s 8T note",
}


def test_no_tree_makes_the_listing_anything_but_a_fail(engine: Engine) -> None:
    places = {f"/home/operator/{number}": command for number, command in enumerate(TREES.values())}
    with engine.open(spec()) as sandbox:
        session = landed(sandbox)
        for place, command in places.items():
            session.type(f"mkdir {place}; cd {place}; {command}", seconds=120)
        sandbox.kill_operator()
        for place, command in places.items():
            outcome, reason = judge(sandbox, kind="tree_equals", path=place, files={})
            assert outcome is Outcome.FAIL, command
            assert reason.isprintable()


def test_a_script_runs_when_the_operator_has_filled_disk_and_process_table(engine: Engine) -> None:
    with engine.open(spec()) as sandbox:
        session = landed(sandbox)
        session.type("i=0; while [ $i -lt 500 ]; do sleep 1000 & i=$((i + 1)); done 2> /dev/null; echo", seconds=60)
        session.type("x=0123456789abcdef; for i in 1 2 3 4 5 6 7 8 9 10; do x=$x$x; done")
        session.type("while echo $x; do :; done > filler 2> /dev/null", seconds=120)  # echo needs no process
        sandbox.kill_operator()
        assert judge(sandbox, kind="script", script="test -s /home/operator/filler")[0] is Outcome.PASS


def test_nothing_that_the_operator_put_on_its_path_runs_in_a_script(engine: Engine) -> None:
    with engine.open(spec(setup="install -d -o operator /opt/bin; chown operator /usr/local/bin")) as sandbox:
        session = landed(sandbox)
        session.type("for p in test grep sh id; do printf '#!/bin/sh\\nexit 0\\n' > /usr/local/bin/$p; done")
        session.type("chmod 755 /usr/local/bin/*")
        session.type("echo 'alias test=true' > ~/.profile; echo 'PATH=/usr/local/bin' > ~/.env; export ENV=$HOME/.env")
        sandbox.kill_operator()
        assert judge(sandbox, kind="script", script="test -e /home/operator/never")[0] is Outcome.FAIL
        assert judge(sandbox, kind="script", script="grep -q never /etc/passwd")[0] is Outcome.FAIL
