"""The sites that a state lacks although there were records of them: what a table that gains one of them must know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["UNSERVED", "Unserved"]

UNSERVED = "unserved"
"""The name of the array in the state of a core; those of a site have a slash in theirs."""

MOST = 10_000
"""Names that are told apart: senders can invent any."""


class Unserved:
    """The names of the sites of which records were passed over or refused, or of which a state was dropped.

    A site that begins with its next reading may have a past on the topics: a state that lacks it is then not what the
    topics make of it.
    """

    def __init__(self) -> None:
        self._names: set[str] = set()

    def add(self, name: str) -> None:
        """Take note of a site that is not served."""
        if len(self._names) < MOST:
            self._names.add(name)

    def first_in(self, sites: Iterable[str]) -> str | None:
        """Return a site of these that may have a past which nobody has folded, None where there is none."""
        full = len(self._names) >= MOST
        return next((site for site in sites if full or site in self._names), None)

    def state(self) -> NDArray[np.uint8]:
        """Return the names as an array."""
        return np.frombuffer(json.dumps(sorted(self._names)).encode(), np.uint8)

    def resume(self, state: NDArray[np.uint8], dropped: Iterable[str] = ()) -> None:
        """Go on from what :meth:`state` returned, and from what was dropped since.

        Raises ``ValueError`` where it is nothing of that kind.
        """
        try:
            names = json.loads(state.tobytes())
        except ValueError as error:
            raise ValueError(f"unserved: no list of names: {error}") from error
        self._names = {*names, *dropped}
