"""The child processes of a demo: started with a log file each, told what to do, watched, and stopped together.

Each child holds one end of a pipe. It ends when the other end closes, so that none outlives a
parent that is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.early import order
from shared.runtime.clock import monotonic_s
from shared.runtime.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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

    def begin(self, env: Mapping[str, str], args: Sequence[str] = ()) -> None:
        """Let it run with ``env`` on top of its environment; nothing is done where it has ended already."""
        if self.process.stdin is not None:
            with suppress(BrokenPipeError), self.process.stdin as pipe:
                pipe.write(order(env, args))

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

    def start(
        self, name: str, module: str, imported: Sequence[str], inherited: Mapping[str, int] | None = None
    ) -> Child:
        """Let a process import modules and wait for :meth:`Child.begin`; its output goes to ``<name>.log``.

        It inherits the environment of this process, and the sockets to listen on, by the names of their settings.
        """
        path, inherited = self._log_dir / f"{name}.log", {"LIFELINE_FD": self._lifeline_fds[0], **(inherited or {})}
        with path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli.early", module, *imported],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **{PREFIX + name: str(fd) for name, fd in inherited.items()}},
                pass_fds=tuple(inherited.values()),
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
        for child in self._children:
            if child.process.stdin is not None:
                child.process.stdin.close()
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
