"""The child processes of a demo: started with a log file each, watched, and stopped together.

Each child holds one end of a pipe. It ends when the other end closes, so that none outlives a
parent that is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.runtime.clock import monotonic_s
from shared.runtime.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Child", "Children"]

STOP_S = 10.0
LAST_LINES = 15


@dataclass(frozen=True)
class Child:
    """One process and where its output goes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def last_lines(self) -> str:
        """Return the end of the log, for the one who asks why the process ended."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:])


class Children:
    """Starts processes of this project and ends all of them on leaving the ``with`` block."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir
        self._children: list[Child] = []
        self._lifeline_fds = os.pipe()  # its end for writing stays here

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        for descriptor in self._lifeline_fds:
            os.close(descriptor)

    def start(self, name: str, args: list[str], env: Mapping[str, str], pass_fds: tuple[int, ...] = ()) -> Child:
        """Run ``python args`` with ``env`` on top of this process's environment; its output goes to ``<name>.log``.

        The child inherits the file descriptors in ``pass_fds``.
        """
        path, lifeline_fd = self._log_dir / f"{name}.log", self._lifeline_fds[0]
        with path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *args],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **env, PREFIX + "LIFELINE_FD": str(lifeline_fd)},
                pass_fds=(*pass_fds, lifeline_fd),
                start_new_session=True,  # Ctrl-C reaches only the parent, which stops the children in order
            )
        child = Child(name, process, path)
        self._children.append(child)
        return child

    def ended(self) -> Child | None:
        """Return a child that has ended by itself with a failure, if there is one."""
        return next((child for child in self._children if child.process.poll() not in (None, 0)), None)

    def end(self, child: Child) -> None:
        """Send SIGTERM to one and wait for it; SIGKILL after ten seconds."""
        child.process.terminate()
        try:
            child.process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()

    def stop(self) -> None:
        """Send SIGTERM to all, the last started first; SIGKILL to what is left after ten seconds."""
        running = [child.process for child in reversed(self._children) if child.process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline_s = monotonic_s() + STOP_S
        for process in running:
            try:
                process.wait(timeout=max(0.0, deadline_s - monotonic_s()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
