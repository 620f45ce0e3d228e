"""The settings of the ingestor."""

from __future__ import annotations

from shared.runtime.settings import Settings

__all__ = ["IngestorSettings"]


class IngestorSettings(Settings):
    """What differs from the common defaults."""

    http_port: int = 8001
