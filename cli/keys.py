"""Keys that are pressed on a terminal while something else is done."""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress

try:
    import termios
    import tty
except ImportError:  # a system without them: there are no keys
    termios = None  # type: ignore[assignment]  # as above

__all__ = ["Keys"]

MOST = 100


class Keys:
    """The keys of the terminal at a file descriptor, one by one and not shown; none where it is no terminal.

    Ctrl-C stays what it is.
    """

    def __init__(self, fd: int | None = None) -> None:
        self._fd = fd
        self._former: list[object] | None = None

    def open(self) -> None:
        """Begin to take the keys."""
        with suppress(ValueError, OSError):  # standard input may be closed, or none
            fd = sys.stdin.fileno() if self._fd is None else self._fd
            if termios is not None and os.isatty(fd):
                self._former = termios.tcgetattr(fd)
                tty.setcbreak(fd)
                self._fd = fd

    def pressed(self) -> str:
        """Return what was pressed since the last time; does not wait."""
        if self._former is None or self._fd is None or not select.select([self._fd], [], [], 0)[0]:
            return ""
        return os.read(self._fd, MOST).decode(errors="replace")

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._former is not None and self._fd is not None:
            termios.tcsetattr(self._fd, termios.TCSADRAIN, self._former)  # type: ignore[arg-type]  # as it was read
            self._former = None
