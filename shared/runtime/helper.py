"""A process that answers one line with one line, begun when it is needed and kept for what is asked later."""

from __future__ import annotations

import subprocess
import sys
import weakref
from tempfile import TemporaryFile
from threading import RLock, Timer
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Helper", "HelperDiedError"]


class HelperDiedError(Exception):
    """The process has ended in place of an answer; the text is the last line that it wrote on standard error."""


class _Process:
    """A running process and its pipes."""

    def __init__(self, command: Sequence[str]) -> None:
        self._errors: IO[bytes] = TemporaryFile()  # noqa: SIM115 - it is closed with the process
        self._process = subprocess.Popen(
            [sys.executable, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C in a terminal is for whoever asks
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("a process was made without the pipes that were asked for: report it")
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def exchange(self, line: bytes) -> bytes:
        """Return the answer to a line; raises ``HelperDiedError``."""
        self._errors.seek(0)  # the process writes where this is: the file does not grow with the questions
        self._errors.truncate()
        try:
            self._stdin.write(line + b"\n")
            self._stdin.flush()
            answer = self._stdout.readline()
        except BrokenPipeError:
            answer = b""
        if not answer.endswith(b"\n"):
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace")
            raise HelperDiedError(said.strip().rpartition("\n")[2])
        return answer

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """End it, and close its pipes."""
        self._process.kill()
        self._process.wait()
        for file in (self._stdout, self._errors):
            file.close()
        try:
            self._stdin.close()
        except BrokenPipeError:  # of what it has not read
            return


class Helper:
    """A process of our own that answers questions, one after the other, for whoever asks from whatever thread.

    It ends with this object, and as soon as its standard input is closed: also where this process is killed.

    Parameters
    ----------
    command
        The arguments of the Python interpreter.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = command
        self._one_at_a_time = RLock()
        self._process: _Process | None = None
        self._finalizer: weakref.finalize[..., Helper] | None = None
        self._stopped = False

    def ask(self, line: bytes, patience_s: float) -> bytes:
        """Return the answer to a line; begins the process where there is none, and blocks.

        Raises ``TimeoutError`` where it takes longer and ``HelperDiedError`` where the process ends, after which the
        next question begins another; ``OSError`` where none can be begun.
        """
        with self._one_at_a_time:
            if self._stopped:
                raise HelperDiedError("it was stopped")
            process = self._process or self._begin()
            timer = Timer(patience_s, process.kill)
            timer.daemon = True
            timer.start()
            try:
                return process.exchange(line)
            except HelperDiedError as error:
                is_late = not timer.is_alive()
                self.renew()
                if is_late:
                    raise TimeoutError(f"no answer within {patience_s:.0f} s") from error
                raise
            finally:
                timer.cancel()

    def _begin(self) -> _Process:
        self._process = _Process(self._command)
        self._finalizer = weakref.finalize(self, self._process.close)
        return self._process

    def renew(self) -> None:
        """Let the next question begin another process; waits for the answer to the one before."""
        with self._one_at_a_time:
            self._process = None
            if self._finalizer is not None:
                self._finalizer()

    def stop(self) -> None:
        """End the process, whatever it does: whoever waits for an answer, or asks later, gets none."""
        self._stopped = True
        if self._process is not None:
            self._process.kill()
        self.renew()
