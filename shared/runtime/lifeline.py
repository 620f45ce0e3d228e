"""A process that ends with the one that started it, however that one ended."""

from __future__ import annotations

import os
from threading import Thread

__all__ = ["hold"]

ORPHANED = 1
"""The exit code."""


def hold(lifeline_fd: int | None) -> None:
    """End this process as soon as nobody holds the other end of an inherited pipe; nothing is done without one.

    It ends at once, without a word to others: what it works for is gone, and perhaps its broker, too.
    """
    if lifeline_fd is not None:
        Thread(target=_wait, args=(lifeline_fd,), name="lifeline", daemon=True).start()


def _wait(lifeline_fd: int) -> None:
    while os.read(lifeline_fd, 1):
        pass
    os._exit(ORPHANED)
