"""What every engine promises: one suite, run over all of them."""

from __future__ import annotations

import os
import re
import resource
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.errors import BadInputError, SandboxError
from harness.sandbox.doctor import Health, doctor
from harness.sandbox.protocol import OPERATOR, WRITABLE_ROOTS, Engine, Limits, PlacedFile, Sandbox
from harness.sandbox.reap import find
from tests.integration.session import PROMPT, PS1, SECRET, Session, eventually, landed, spec

MIB = 1 << 20


class TestTheSession:
    def test_it_opens_with_banner_then_motd_then_prompt(self, engine: Engine) -> None:
        with engine.open(spec(banner="Welcome to shell.\n", motd="Read /etc/motd.\n")) as sandbox:
            assert Session(sandbox).prompt() == b"Welcome to shell.\r\nRead /etc/motd.\r\n" + PROMPT
            assert sandbox.world.read("/etc/motd", max_bytes=100) == b"Read /etc/motd.\n"

    def test_its_first_bytes_are_never_lost(self, engine: Engine) -> None:
        opening = spec(banner="first bytes " * 20 + "\n")
        for _ in range(12):
            with engine.open(opening) as sandbox:
                assert Session(sandbox).prompt().startswith(b"first bytes first bytes")

    def test_the_operator_has_no_capability(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            status = landed(sandbox).type("cat /proc/self/status")
            sets = re.findall(r"^Cap\w+:\t([0-9a-f]+)$", status, re.MULTILINE)
            assert [int(value, 16) for value in sets] == [0, 0, 0, 0, 0]
            assert "NoNewPrivs:\t1" in status
            assert "Seccomp:\t2" in status
            assert re.search(r"^Uid:\t1000\t1000\t1000\t1000$", status, re.MULTILINE)
            assert re.search(r"^Groups:\s*(1000)?\s*$", status, re.MULTILINE)

    def test_its_environment_is_exactly_what_the_contract_says(self, engine: Engine) -> None:
        with engine.open(spec(env=(("PS1", PS1), ("PS2", "> "), ("DIRECTIVES", "/srv/a b")))) as sandbox:
            shown = landed(sandbox).type("env")
            found = dict(line.split("=", 1) for line in shown.splitlines())
            found.pop("_", None)
            found.pop("OLDPWD", None)
            assert found == {
                "HOME": "/home/operator",
                "USER": OPERATOR,
                "LOGNAME": OPERATOR,
                "SHELL": "/bin/sh",
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "TERM": "dumb",
                "LANG": "C.UTF-8",
                "PWD": "/home/operator",
                "PS1": PS1,
                "PS2": "> ",
                "DIRECTIVES": "/srv/a b",
            }

    def test_its_terminal_has_the_asked_size_and_no_echo(self, engine: Engine) -> None:
        with engine.open(spec(columns=123, rows=45)) as sandbox:
            session = landed(sandbox)
            assert session.type("stty size") == "45 123\n"
            assert session.type("echo once") == "once\n"
            assert "-echo " in session.type("stty -a")

    def test_the_operator_cannot_learn_the_end_secret(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            session = landed(sandbox)
            assert SECRET not in session.type(
                "env; set; cat /proc/*/environ /proc/*/cmdline 2>/dev/null | tr '\\0' '\\n'"
            )
            assert "Permission denied" in session.type("cat /proc/1/environ")
            told = session.type("grep -rs 'abcdef-end' /run /etc /home /tmp /var /usr/local | head -5; echo searched")
            assert told == "searched\n"

    def test_the_secret_stays_hidden_while_the_harness_looks(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            session = landed(sandbox)
            session.type("(while :; do cat /proc/[0-9]*/environ 2>/dev/null; done >~/caught) &")
            for _ in range(5):
                sandbox.run(("env",), user=OPERATOR)
                sandbox.waiting_for_input()
            sandbox.kill_operator()
            caught = sandbox.world.read("/home/operator/caught", max_bytes=64 * MIB)
            assert caught
            assert SECRET.encode() not in caught

    @pytest.mark.parametrize("keys", [b"\x10\x11", b"\x1d", b"\x1e\x1f", b"\x1c"])
    def test_no_keys_end_the_attachment(self, engine: Engine, keys: bytes) -> None:
        with engine.open(spec()) as sandbox:
            session = landed(sandbox)
            os.write(sandbox.fileno(), keys + b"\x15\n")
            assert "still here" in session.type("echo still here") + session.type("echo still here")


class TestTheEnd:
    def test_an_exit_tells_its_status(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            session = landed(sandbox)
            session.send("exit 7")
            end = session.end()
            assert (end.how, end.status, end.reason) == ("exit", "7", "")

    def test_an_end_of_file_is_an_exit(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            session = landed(sandbox)
            os.write(sandbox.fileno(), b"\x04")
            assert session.end().how == "exit"

    def test_a_panic_tells_its_reason(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            session = landed(sandbox)
            session.send("panic the ledger: is missing; echo never; touch /tmp/never")
            end = session.end()
            assert (end.how, end.reason.strip()) == ("panic", "the ledger: is missing")
            assert sandbox.world.stat("/tmp/never") is None

    def test_a_killed_shell_tells_the_signal(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            session = landed(sandbox)
            session.send("kill -KILL $$")
            end = session.end()
            assert (end.how, end.signal) == ("killed", "9")

    def test_the_container_outlives_the_session(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            session = landed(sandbox)
            session.type("echo kept > /srv/kept 2>/dev/null || echo kept > ~/kept")
            session.send("exit")
            session.end()
            assert sandbox.run(("cat", "/home/operator/kept")).stdout == b"kept\n"
            assert sandbox.world.read("/home/operator/kept", max_bytes=10) == b"kept\n"


class TestTheWorldBefore:
    def test_files_are_placed_with_mode_and_owner(self, engine: Engine) -> None:
        files = (
            PlacedFile(path="/home/operator/notes/today.txt", content=b"theirs\n", mode=0o600),
            PlacedFile(path="/usr/local/bin/orders", content=b"#!/bin/sh\necho ordered\n", mode=0o755, owner="root"),
            PlacedFile(path="/srv/board/secret", content=b"root's\n", mode=0o400, owner="root"),
            PlacedFile(path="/etc/service.conf", content=b"\x00\xff" * 1000, mode=0o4755, owner="root"),
            PlacedFile(path="/run/evalh-not/x", content=b"", mode=0o644),
        )
        with engine.open(spec(files=files)) as sandbox:
            for placed in files:
                entry = sandbox.world.stat(placed.path)
                assert entry is not None
                assert (entry.mode, entry.uid) == (placed.mode, 1000 if placed.owner == OPERATOR else 0), placed.path
                assert sandbox.world.read(placed.path, max_bytes=MIB) == placed.content
            parent = sandbox.world.stat("/srv/board")
            assert parent is not None
            assert (parent.uid, parent.mode) == (0, 0o755)
            session = landed(sandbox)
            assert session.type("cat ~/notes/today.txt; orders") == "theirs\nordered\n"
            assert "Permission denied" in session.type("cat /srv/board/secret")

    @pytest.mark.parametrize("root", WRITABLE_ROOTS)
    def test_every_writable_place_keeps_the_images_content(self, engine: Engine, root: str) -> None:
        with engine.open(spec(files=(PlacedFile(path=f"{root}/deep/er/x", content=b"x"),))) as sandbox:
            assert sandbox.run(("cat", f"{root}/deep/er/x")).stdout == b"x"
            assert sandbox.run(("sh", "-c", "test -x /usr/local/bin/panic && test -s /etc/passwd")).status == 0

    @pytest.mark.parametrize("path", ["/usr/bin/evil", "/home/../usr/x", "relative", "/", "/home", "/proc/sys/x"])
    def test_a_file_elsewhere_is_refused(self, engine: Engine, path: str) -> None:
        with (
            pytest.raises((BadInputError, SandboxError)),
            engine.open(spec(files=(PlacedFile(path=path, content=b""),))),
        ):
            pass

    def test_the_setup_runs_as_root_and_before_the_session(self, engine: Engine) -> None:
        setup = "id -u > /srv/who; pwd > /srv/where; chown operator /srv/who; sleep 0.3; echo late > /etc/motd"
        with engine.open(spec(setup=setup)) as sandbox:
            assert Session(sandbox).prompt() == b"late\r\n" + PROMPT
            assert sandbox.world.read("/srv/who", max_bytes=9) == b"0\n"
            assert sandbox.world.read("/srv/where", max_bytes=9) == b"/\n"
            assert sandbox.world.stat("/srv/who").uid == 1000  # type: ignore[union-attr] # it was just read

    def test_a_failing_setup_names_its_output(self, engine: Engine) -> None:
        with (
            pytest.raises(SandboxError, match="cannot brew coffee"),
            engine.open(spec(setup="echo cannot brew coffee >&2; exit 3")),
        ):
            pass
        assert not [each for each in find(engine.name) if each.owner == engine.owner]  # type: ignore[attr-defined] # both have it

    def test_a_setup_that_never_ends_is_ended(self, engine: Engine) -> None:
        with pytest.raises(SandboxError, match="setup"), engine.open(spec(setup="sleep 1000", setup_seconds=0.5)):
            pass


class TestRun:
    def test_it_separates_the_streams_and_tells_the_status(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            result = sandbox.run(("sh", "-c", "echo out; echo err >&2; exit 3"))
            assert (result.status, result.stdout, result.stderr, result.truncated) == (3, b"out\n", b"err\n", False)
            assert sandbox.run(("sh", "-c", "kill -KILL $$")).status == 137

    def test_it_runs_in_the_root_directory_with_a_fixed_environment(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            result = sandbox.run(("sh", "-c", 'pwd; echo $PATH; echo "$EXTRA"; id -u; set'), env=(("EXTRA", "a b\nc"),))
            assert result.stdout.startswith(b"/\n/usr/local/bin:/usr/bin:/bin\na b\nc\n0\n")
            assert SECRET.encode() not in result.stdout

    def test_the_operator_runs_without_rights(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            result = sandbox.run(("cat", "/proc/self/status"), user=OPERATOR)
            assert re.findall(rb"^Cap\w+:\t0+$", result.stdout, re.MULTILINE).__len__() == 5
            assert b"Uid:\t1000\t1000\t1000\t1000" in result.stdout
            assert sandbox.run(("touch", "/etc/x"), user=OPERATOR).status == 1

    def test_bytes_go_in_and_out_unchanged(self, engine: Engine) -> None:
        data = bytes(range(256)) * 8192
        with engine.open(spec()) as sandbox:
            assert sandbox.run(("cat",), stdin=data, max_output=4 * MIB).stdout == data
            assert sandbox.run(("true",), stdin=data).status == 0

    def test_output_beyond_the_cap_is_left_out(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            result = sandbox.run(("sh", "-c", "yes | head -c 3000000; exit 4"), max_output=1000)
            assert (result.status, len(result.stdout), result.truncated) == (4, 1000, True)

    def test_at_its_deadline_the_whole_tree_dies(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            landed(sandbox)
            tree = "echo begun; (setsid sleep 4321 &) ; sleep 4321 & exec sleep 4321"
            result = sandbox.run(("sh", "-c", tree), timeout=1.0)
            assert (result.status, result.stdout) == (None, b"begun\n")
            left = sandbox.run(("sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c '[4]321'"))
            assert left.stdout == b"0\n"

    def test_a_background_process_does_not_hold_it_up(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            result = sandbox.run(("sh", "-c", "sleep 600 & echo done"), timeout=60.0)
            assert (result.status, result.stdout) == (0, b"done\n")

    def test_a_missing_program_is_the_callers_mistake(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox, pytest.raises(SandboxError, match="no-such-program"):
            sandbox.run(("no-such-program",))

    def test_it_works_where_a_thousand_files_are_open(self, engine: Engine) -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
        with engine.open(spec()) as sandbox, ExitStack() as undo:
            undo.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
            for _ in range(1024):
                undo.callback(os.close, os.open(os.devnull, os.O_RDONLY))
            assert sandbox.run(("echo", "one more")).stdout == b"one more\n"

    def test_it_works_from_many_threads(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox, ThreadPoolExecutor(6) as pool:
            results = pool.map(lambda n: sandbox.run(("sh", "-c", f"echo {n}; exit {n}")), range(18))
            assert [(result.status, result.stdout) for result in results] == [(n, f"{n}\n".encode()) for n in range(18)]


class TestTheForeground:
    def test_a_program_that_reads_the_terminal_waits_for_input(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            session = landed(sandbox)
            assert eventually(lambda: sandbox.waiting_for_input() is True)
            session.send("cat")
            assert eventually(lambda: sandbox.waiting_for_input() is True)
            session.send("echoed by cat")
            session.until(b"echoed by cat\r\n")
            os.write(sandbox.fileno(), b"\x04")
            session.prompt()

    def test_a_busy_program_does_not(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            session = landed(sandbox)
            session.send("echo begun; sleep 600")
            session.until(b"begun\r\n")
            assert eventually(lambda: sandbox.waiting_for_input() is False)
            assert sandbox.waiting_for_input() is False

    def test_it_can_be_killed_and_the_shell_lives(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            session = landed(sandbox)
            session.send("sh -c 'trap \"\" INT TERM QUIT; echo begun; sleep 600; sleep 600'")
            session.until(b"begun\r\n")
            sandbox.kill_foreground()
            session.prompt()
            assert session.type("echo alive") == "alive\n"

    def test_the_session_shell_itself_is_spared(self, engine: Engine) -> None:
        with engine.open(spec()) as sandbox:
            session = landed(sandbox)
            sandbox.kill_foreground()
            assert session.type("echo alive") == "alive\n"


class TestLifetimes:
    def test_closing_removes_everything(self, engine: Engine) -> None:
        trial = f"closing-{secrets.token_hex(4)}"
        with engine.open(spec(trial=trial)) as sandbox:
            landed(sandbox).type("sleep 600 &")
            ident = sandbox.id
            assert [each.id for each in find(engine.name) if each.trial == trial] == [ident]
        assert not [each for each in find(engine.name) if each.trial == trial]
        assert not traces(ident)

    def test_an_exception_inside_removes_everything_too(self, engine: Engine) -> None:
        trial = f"raising-{secrets.token_hex(4)}"
        with pytest.raises(KeyboardInterrupt), engine.open(spec(trial=trial)):
            raise KeyboardInterrupt
        assert not [each for each in find(engine.name) if each.trial == trial]

    def test_two_sandboxes_do_not_see_each_other(self, engine: Engine) -> None:
        with engine.open(spec()) as one, engine.open(spec()) as other:
            first, second = landed(one), landed(other)
            first.type("echo mine > /tmp/mine; sleep 987654 &")
            assert second.type("cat /tmp/mine 2>&1") == "cat: /tmp/mine: No such file or directory\n"
            assert other.world.stat("/tmp/mine") is None
            assert "987654" not in second.type("cat /proc/[0-9]*/cmdline | tr '\\0' ' '")

    def test_eight_open_at_once(self, engine: Engine) -> None:
        def episode(number: int) -> str:
            files = (PlacedFile(path="/srv/number", content=str(number).encode()),)
            with engine.open(spec(trial=f"many-{number}", files=files)) as sandbox:
                return landed(sandbox).type("cat /srv/number; echo")

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(episode, range(8))) == [f"{number}\n" for number in range(8)]

    def test_a_forgotten_container_ends_by_itself(self, engine: Engine) -> None:
        trial = f"forgotten-{secrets.token_hex(4)}"
        with engine.open(spec(trial=trial, limits=Limits(ttl_seconds=2))) as sandbox:
            landed(sandbox).type("trap '' TERM INT HUP; sleep 600 &")
            ident = sandbox.id
            assert eventually(lambda: not alive(sandbox))
            with pytest.raises(SandboxError):
                sandbox.run(("true",))
        assert not traces(ident)

    def test_a_dying_containers_world_is_never_taken_for_its_image(self, engine: Engine) -> None:
        dying = "perl -e 'my $x = q(x) x 150_000_000; sleep 600' & for i in 1 2 3 4 5; do sleep 600 & done"
        looks: tuple[tuple[str, Callable[[Sandbox], object], object], ...] = (
            ("a file", lambda sandbox: sandbox.world.read("/home/operator/answer", max_bytes=10), b"done\n"),
            ("its kind", lambda sandbox: sandbox.world.stat("/home/operator/answer") is not None, True),
            ("its folder", lambda sandbox: len(list(sandbox.world.walk("/home/operator/in", max_entries=9))), 2),
            ("a check", lambda sandbox: sandbox.run(("test", "-e", "/home/operator/answer")).status, 0),
        )

        def watched(name: str, look: Callable[[Sandbox], object], truth: object) -> None:
            with engine.open(spec(limits=Limits(ttl_seconds=3))) as sandbox:
                landed(sandbox).type(f"echo done >~/answer; mkdir ~/in; touch ~/in/a ~/in/b; {dying}")
                for seen in iter(lambda: _seen(look, sandbox), None):
                    assert seen == truth, name
                with pytest.raises(SandboxError):
                    sandbox.kill_operator()

        with ThreadPoolExecutor(len(looks)) as pool:
            list(pool.map(lambda each: watched(*each), looks))

    def test_the_doctor_finds_nothing_wrong(self, engine: Engine) -> None:
        ill = [finding for finding in doctor(engine) if finding.health is Health.FAIL]
        assert ill == []

    def test_the_image_has_a_digest(self, engine: Engine) -> None:
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", engine.image_digest())


def _seen(look: Callable[[Sandbox], object], sandbox: Sandbox) -> object:
    """What a look shows; None from the moment that the sandbox says that it has ended."""
    try:
        return look(sandbox)
    except SandboxError:
        return None


def alive(sandbox: Sandbox) -> bool:
    try:
        return sandbox.run(("true",)).status == 0
    except SandboxError:
        return False


def traces(ident: str) -> list[str]:
    """What of a container's id this machine still knows: mounts, control groups, processes."""
    found = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if ident in line]
    found += [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/*/{ident}*")]
    for status in Path("/proc").glob("[0-9]*/cgroup"):
        try:
            found += [f"{status}: {line}" for line in status.read_text().splitlines() if ident in line]
        except OSError:
            continue
    return found
