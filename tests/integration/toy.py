"""A service whose core fails on one value, or that lacks a codec, for tests of what the runtime does then."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from aiokafka import codec

from shared.contracts import topics
from shared.runtime.concerns import ServiceSettings
from shared.runtime.health import Health
from shared.runtime.metrics import new_registry
from shared.runtime.records import Outgoing
from shared.runtime.service import Service, main

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.runtime.records import Record


class Core:
    """Copies raw to clean, and fails on the value in TOY_FAILS_ON."""

    def restore(self, records: Sequence[Record]) -> None:
        """Know nothing of the past: it has no state."""

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """Copy the batch or fail."""
        if any(record.value == os.environ.get("TOY_FAILS_ON", "nothing").encode() for record in records):
            raise RuntimeError("a bug of ours")
        return [Outgoing(topics.CLEAN.name, record.key, record.value or b"") for record in records]


def build(_: ServiceSettings) -> Service:
    """Return the service."""
    return Service("ingestor", (topics.RAW,), Core, new_registry(), Health(), publishes=(topics.CLEAN,))


if __name__ == "__main__":
    if "TOY_LACKS" in os.environ:
        setattr(codec, f"has_{os.environ['TOY_LACKS']}", lambda: False)
    sys.exit(main("toy", ServiceSettings, build))
