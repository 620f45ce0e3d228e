"""What is printed on a terminal, in a file and in a pipe."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rich.console import Console, RenderableType

__all__ = ["PLAIN_S", "now_and_then", "print_whole", "until_nobody_reads", "waiting", "written_out"]

WIDEST = 1000
PLAIN_S = 5.0
"""Seconds between two lines where nothing can be drawn in place."""
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}


def print_whole(console: Console, table: RenderableType) -> None:
    """Print a table so wide that none of its numbers is cut off, on a narrow terminal and in a pipe, too."""
    width = console.width
    console.width = max(width, console.measure(table, options=console.options.update(width=WIDEST)).maximum)
    console.print(table)
    console.width = width


@contextmanager
def until_nobody_reads() -> Iterator[None]:
    """End the block in peace when the reader of standard output has seen enough, as `head` has."""
    try:
        yield
    except BrokenPipeError:
        _discard_output()


@contextmanager
def written_out() -> Iterator[None]:
    """Write out what the block has printed; raises ``Refused`` where the disk takes no more."""
    try:
        try:
            yield
        finally:
            with until_nobody_reads():
                sys.stdout.flush()
    except OSError as error:
        if error.errno not in FULL:
            raise
        _discard_output()
        what = error.filename or "the output"
        raise Refused(
            f"{what} cannot be written ({os.strerror(error.errno)}): free some space, or write to another disk"
        ) from None


def _discard_output() -> None:
    """Let nothing come of what is still to be flushed at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def now_and_then(lines: Iterable[str]) -> Iterator[str]:
    """Yield a line as it is new, and, where it comes again and again, the second, fourth, eighth time and so on."""
    former, times = None, 0
    for line in lines:
        times = times + 1 if line == former else 1
        former = line
        if times.bit_count() == 1:
            yield line


@contextmanager
def waiting(console: Console, what: str, every_s: float = PLAIN_S) -> Iterator[Callable[[str], None]]:
    """Say what is done while it lasts: in place on a terminal, else as a line now and then.

    Whoever does it is handed what says something else from then on; a line that stays the same comes ever more seldom.
    """
    if console.is_terminal:
        with console.status(what) as status:
            yield status.update
        return
    said, over = [what], Event()

    def beats() -> Iterator[str]:
        while not over.wait(every_s):
            yield said[-1]

    def tell() -> None:
        for line in now_and_then(beats()):
            console.print(f"{line} ...", soft_wrap=True, highlight=False, markup=False)

    teller = Thread(target=tell, name="waiting", daemon=True)
    teller.start()
    try:
        yield said.append
    finally:
        over.set()
        teller.join()
