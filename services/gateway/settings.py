"""The settings of the gateway."""

from __future__ import annotations

from pydantic import Field

from shared.runtime.settings import Settings

__all__ = ["GatewaySettings"]


class GatewaySettings(Settings):
    """What differs from the common defaults."""

    http_port: int = Field(default=8000, ge=0, le=65535)
