"""The records that a gateway reads, computed from a file of readings without Kafka by the pure cores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backtest.run import judged
from services.forecaster.issuing import Issuer, ZoneModels
from services.monitor.app import build
from services.monitor.settings import MonitorSettings
from shared.contracts import topics
from shared.runtime.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from shared.data.year import Year

__all__ = ["PublishedRecord", "said"]


@dataclass(slots=True)
class PublishedRecord:
    """A record as a consumer receives it."""

    topic: str
    value: bytes | None
    key: bytes | None
    offset: int
    partition: int = 0
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = -1


def said(year: Year, zone: int, start: datetime, until: datetime, state_dir: Path) -> Iterator[list[PublishedRecord]]:
    """Yield the records of the rows in [start, until), a day at a time: readings, forecasts, scores, drift events.

    The models start cold with the first reading. Offsets count from 0 in each topic.

    Parameters
    ----------
    state_dir
        Of the monitor; it writes no reports.
    """
    site = year.site.model_copy(update={"zones": (zone,)})
    issuer = Issuer(site, (ZoneModels.begun_cold(site, zone),))
    monitor = build(load(MonitorSettings, state_dir=state_dir, report_every_hours=0)).make_core()
    offsets: dict[str, int] = {}

    def record(topic: str, value: bytes) -> PublishedRecord:
        offsets[topic] = offsets.get(topic, -1) + 1
        return PublishedRecord(topic, value, site.name.encode(), offsets[topic])

    readings = judged(year, start, until)
    day = site.grid.day
    for first in range(0, len(readings), day):
        batch = readings[first : first + day]
        forecasts = {forecast.origin: forecast for forecast in (issue.message() for issue in issuer.answer(batch))}
        told: list[PublishedRecord] = []
        for reading in batch:
            told.append(record(topics.CLEAN.name, reading.to_bytes()))
            if reading.time in forecasts:
                told.append(record(topics.FORECASTS.name, forecasts[reading.time].to_bytes()))
        yield told + [record(out.topic, out.value) for out in monitor.handle(told)]
