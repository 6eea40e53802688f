"""The crun engine: opens sandboxes without a daemon, and removes all it opened."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from harness.errors import SandboxError
from harness.sandbox.cgroups import discover, unified_mounts
from harness.sandbox.crun.command import Crun
from harness.sandbox.crun.place import create_empty, place, placed_script
from harness.sandbox.crun.registry import remove, remove_owned, sweep
from harness.sandbox.crun.sandbox import GO, CrunSandbox, Handles
from harness.sandbox.crun.start import Starter
from harness.sandbox.image import current_image
from harness.sandbox.owner import new_owner
from harness.sandbox.protocol import Sandbox, SandboxSpec
from harness.sandbox.watchdog import Watchdog

SETUP = "/run/evalh/setup"
_SAID_MAX = 500


class CrunEngine:
    """Sandboxes run by crun. As `protocol.Engine`; also a context manager that closes itself.

    Making one removes what dead harnesses left, and starts a watchdog. Raises SandboxError where `probe`
    gives a reason.
    """

    name = "crun"

    def __init__(self) -> None:
        reason = probe()
        if reason is not None:
            raise SandboxError(f"the crun engine cannot be used: {reason}")
        image = current_image()
        self._digest = image.digest
        self._owner = new_owner()
        self._numbers = itertools.count(1)
        self._starting = threading.BoundedSemaphore(max(2, os.cpu_count() or 2))
        sweep()
        with ExitStack() as undo:
            crun = Crun(discover())
            undo.callback(crun.close)
            self._starter = Starter(crun=crun, rootfs=image.rootfs)
            self._watchdog = undo.enter_context(Watchdog.start(self.name, self._owner))
            self._undo = undo.pop_all()

    def __enter__(self) -> CrunEngine:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def owner(self) -> str:
        """The label that every container of this engine object carries in its name."""
        return self._owner

    def image_digest(self) -> str:
        """The digest over the content of the image's root filesystem."""
        return self._digest

    @contextmanager
    def open(self, spec: SandboxSpec) -> Iterator[Sandbox]:
        """A fresh container for `spec`; see `protocol.Engine.open`."""
        container = f"{self._owner}.{next(self._numbers)}"
        with self._watchdog.guarding(), ExitStack() as undo:
            undo.callback(remove, container, self._starter.crun.cgroups)
            yield self._start(container, spec, undo)

    def close(self) -> None:
        """As in `Engine.close`; safe to call twice."""
        self._watchdog.close()
        with self._undo:
            remove_owned(self._owner)
            self._watchdog.dismiss()

    def _start(self, container: str, spec: SandboxSpec, undo: ExitStack) -> CrunSandbox:
        with self._starting:
            sandbox, handles = self._starter.start(container, spec, undo)
        place(handles.root, spec)
        if spec.setup:
            with placed_script(handles.root, SETUP, spec.setup):
                _set_up(sandbox, spec)
        create_empty(handles.root, GO)
        sandbox.await_shell()
        sandbox.set_init_apart()
        _spare(handles)
        return sandbox


def probe() -> str | None:
    """Why the crun engine cannot be used now, with what to do about it; None if it can."""
    if os.geteuid() != 0:
        return "it needs root; use the docker engine, or run as root"
    helpers = {"nsenter": "util-linux", "umount": "mount"} if unified_mounts() else {}
    missing = [package for program, package in {"crun": "crun", **helpers}.items() if shutil.which(program) is None]
    if missing:
        return f"not installed; run `apt-get install {' '.join(missing)}`"
    try:
        discover().prepare()
        current_image()
    except SandboxError as error:
        return str(error)
    return None


def _set_up(sandbox: CrunSandbox, spec: SandboxSpec) -> None:
    """Run the setup script as root: a file for as long as it runs, like any other script."""
    done = sandbox.run(("/bin/sh", SETUP), timeout=spec.setup_seconds)
    if done.status != 0:
        how = f"exit status {done.status}" if done.status is not None else f"no end within {spec.setup_seconds:g} s"
        said = (done.stdout + done.stderr).decode(errors="replace").strip()[-_SAID_MAX:]
        raise SandboxError(
            f"the setup script of {spec.trial} failed ({how}): {said}", hint="mend [setup] of the scenario"
        )


def _spare(handles: Handles) -> None:
    """Whatever is short of memory in the container, PID 1 is not what the kernel should kill.

    Done once the session shell runs, so that nothing of the operator inherits it. Less than 0 takes CAP_SYS_RESOURCE.
    """
    for score in ("0", "-998"):
        with suppress(OSError):
            Path(f"/proc/{handles.init_pid}/oom_score_adj").write_text(score)
