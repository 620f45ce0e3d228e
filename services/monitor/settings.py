"""The settings of the monitor."""

from __future__ import annotations

from shared.runtime.settings import Settings

__all__ = ["MonitorSettings"]


class MonitorSettings(Settings):
    """What differs from the common defaults."""

    http_port: int = 8003
