"""The settings of the monitor."""

from __future__ import annotations

from pydantic import Field

from shared.runtime.settings import Settings

__all__ = ["MonitorSettings"]


class MonitorSettings(Settings):
    """What differs from the common defaults."""

    http_port: int = Field(default=8003, ge=0, le=65535)
