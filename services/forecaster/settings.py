"""The settings of the forecaster."""

from __future__ import annotations

from pydantic import Field

from shared.runtime.settings import Settings

__all__ = ["ForecasterSettings"]


class ForecasterSettings(Settings):
    """What differs from the common defaults."""

    http_port: int = Field(default=8002, ge=0, le=65535)
