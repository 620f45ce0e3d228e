"""The settings of the monitor."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads the annotations

from pydantic import Field

from shared.runtime.concerns import HttpPort, RegistrySettings, ServiceSettings

__all__ = ["MonitorSettings"]


class MonitorSettings(ServiceSettings, RegistrySettings):
    """Reports, and how long scores wait for forecasts."""

    http_port: HttpPort = 8003
    report_every_hours: int = Field(
        default=24, ge=0, le=8760, description="hours of event time between two reports of the monitor; 0: none"
    )
    patience_days: int = Field(
        default=35,
        ge=1,
        le=3650,
        description="days of event time that the monitor's readings may be ahead of the forecasts that it waits for: "
        "more where years are replayed as fast as they go; 8 kB a day and zone while they wait",
    )
    report_dir: Path | None = Field(
        default=None, description="where reports are written; default: `reports` in the state folder"
    )
    reports_kept: int = Field(
        default=7, ge=1, le=1000, description="how many reports of each zone and window length are kept"
    )

    @property
    def reports_dir(self) -> Path:
        """Where reports are written, absolute."""
        return (self.report_dir or self.state_dir / "reports").absolute()
