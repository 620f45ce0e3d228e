"""Named points at which a process may be told to die: a crash test places its fault between two lines of its choice.

``TETOUAN_CRASH_AT=after_send:3`` kills the process the third time it has sent the answers of a batch. It dies as by
SIGKILL: nothing is flushed, closed or committed. Without the variable a point costs a comparison.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Literal, get_args

__all__ = ["POINTS", "VARIABLE", "Point", "failpoint"]

VARIABLE = "TETOUAN_CRASH_AT"

Point = Literal["after_send", "before_commit", "in_snapshot", "in_restore"]

POINTS: tuple[Point, ...] = get_args(Point)
"""Answers sent, not committed; about to commit; a snapshot half written; a past half folded."""

_reached: Counter[str] = Counter()


def failpoint(point: Point) -> None:
    """Die here if this is where the process was told to.

    Raises
    ------
    ValueError
        If the variable is set and says anything but a known point and a number from 1 on.
    """
    order = os.environ.get(VARIABLE)
    if order is None:
        return
    where, _, times = order.partition(":")
    if where not in POINTS or not times.isdecimal() or times == "0":
        raise ValueError(f"{VARIABLE}={order!r}: use one of {', '.join(POINTS)} and a number from 1 on: after_send:1")
    _reached[point] += 1
    if point == where and _reached[point] == int(times):
        os.kill(os.getpid(), signal.SIGKILL)
