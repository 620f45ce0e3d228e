"""What of a forecast is kept for good: the leads that stand for others, once its site has gone on for long enough."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import bindparam, select, update

from services.gateway.packing import packed, unpacked
from services.gateway.tables import FORECASTS, SITES
from shared.forecasting.leads import lead_groups
from shared.runtime.clock import now

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from services.gateway.database import Database
    from services.gateway.metrics import HistoryMetrics
    from services.gateway.storing import Store

__all__ = ["Retention", "thin", "thinned"]

DAY_S = 86_400
EVERY_S = 600.0
AT_ONCE = 200  # forecasts in one transaction: others write in between


class Retention:
    """Thins forecasts of which all leads were kept for long enough, as the days of their site go by.

    Parameters
    ----------
    store, database
        The history.
    days
        For how long all leads are kept, in event time of the site; 0: for ever.
    metrics
        Count what was thinned.
    """

    def __init__(self, store: Store, database: Database, days: int, metrics: HistoryMetrics) -> None:
        self._store = store
        self._database = database
        self._days = days
        self._metrics = metrics

    async def run(self) -> None:
        """Look every ten minutes, until it is cancelled; return at once where all leads are kept for ever."""
        await self._store.prepared()
        while self._days:
            while thinned_now := await self._store.patiently(self._thin):
                self._metrics.thinned.inc(thinned_now)
            await asyncio.sleep(EVERY_S)

    def _thin(self) -> int:
        with self._database.writer.begin() as connection:
            return thin(connection, self._days, AT_ONCE, now())


def thin(connection: Connection, days: int, most: int, until: datetime) -> int:
    """Thin forecasts whose origin lies so many days before the newest reading of their site; returns how many.

    Parameters
    ----------
    connection
        In a transaction.
    days
        For how long all leads are kept, above 0.
    most
        How many forecasts at most.
    until
        The time by the clock: a reading of later is wrong, and makes no forecast old.
    """
    old = FORECASTS.c
    days_s = days * DAY_S
    found = connection.execute(
        select(old.site, old.zone, old.origin_s, old.product, old.step_minutes, old.arrays)
        .join(SITES, SITES.c.site == old.site)
        .where(old.leads_json.is_(None), old.origin_s < SITES.c.last_s - days_s)
        .where(old.origin_s < int(until.timestamp()) - days_s)
        .limit(most)
        .with_for_update(of=FORECASTS)  # nobody writes one anew before it is thinned
    ).all()
    if not found:
        return 0
    keys = ("site", "zone", "origin_s", "product")
    changed = [
        {f"old_{key}": getattr(row, key) for key in keys}
        | dict(zip(("leads_json", "arrays"), thinned(row.arrays, row.step_minutes), strict=True))
        for row in found
    ]
    one = update(FORECASTS).where(*(old[key] == bindparam(f"old_{key}") for key in keys), old.leads_json.is_(None))
    connection.execute(one, changed)
    return len(found)


def thinned(arrays: bytes, step_minutes: int) -> tuple[str, bytes]:
    """Return the leads of a forecast that are kept for good, as JSON, and the numbers of these alone.

    Parameters
    ----------
    arrays
        Numbers of all leads, see :mod:`services.gateway.packing`.
    step_minutes
        Of the site.
    """
    numbers = unpacked(arrays)
    leads = [group.steps for group in lead_groups(step_minutes) if group.steps <= numbers.shape[1]]
    return msgspec.json.encode(leads).decode(), packed(numbers[:, [lead - 1 for lead in leads]])
