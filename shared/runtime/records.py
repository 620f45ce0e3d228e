"""What the cores of the services take and give: consumed records in, records to publish out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Outgoing", "Record"]


class Record(Protocol):
    """A consumed record, as much of it as a core may see."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: int
    """When it was sent or appended, in ms since 1970; -1 where nobody says."""


@dataclass(frozen=True)
class Outgoing:
    """A record to publish."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
