"""What ``/readyz`` tells of sites: one note a kind, however many sites there are, from all cores of a process."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, MutableMapping

__all__ = ["SHOWN", "SiteNotes", "listed"]

SHOWN = 8
"""Sites, or texts, that a note names."""


class SiteNotes:
    """Keeps what is to be said of each site, and the notes that say it.

    Parameters
    ----------
    notes
        Those of the service's health, by kind.
    """

    def __init__(self, notes: MutableMapping[str, str]) -> None:
        self._notes = notes
        self._said: dict[str, dict[str, str]] = {}  # by kind and site
        self._sites: dict[str, dict[str, dict[str, None]]] = {}  # by kind and text, in their order

    def say(self, kind: str, site: str, text: str) -> bool:
        """Say something of a site in place of what was said before; returns whether it is news."""
        if self._said.get(kind, {}).get(site) == text:
            return False
        self._take_back(kind, site)
        self._said.setdefault(kind, {})[site] = text
        self._sites.setdefault(kind, {}).setdefault(text, {})[site] = None
        self._write(kind)
        return True

    def has(self, kind: str, site: str) -> bool:
        """Tell whether something of that kind is said of a site."""
        return site in self._said.get(kind, {})

    def drop(self, kind: str, site: str) -> None:
        """Say it no longer."""
        if self.has(kind, site):
            self._take_back(kind, site)
            self._write(kind)

    def forget(self, site: str) -> None:
        """Say nothing more of a site."""
        for kind in self._said:
            self.drop(kind, site)

    def _take_back(self, kind: str, site: str) -> None:
        text = self._said.get(kind, {}).pop(site, None)
        if text is not None:
            sites = self._sites[kind][text]
            del sites[site]
            if not sites:
                del self._sites[kind][text]

    def _write(self, kind: str) -> None:
        """Write the note; what it costs does not grow with the number of sites."""
        by_text = self._sites[kind]
        if not by_text:
            self._notes.pop(kind, None)
            return
        shown = [f"{text} ({listed(sites)})" for text, sites in islice(by_text.items(), SHOWN)]
        more = len(by_text) - len(shown)
        self._notes[kind] = "; ".join(shown) + (f"; and {more} more" if more else "")


def listed(names: Collection[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(islice(names, SHOWN)) + (f" and {more} more" if more > 0 else "")
