"""Keeps for some seconds what takes long to make, for all who ask for it."""

from __future__ import annotations

from datetime import timedelta
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

__all__ = ["KeptResult"]

LEAST = timedelta(seconds=10)
TIMES_AS_LONG = 5  # as it took, so that making it takes no more than a sixth of the time

T = TypeVar("T")


class KeptResult(Generic[T]):
    """Something that is made anew when it is asked for and has become old.

    While one makes it anew, others are given the old one; they wait only where there is none yet.

    Parameters
    ----------
    make
        Makes it.
    clock
        The wall clock.
    """

    def __init__(self, make: Callable[[], T], clock: Callable[[], datetime]) -> None:
        self._make = make
        self._clock = clock
        self._making = Lock()
        self._kept: tuple[T, datetime, datetime] | None = None

    def get(self) -> T:
        """Return it; what ``make`` raises is passed on."""
        kept = self._kept
        if kept is not None and (self._is_fresh(kept) or not self._making.acquire(blocking=False)):
            return kept[0]
        if kept is None:
            self._making.acquire()
        try:
            if self._kept is None or not self._is_fresh(self._kept):
                begun = self._clock()
                made, ended = self._make(), self._clock()
                self._kept = made, ended, ended + max(LEAST, TIMES_AS_LONG * (ended - begun))
            return self._kept[0]
        finally:
            self._making.release()

    def _is_fresh(self, kept: tuple[T, datetime, datetime]) -> bool:
        return kept[1] <= self._clock() < kept[2]
