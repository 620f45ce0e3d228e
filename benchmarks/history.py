"""What a year of one zone takes in the history: bytes on disk, and rows a CPU second, on SQLite and on PostgreSQL.

``python -m benchmarks.history [--data FILE] [--days N] [--json FILE]`` makes the records with the services' pure cores,
a day at a time, and lets both databases take them, one after the other, in transactions of a gateway's batches. SQLite
is a file in a folder that goes away; PostgreSQL is a container where a Docker engine answers, else the server in
TETOUAN_TEST_POSTGRES, else left out. The CPU of PostgreSQL's own process is counted beside ours where it runs here. At
the end the lead groups of all forecasts but those of the last 90 days are kept, and the file is measured once more.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from rich.console import Console
from rich.progress import track
from rich.table import Table
from sqlalchemy import URL

from harness.postgresql import PostgreSQLMissingError, postgresql
from harness.said import said
from services.gateway.app import HistoryCore
from services.gateway.database import Database
from services.gateway.retention import thin
from services.gateway.writing import Row, write
from shared.data.year import find_year
from shared.runtime.clock import now, process_cpu_s
from shared.runtime.letters import DeadLetters
from shared.runtime.metrics import new_registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.said import PublishedRecord

ZONE = 2
BATCH = 200
KEPT_DAYS = 90


@dataclass
class Taken:
    """A database and what it has taken."""

    database: Database
    cpu_s: float = 0.0
    server_cpu_s: float = 0.0
    rows: Counter[str] = field(default_factory=Counter)

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows in one transaction."""
        begun_s = process_cpu_s()
        with self.database.writer.begin() as connection:
            self.rows.update(write(connection, rows))
        self.cpu_s += process_cpu_s() - begun_s

    def note_server(self) -> None:
        """Note the CPU seconds of the server's process, where it can be seen."""
        if self.database.is_sqlite:
            return
        with self.database.writer.begin() as connection:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.Error:
            return
        self.server_cpu_s = times.user + times.system

    @property
    def size_mb(self) -> float:
        """What it takes on the disk."""
        if self.database.is_sqlite:
            with self.database.writer.connect() as connection:
                connection.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return Path(self.database.url.database or "").stat().st_size / 1e6
        with self.database.writer.begin() as connection:
            return float(connection.exec_driver_sql("SELECT pg_database_size(current_database())").scalar_one()) / 1e6

    def figures(self) -> dict[str, Any]:
        """Return what is to be told."""
        count = sum(self.rows.values())
        return {
            "size_mb": round(self.size_mb, 1),
            "rows_per_cpu_second": round(count / self.cpu_s),
            "rows_per_cpu_second_with_server": round(count / (self.cpu_s + self.server_cpu_s)),
        }


def _measured(
    records: Iterable[list[PublishedRecord]], days: int, databases: dict[str, Taken], console: Console
) -> dict[str, Any]:
    """Let the databases take the records; returns all figures."""
    core, decoded_s, count = HistoryCore(DeadLetters(new_registry())), 0.0, 0
    for told in track(records, "writing", total=days, console=console):
        for first in range(0, len(told), BATCH):
            batch: Sequence[PublishedRecord] = told[first : first + BATCH]
            begun_s = process_cpu_s()
            rows = [answer for answer in core.handle(batch) if isinstance(answer, Row)]
            decoded_s, count = decoded_s + process_cpu_s() - begun_s, count + len(batch)
            for taken in databases.values():
                taken.write(rows)
    for taken in databases.values():
        taken.note_server()
    figures = {name: taken.figures() for name, taken in databases.items()}
    return {
        "records": count,
        "rows": dict(databases["sqlite"].rows),
        "decoding_us_per_record": round(1e6 * decoded_s / count, 1),
        **figures,
        "thinned": _thinned(databases["sqlite"]),
    }


def _thinned(taken: Taken) -> dict[str, float]:
    """Keep the lead groups of what is old; returns how many forecasts that were, and what it took."""
    begun_s, count, done = process_cpu_s(), 0, 1
    while done:
        with taken.database.writer.begin() as connection:
            done = thin(connection, KEPT_DAYS, BATCH, now())
        count += done
    spent_s = process_cpu_s() - begun_s
    with taken.database.writer.connect() as connection:
        connection.connection.execute("VACUUM")
    return {
        "forecasts": count,
        "size_mb": round(taken.size_mb, 1),
        "us_per_forecast": round(1e6 * spent_s / count, 1) if count else 0.0,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("TETOUAN_DATA", "synthetic"))
    parser.add_argument("--days", type=int, default=366, help="days of the year, from its first on")
    parser.add_argument("--json", type=Path)
    given, console = parser.parse_args(), Console()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        databases = {"sqlite": Taken(Database(URL.create("sqlite", database=str(folder / "history.db"))))}
        try:
            server = stack.enter_context(postgresql())
            databases["postgresql"] = Taken(Database(stack.enter_context(server.database())))
        except PostgreSQLMissingError as error:
            console.print(f"without PostgreSQL: {error}", markup=False)
        for taken in databases.values():
            taken.database.migrate()
            stack.callback(taken.database.close)
        year = find_year(given.data, folder)
        first, last = (time.to_pydatetime() for time in (year.times.min(), year.times.max()))
        until = min(last + timedelta(days=1), first + timedelta(days=given.days))
        records = said(year, ZONE, first, until, folder)
        result = {"data": year.label, **_measured(records, (until - first).days, databases, console)}
    show(result, console)
    if given.json:
        given.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def show(result: dict[str, Any], console: Console) -> None:
    """Print the figures."""
    table = Table(
        "database", "MB", "rows a CPU second", "with the server's CPU", title=f"{result['data']}, zone {ZONE}"
    )
    for name in ("sqlite", "postgresql"):
        if name in result:
            table.add_row(name, *(f"{value:,}" for value in result[name].values()))
    console.print(table)
    rows = ", ".join(f"{name} {count:,}" for name, count in result["rows"].items())
    thinned = result["thinned"]
    console.print(f"rows: {rows}; reading a record takes {result['decoding_us_per_record']} us of CPU")
    console.print(
        f"{thinned['forecasts']:,} forecasts thinned, {thinned['us_per_forecast']} us each: SQLite takes "
        f"{thinned['size_mb']} MB then"
    )


if __name__ == "__main__":
    main()
