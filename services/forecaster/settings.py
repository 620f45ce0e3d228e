"""The settings of the forecaster."""

from __future__ import annotations

from shared.runtime.settings import Settings

__all__ = ["ForecasterSettings"]


class ForecasterSettings(Settings):
    """What differs from the common defaults."""

    http_port: int = 8002
