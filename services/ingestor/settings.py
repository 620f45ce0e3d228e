"""The settings of the ingestor."""

from __future__ import annotations

from shared.runtime.concerns import GapSettings, HttpPort, ServiceSettings

__all__ = ["IngestorSettings"]


class IngestorSettings(ServiceSettings, GapSettings):
    """What the ingestor alone reads."""

    http_port: HttpPort = 8001
