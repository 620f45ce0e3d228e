"""The settings of the forecaster."""

from __future__ import annotations

from pydantic import Field, field_validator

from shared.forecasting.intervals import COVERAGES
from shared.runtime.concerns import Commas, GapSettings, HttpPort, ModelSettings, PriorSettings, ServiceSettings

__all__ = ["ForecasterSettings"]

SCORED = 0.9


class ForecasterSettings(ServiceSettings, GapSettings, ModelSettings, PriorSettings):
    """Intervals, and the wait for models."""

    http_port: HttpPort = 8002
    coverages: Commas[float] = Field(
        default=(0.8, SCORED), description="the intervals of each forecast: some of 0.5, 0.8, 0.9, 0.95, always 0.9"
    )
    models_wait_s: float = Field(
        default=240.0,
        ge=0,
        le=86400,
        description="how long a site's first reading waits for the registry to answer, and how long after its start a "
        "forecaster without a snapshot waits for the registry's first champions; then sites begin without, from the "
        "readings alone, and take their champions over when they come; 0: nothing waits",
    )

    @field_validator("coverages")
    @classmethod
    def _kept_coverages(cls, coverages: tuple[float, ...]) -> tuple[float, ...]:
        if SCORED not in coverages or not set(coverages) <= set(COVERAGES):
            raise ValueError(f"choose of {', '.join(map(str, COVERAGES))}, and {SCORED}, which is scored, among them")
        return tuple(sorted(set(coverages)))
