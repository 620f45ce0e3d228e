"""The year that the UCI repository publishes (dataset 849): where it is, and how its file is told from others."""

from __future__ import annotations

__all__ = ["PUBLISHED_URL", "is_published"]

# of the published year with LF line ends; the same year with CRLF line ends has the same identity
PUBLISHED_SHA256 = "d5f8e1062bbc30c0f4855d61d33103f5185ad4e70ed0e5a42393975d536dcb55"
PUBLISHED_URL = "https://archive.ics.uci.edu/static/public/849/power+consumption+of+tetouan+city.zip"


def is_published(sha256: str) -> bool:
    """Return whether this is the identity of the published year."""
    return sha256 == PUBLISHED_SHA256
