"""How a message shows a value that somebody has written."""

from __future__ import annotations

__all__ = ["shown"]

LONGEST = 60  # characters


def shown(value: object) -> str:
    """Return the value as Python writes it, cut where it is long."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
