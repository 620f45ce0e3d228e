"""The topics: their names, how long they keep a record, and who reads them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

__all__ = [
    "ALL",
    "CLEAN",
    "DRIFT",
    "FORECASTS",
    "HEADROOM_BYTES",
    "MAX_RECORD_BYTES",
    "MODELS",
    "PARTITIONS",
    "RAW",
    "REJECTED",
    "SCORES",
    "Topic",
    "reader_of",
]

PARTITIONS = 4
MAX_RECORD_BYTES = 1024 * 1024
"""The largest record that any topic takes; one much larger would wipe a partition of the embedded broker."""
HEADROOM_BYTES = 64 * 1024
"""What key, headers and framing may add to it: a dead letter holds the whole original and says why."""


@dataclass(frozen=True)
class Topic:
    """A topic keyed by site; ``kept`` is None where records stay for ever.

    ``read_by`` names who has to see every record; `reader_of` tells whose a consumer group is.
    """

    name: str
    kept: timedelta | None
    read_by: tuple[str, ...] = ()


RAW = Topic("readings.raw.v1", timedelta(days=7), ("ingestor",))
CLEAN = Topic("readings.clean.v1", None, ("forecaster", "monitor", "audit", "gateway"))
REJECTED = Topic("readings.rejected.v1", timedelta(days=90), ("audit", "gateway"))
FORECASTS = Topic("forecasts.v1", timedelta(days=30), ("monitor", "audit", "gateway"))
SCORES = Topic("scores.v1", None, ("gateway",))
DRIFT = Topic("drift.events.v1", None, ("gateway",))
MODELS = Topic("models.events.v1", None, ("gateway",))

ALL = (RAW, CLEAN, REJECTED, FORECASTS, SCORES, DRIFT, MODELS)


def reader_of(group: str) -> str:
    """Return whose consumer group this is: its name, alone or behind another name and a hyphen.

    Raises
    ------
    ValueError
        Where it is nobody's who reads a topic.
    """
    known = sorted({reader for topic in ALL for reader in topic.read_by})
    for reader in known:
        if group == reader or group.endswith(f"-{reader}"):
            return reader
    raise ValueError(f"consumer group {group!r} reads no topic: give one of {', '.join(known)}, or NAME-{known[-1]}")
