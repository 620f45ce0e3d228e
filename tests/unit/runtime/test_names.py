"""Names that senders invent."""

from __future__ import annotations

from shared.runtime.names import FewNames


def test_the_first_names_are_told_apart_and_no_others() -> None:
    """However many come, and how often: those that were admitted stay so."""
    names = FewNames[str]()
    told = [name for n in range(100) if names.admits(name := f"site-{n}")]
    assert told == [f"site-{n}" for n in range(32)]
    assert names.admits("site-0")
    assert not names.admits("site-99")
