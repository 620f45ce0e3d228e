"""How many of the names that senders invent are told apart: there is no end to them."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["OTHER", "FewNames"]

MOST = 32
OTHER = "other"
"""What all names are called from there on."""

Name = TypeVar("Name")


class FewNames(Generic[Name]):
    """The first names that came, as many as metric, log and notes have room for."""

    def __init__(self) -> None:
        self._named: set[Name] = set()

    def admits(self, name: Name) -> bool:
        """Tell whether a name is told apart; the first ones are from now on."""
        if len(self._named) < MOST:
            self._named.add(name)
        return name in self._named
