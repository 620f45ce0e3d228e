"""The settings of the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from shared.contracts import topics
from shared.runtime.concerns import (
    Commas,
    GapSettings,
    GroupSettings,
    HostSettings,
    HttpPort,
    KafkaSettings,
    PriorSettings,
    ProcessSettings,
    RegistrySettings,
    SiteSettings,
    StateSettings,
    group_of,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CommandSettings", "DemoSettings", "HistorySettings"]

_WATCHED = ("ingestor", "forecaster", "monitor")


class HistorySettings(SiteSettings, StateSettings, PriorSettings):
    """The year of past readings: with site, state and prior all that `backtest` and `forecast` read."""

    data: str | None = Field(
        default=None,
        description="the year: a CSV or Parquet file, also packed, or `synthetic`; default: the cache, else a "
        "download, else `synthetic`",
    )
    data_url: str | None = Field(
        default=None, description="address that the year is downloaded from, a zip file; default: the UCI repository"
    )

    @field_validator("data_url")
    @classmethod
    def _web_address(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("give http:// or https://, a host and a path; a file on this machine goes with --data")
        return url

    @property
    def cache_dir(self) -> Path:
        """Where downloaded data is kept."""
        return self.state_dir / "cache"


class CommandSettings(
    HistorySettings, KafkaSettings, GroupSettings, RegistrySettings, GapSettings, HostSettings, ProcessSettings
):
    """The pace of the replay."""

    control_fd: int | None = Field(
        default=None,
        ge=3,
        description="an inherited socket on loopback, at whose `/control` a replay is paused and its pace changed",
    )
    max_lag: int = Field(default=0, ge=0, description="records the replay may be ahead of the consumers; 0: no limit")
    lag_patience_s: float = Field(
        default=300.0,  # a forecaster may wait four minutes for its models
        gt=0,
        description="seconds that the replay waits for consumers that do not catch up, before it ends with exit code 2",
    )
    lag_groups: Commas[str] = Field(
        default_factory=lambda given: tuple(group_of(given.get("group"), service) for service in _WATCHED),
        description="the consumer groups that `TETOUAN_MAX_LAG` watches, such as `ingestor,north-forecaster`; default: "
        "those of ingestor, forecaster and monitor, with `TETOUAN_GROUP`",
    )

    @field_validator("lag_groups")
    @classmethod
    def _known_groups(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        for group in groups:
            topics.reader_of(group)
        return groups


class DemoSettings(CommandSettings):
    """Where the gateway of a demo listens; its other services have ports of their own."""

    http_port: HttpPort = 8000
