"""Writes what answers a batch to the history, and commits the batch when it stands there.

A database that is away is waited for, and `/readyz` says so: nothing is committed meanwhile, so nothing is lost.
"""

from __future__ import annotations

import asyncio
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import structlog
import tenacity
from sqlalchemy.exc import DBAPIError

from services.gateway.database import why_away, why_refused
from services.gateway.decoding import site_rows
from services.gateway.tables import READINGS
from services.gateway.writing import Row, write
from shared.runtime.clock import monotonic_s, now
from shared.runtime.health import Reason
from shared.runtime.publishing import BatchPace
from shared.runtime.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from services.gateway.database import Database
    from services.gateway.metrics import HistoryMetrics
    from shared.runtime.health import Health
    from shared.runtime.letters import DeadLetters
    from shared.runtime.publishing import Batch, Plain
    from shared.runtime.records import Outgoing

__all__ = ["Store", "Stored"]

PACE_S = 0.25  # a transaction waits for the disk, and nobody for the history of the last moment
SLOW_S = 5.0
REFUSED = "refused_by_database"
SHOWN = 200  # characters of what a database says
PREPARING = "the tables of the history are being prepared"

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger()


class Store:
    """The history of a process: prepared once, written by all its tasks, waited for where it is away.

    Parameters
    ----------
    database
        Where it stands.
    metrics, health
        Of the service.
    slow_s
        From when on `/readyz` tells of an attempt that has no answer.
    """

    def __init__(self, database: Database, metrics: HistoryMetrics, health: Health, *, slow_s: float = SLOW_S) -> None:
        self._slow_s = slow_s
        self._database = database
        self._metrics = metrics
        self._health = health
        self._prepared = asyncio.Event()
        self._newest_s = 0
        self._numbers = count()
        self._waits: dict[int, str] = {}  # by the number of who works; what was said last stands last
        self._turn = asyncio.Semaphore(1 if database.is_sqlite else 4)
        health.waiting_for[Reason.DATABASE] = PREPARING

    async def run(self) -> None:
        """Prepare the tables; close the connections when it is cancelled."""
        try:
            await self.prepare()
            await asyncio.Event().wait()
        finally:
            self._database.close()

    async def prepare(self) -> None:
        """Bring the tables to their version; raises ``Refused`` where they are of a later release."""
        await self.patiently(self._database.migrate)
        self._prepared.set()

    async def prepared(self) -> None:
        """Wait until the tables are there."""
        await self._prepared.wait()

    async def write(self, rows: Sequence[Row]) -> None:
        """Write rows in one transaction, as soon as the database lets us."""
        await self.prepared()
        if not rows:
            return
        async with self._turn:
            started_s = monotonic_s()
            written = await self.patiently(self._write, rows)
        self._metrics.write_s.observe(monotonic_s() - started_s)
        self._metrics.written_s.set(now().timestamp())
        for table, rows_written in written.items():
            self._metrics.rows.labels(table).inc(rows_written)
        self._newest_s = max([self._newest_s, *(row.values["time_s"] for row in rows if row.table is READINGS)])
        self._metrics.newest_s.set(self._newest_s)

    def _write(self, rows: Sequence[Row]) -> dict[str, int]:
        with self._database.writer.begin() as connection:
            return write(connection, rows)

    async def patiently(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do it in a thread, again and again while the database is away, and say so in `/readyz`.

        What is said holds as long as any of those who work at once waits.
        """
        number = next(self._numbers)
        again = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception(lambda error: why_away(error) is not None),
            wait=tenacity.wait_exponential(multiplier=0.2, max=5),
            before_sleep=partial(self._note_away, number),
            reraise=True,
        )

        async def attempt() -> T:
            slow = asyncio.get_running_loop().call_later(self._slow_s, self._note_slow, number)
            try:
                return await run_in_thread(None, work, *args, **kwargs)
            finally:
                slow.cancel()

        try:
            return await again(attempt)
        finally:
            self._note(number, None)

    def _note(self, number: int, why: str | None) -> None:
        """Take note of what one who works waits for; None: of nothing any more."""
        self._waits.pop(number, None)
        if why is not None:
            self._waits[number] = why
        if self._waits:
            self._health.waiting_for[Reason.DATABASE] = next(reversed(self._waits.values()))
        else:
            self._health.waiting_for.pop(Reason.DATABASE, None)

    def _note_slow(self, number: int) -> None:
        why = (
            f"the database {self._database.place} has not answered for {self._slow_s:g} s: see whether it is "
            "overloaded, locked or cut off; nothing is lost meanwhile"
        )
        self._note(number, why)
        log.warning("the database does not answer", waited_s=self._slow_s)

    def _note_away(self, number: int, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        why = error and why_away(error)
        self._metrics.retries.inc()
        said = (
            f"the database {self._database.place} is away ({why}): start it, or see TETOUAN_DATABASE_URL; nothing is "
            "lost meanwhile"
        )
        self._note(number, said)
        log.warning("the database is away, trying again", error=why, attempt=state.attempt_number)


class Stored:
    """The sender of one partition: rows to the history, dead letters to their topic, then the commit.

    Parameters
    ----------
    plain
        Publishes records, and commits.
    store
        Takes rows.
    letters
        Makes dead letters of the records whose rows the database does not take.
    """

    def __init__(self, plain: Plain, store: Store, letters: DeadLetters) -> None:
        self._plain = plain
        self._store = store
        self._letters = letters
        self._pace = BatchPace(PACE_S)

    async def take_over(self) -> None:
        """Do nothing: who had the partition before can only write what we write, too."""

    async def pace(self, full: asyncio.Event) -> None:
        """Wait where the last transaction was begun just now."""
        await self._pace.wait(full)

    async def send(self, batch: Batch, answers: Sequence[Row | Outgoing]) -> bool:
        """Write the rows, publish the dead letters, and commit; returns whether the offsets are committed."""
        self._pace.begin()
        refused = await self._write([answer for answer in answers if isinstance(answer, Row)])
        return await self._plain.send(batch, [*(one for one in answers if not isinstance(one, Row)), *refused])

    async def _write(self, rows: Sequence[Row]) -> list[Outgoing]:
        """Write rows; return the dead letters of those that the database does not take."""
        try:
            await self._store.write(rows)
        except DBAPIError as error:
            if (why := why_refused(error)) is None:
                raise
            if len(rows) > 1:
                return await self._write_each(rows)
            (row,) = rows
            if row.record is None:
                raise
            return [self._letters.of(row.record, REFUSED, None, f"{row.table.name}: {why}"[:SHOWN])]
        return []

    async def _write_each(self, rows: Sequence[Row]) -> list[Outgoing]:
        """Write the rows of records one by one, and then what the readings that were taken tell of their sites."""
        letters, taken = [], []
        for row in (row for row in rows if row.record is not None):
            refused = await self._write([row])
            letters += refused
            taken += [] if refused else [row]
        await self._store.write(site_rows(taken))
        return letters

    async def stop(self) -> None:
        """Do nothing."""
