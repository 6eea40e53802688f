"""Starts one container with crun: its bundle, its control group, its terminal; up to PID 1, not yet the session."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from harness.errors import SandboxError
from harness.sandbox.cgroups import GroupLimits
from harness.sandbox.crun.command import STATE, Crun
from harness.sandbox.crun.config import config
from harness.sandbox.crun.registry import TRIAL_FILE
from harness.sandbox.crun.sandbox import CrunSandbox, Handles
from harness.sandbox.paths import containers_dir
from harness.sandbox.protocol import SandboxSpec

_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """What every container of an engine is started with: crun, and the image's root filesystem."""

    crun: Crun
    rootfs: Path

    def start(self, container: str, spec: SandboxSpec, undo: ExitStack) -> tuple[CrunSandbox, Handles]:
        """The container's sandbox, PID 1 of which waits for `go`, and its descriptors, which `undo` closes.

        The container itself is the caller's to remove, also when this raises SandboxError.
        """
        folder = containers_dir() / container
        limits = spec.limits
        try:
            self._write_bundle(folder, container, spec)
        except OSError as error:
            raise SandboxError(f"cannot write {folder}: {error.strerror}", hint="is the disk full?") from error
        self.crun.cgroups.create(
            container, GroupLimits(memory_bytes=limits.memory_bytes, pids=limits.pids, cpus=limits.cpus)
        )
        terminal = self._create(container, folder, undo)
        handles = self._handles(container, folder, terminal, undo)
        sandbox = CrunSandbox(container, crun=self.crun, folder=folder, handles=handles, limits=limits)
        return sandbox, handles

    def _write_bundle(self, folder: Path, container: str, spec: SandboxSpec) -> None:
        folder.mkdir(mode=0o700)
        (folder / TRIAL_FILE).write_text(spec.trial, encoding="utf-8")
        rootfs = folder / "rootfs"  # a short path without odd characters, whatever the image's own is
        rootfs.symlink_to(self.rootfs)
        document = config(spec, rootfs=str(rootfs), container=container)
        (folder / "config.json").write_text(json.dumps(document), encoding="utf-8")
        STATE.mkdir(mode=0o700, exist_ok=True)

    def _create(self, container: str, folder: Path, undo: ExitStack) -> int:
        """Run crun; the master of the new container's pty, closed by `undo`."""
        with socket.socket(socket.AF_UNIX) as console:
            console.bind(str(folder / "console"))
            console.listen(1)
            self._run_crun(container, folder)
            console.settimeout(_START_SECONDS)
            connection, _ = console.accept()
            with connection:
                connection.settimeout(_START_SECONDS)
                _, descriptors, _, _ = socket.recv_fds(connection, 4096, 1, socket.MSG_CMSG_CLOEXEC)
        if len(descriptors) != 1:
            raise SandboxError("crun did not hand over the container's terminal")
        undo.callback(os.close, descriptors[0])
        return descriptors[0]

    def _run_crun(self, container: str, folder: Path) -> None:
        paths = {"--bundle": folder, "--console-socket": folder / "console", "--pid-file": folder / "pid"}
        flags = [word for flag, path in paths.items() for word in (flag, str(path))]
        try:
            done = subprocess.run(
                self.crun.command(container, "run", "--detach", "--no-new-keyring", *flags, container),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_START_SECONDS,
                check=False,
                start_new_session=True,
                cwd="/",
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise SandboxError(f"crun could not start a container: {error}", hint="evalh sandbox doctor") from error
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip()[-1000:]
            raise SandboxError(f"crun could not start a container: {said}", hint="evalh sandbox doctor")

    def _handles(self, container: str, folder: Path, terminal: int, undo: ExitStack) -> Handles:
        pid = int((folder / "pid").read_text())
        try:
            init = os.pidfd_open(pid)
            undo.callback(os.close, init)
            if pid not in self.crun.cgroups.processes(container):
                raise ProcessLookupError
            root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            undo.callback(os.close, root)
        except OSError as error:
            raise SandboxError("the container ended as it started", hint="evalh sandbox doctor") from error
        return Handles(terminal=terminal, root=root, init=init, init_pid=pid)
