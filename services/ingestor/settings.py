"""The settings of the ingestor."""

from __future__ import annotations

from pydantic import Field

from shared.runtime.settings import Settings

__all__ = ["IngestorSettings"]


class IngestorSettings(Settings):
    """What differs from the common defaults."""

    http_port: int = Field(default=8001, ge=0, le=65535)
