"""What the estimates were off of late: a zone does not wait for another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

from sqlalchemy import URL

from services.gateway.database import Database
from services.gateway.queries import Estimates, History
from services.gateway.recent import RecentErrors
from tests.unit.gateway import told

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

PATIENCE_S = 30.0


class Slow(History):
    """A history in which zone 1 takes as long as somebody wants."""

    def __init__(self, database: Database) -> None:
        super().__init__(database.reader)
        self.begun, self.goes_on, self.read = Event(), Event(), 0

    def estimates(self, site: str, zone: int, after: datetime) -> Estimates:
        """Return them."""
        self.read += 1
        if zone == 1:
            self.begun.set()
            assert self.goes_on.wait(PATIENCE_S)
        return super().estimates(site, zone, after)


def test_a_zone_does_not_wait_for_another(tmp_path: Path) -> None:
    """It is answered while another is read, which is read once for all who ask for it."""
    database = Database(URL.create("sqlite", database=str(tmp_path / "history.db")))
    database.migrate()
    told.tell(database, [told.forecast(0, zone=zone) for zone in (1, 2)])
    history = Slow(database)
    recent = RecentErrors(history)
    with ThreadPoolExecutor(3) as threads:
        try:
            slow = [threads.submit(recent.of, told.SITE, 1, 10) for _ in range(2)]
            assert history.begun.wait(PATIENCE_S)
            assert threads.submit(recent.of, told.SITE, 2, 10).result(PATIENCE_S).last == told.START
        finally:
            history.goes_on.set()
        assert [one.result(PATIENCE_S).last for one in slow] == [told.START] * 2
    assert history.read == 2
    database.close()
