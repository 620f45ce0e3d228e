"""The sites that a state lacks although there were records of them: what a table that gains one of them must know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

__all__ = ["UNSERVED", "Unserved"]

UNSERVED = "/unserved"
"""The name of this part of a core's state; the others are named by their site, and no site has a slash in its name."""

_NAMES = "names"

MOST = 10_000
"""Names that are told apart: senders can invent any."""


class Unserved:
    """The names of the sites of which records were passed over or refused, or of which a state was dropped.

    A site that begins with its next reading may have a past on the topics: a state that lacks it is then not what the
    topics make of it.
    """

    def __init__(self) -> None:
        self._names: set[str] = set()
        self.changes = 0
        """How often the state has changed, since it began or was resumed."""

    def add(self, name: str) -> None:
        """Take note of a site that is not served."""
        if len(self._names) < MOST and name not in self._names:
            self._names.add(name)
            self.changes += 1

    def first_in(self, sites: Iterable[str]) -> str | None:
        """Return a site of these that may have a past which nobody has folded, None where there is none."""
        full = len(self._names) >= MOST
        return next((site for site in sites if full or site in self._names), None)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return the names as an array."""
        return {_NAMES: np.frombuffer(json.dumps(sorted(self._names)).encode(), np.uint8)}

    def resume(self, parts: Mapping[str, Mapping[str, NDArray[Any]]], dropped: Iterable[str] = ()) -> None:
        """Go on from what :meth:`state` returned, which is a part of these, and from what was dropped since.

        Raises ``ValueError`` where it is nothing of that kind.
        """
        state = parts.get(UNSERVED, {})
        if odd := sorted(state.keys() ^ {_NAMES}):
            raise ValueError(f"{UNSERVED}: lacks or adds {', '.join(odd)}")
        array = state[_NAMES]
        if array.dtype != np.uint8 or array.ndim != 1:
            raise ValueError(f"{UNSERVED}: {_NAMES} is {array.dtype} {array.shape}, expected uint8 (any,)")
        try:
            names = set(json.loads(array.tobytes()))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{UNSERVED}: {_NAMES} is no list of names: {error}") from error
        self._names = names | set(dropped)
        self.changes = len(self._names - names)
