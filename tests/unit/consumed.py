"""A record as a broker hands it over, for tests of cores without a broker."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Consumed"]


@dataclass
class Consumed:
    """A `shared.runtime.records.Record`."""

    value: bytes | None = None
    topic: str = "in"
    partition: int = 0
    offset: int = 0
    key: bytes | None = b"tetouan"
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = -1
