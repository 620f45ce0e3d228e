"""What the history outlives: ``python -m tests.integration.gateways`` kills gateways while days stream.

The records of two sites are made by the services' pure cores. Every day of them is sent twice to Apache Kafka while one
or two gateways run, which are killed at random moments, or whose database is away for a while. In the end the tables
must be those that one undisturbed core has written of the records, sent once. Kafka is a container where a Docker
engine answers, else the one in TETOUAN_TEST_KAFKA; PostgreSQL likewise, or that in TETOUAN_TEST_POSTGRES, else it is
left out. 30 days with 20 kills take some minutes a scenario.
"""

from __future__ import annotations

import json
import random
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

from confluent_kafka import Producer
from rich.console import Console
from rich.table import Table
from sqlalchemy import URL, create_engine, select, text

from harness.brokers import PATIENCE_S, Broker, free_port, service, until
from harness.postgresql import PostgreSQLMissingError, postgresql
from harness.said import PublishedRecord, said
from replay.backlog import Backlog
from services.gateway.app import HistoryCore
from services.gateway.database import Database
from services.gateway.tables import METADATA
from services.gateway.writing import Row, write
from shared.contracts import topics
from shared.contracts.messages import DeadLetter
from shared.data.year import find_year
from shared.runtime.administration import ensure_topics
from shared.runtime.clock import monotonic_s
from shared.runtime.letters import DeadLetters
from shared.runtime.metrics import new_registry
from tests.integration.lab import at_kafka, parser_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from harness.brokers import ServiceProcess
    from harness.postgresql import PostgreSQL

__all__ = ["Days", "Gateways", "Rows", "differences", "rows_of", "undisturbed"]

ZONE = 2
SITES = {"tetouan": 0, "north": 3}
"""The partition of each site: two gateways have one each."""
START = datetime(2018, 1, 1, tzinfo=UTC)
OWN = {"topic_offset", "sent_ms", "received_s"}
"""Columns that say when and where a message was sent, which is another time and place in every run."""

Days = list[list[PublishedRecord]]
Rows = dict[str, list[dict[str, Any]]]


def days_of(days: int, folder: Path) -> Days:
    """Return what is said of the first days of the synthetic year, for each day the records of all sites."""
    year = find_year("synthetic", folder)
    start = year.times.min().to_pydatetime()
    made = list(said(year, ZONE, start, start + timedelta(days=days), folder))
    return [_with_others(records, day) for day, records in enumerate(made)]


def _with_others(records: Sequence[PublishedRecord], day: int) -> list[PublishedRecord]:
    """Return the records of a day of all sites, with an amendment and a dead letter of each."""
    told = [*records, *_amended(records), _letter(day)]
    return [_of_site(record, site) for site in SITES for record in told]


def _amended(records: Sequence[PublishedRecord]) -> list[PublishedRecord]:
    """Return the first reading of a day once more, corrected."""
    first = next(record for record in records if record.topic == topics.CLEAN.name)
    reading = json.loads(first.value or b"")
    value = json.dumps({**reading, "revision": 1, "values": dict.fromkeys(reading["values"], 1.0), "flags": {}})
    return [PublishedRecord(first.topic, value.encode(), first.key, 0)]


def _letter(day: int) -> PublishedRecord:
    letter = DeadLetter(
        reason="not_json", topic="readings.raw.v1", partition=0, offset=day, received=START + timedelta(days=day)
    )
    return PublishedRecord(topics.REJECTED.name, b"odd", None, day, headers=letter.to_headers())


def _of_site(record: PublishedRecord, site: str) -> PublishedRecord:
    """Return the record as one of another site, on a partition of its own."""
    partition, other = SITES[site], site.encode()
    headers = [(key, str(partition).encode() if key == "partition" else value) for key, value in record.headers]
    return PublishedRecord(
        record.topic,
        (record.value or b"").replace(b"tetouan", other),
        other,
        record.offset,
        partition=partition,
        headers=headers,
    )


def undisturbed(days: Days, folder: Path) -> Rows:
    """Return the rows of the records, each written once by one core."""
    database = Database(URL.create("sqlite", database=str(folder / "undisturbed.db")))
    database.migrate()
    core = HistoryCore(DeadLetters(new_registry()))
    for day in days:
        with database.writer.begin() as connection:
            write(connection, [row for row in core.handle(day) if isinstance(row, Row)])
    return rows_of(database)


def rows_of(database: Database) -> Rows:
    """Return all rows of a history, in the order of their keys, and close it."""
    found: Rows = {}
    with database.reader.connect() as connection:
        for table in METADATA.sorted_tables:
            rows = [dict(row) for row in connection.execute(select(table)).mappings()]
            keys = [column.name for column in table.primary_key]
            ordered = sorted(rows, key=lambda row: [str(row[key]) for key in keys])
            found[table.name] = [{name: row[name] for name in row if name not in OWN} for row in ordered]
    database.close()
    return found


def differences(found: Rows, expected: Rows) -> dict[str, int]:
    """Return, by table, how many rows are in one of the two only."""
    unlike = {}
    for table, rows in expected.items():
        one, other = ({repr(row) for row in each} for each in (rows, found[table]))
        if count := len(one ^ other) + abs(len(rows) - len(found[table])):
            unlike[table] = count
    return unlike


class Gateways:
    """Gateways on one broker and one database, each of which can be killed and started again.

    Parameters
    ----------
    broker, url, folder
        What they read, where they write, and where their logs are.
    count
        How many.
    """

    def __init__(self, broker: Broker, url: URL, folder: Path, count: int = 1) -> None:
        self.broker = broker
        self.url = url
        self.running: dict[str, ServiceProcess] = {}
        self._folder = folder
        self._stacks = {f"gateway-{n}": ExitStack() for n in range(count)}
        self._backlog = Backlog(broker.access, ["gateway"], broker.prefix)

    def __enter__(self) -> Self:
        for name in self._stacks:
            self.start(name)
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as all_of_them:
            for stack in self._stacks.values():
                all_of_them.enter_context(stack)
        self._backlog.__exit__()

    def start(self, name: str) -> None:
        """Start one, and do not wait until it is ready."""
        settings = {
            "TETOUAN_STATE_DIR": str(self._folder),
            "TETOUAN_GROUP_INSTANCE_ID": name,  # who was killed is not waited for when it comes back
            "TETOUAN_DATABASE_URL": self.url.set(drivername=self.url.get_backend_name()).render_as_string(
                hide_password=False
            ),
        }
        (self._folder / name).mkdir(exist_ok=True)
        running = service(
            "gateway", self.broker, self._folder / name, free_port(), ready=False, module="services.gateway", **settings
        )
        self.running[name] = self._stacks[name].enter_context(running)

    def kill(self, name: str) -> None:
        """Kill one without a warning, and start it again."""
        self.running[name].process.kill()
        self._stacks[name].close()
        self.start(name)

    def send(self, records: Sequence[PublishedRecord]) -> None:
        """Publish records on their partitions, and wait until they are confirmed."""
        producer = Producer(self.broker.access.confluent({"linger.ms": 5}))
        for record in records:
            name = self.broker.prefix + record.topic
            headers: list[tuple[str, str | bytes | None]] = list(record.headers)
            producer.produce(name, record.value, key=record.key, partition=record.partition, headers=headers)
            producer.poll(0)
        assert producer.flush(PATIENCE_S) == 0

    def behind(self) -> int:
        """Return how many records are not committed."""
        return sum(lag.records for lag in self._backlog.lags())

    def settle(self) -> Rows:
        """Wait until all is written and committed; returns the rows."""
        until(lambda: self.behind() == 0, "the gateways to write all that there is")
        return rows_of(Database(self.url))


def killed_at_random(gateways: Gateways, days: Days, kills: int, seed: int = 1) -> int:
    """Send every day twice, and kill gateways in between and meanwhile; returns how many records were not written."""
    drawn, left = random.Random(seed), 0  # noqa: S311 - moments of faults, no secret
    struck = sorted(drawn.choices(range(len(days)), k=kills))
    for number, day in enumerate(days):
        gateways.send([*day, *day])
        for _ in range(struck.count(number)):
            enough = drawn.randrange(0, 2 * len(day))
            until(lambda: gateways.behind() <= enough, "some of the day to be written")  # noqa: B023 - used at once
            left += gateways.behind()
            gateways.kill(drawn.choice(list(gateways.running)))
    return left


def with_database_away(gateways: Gateways, days: Days, server: PostgreSQL) -> int:
    """Send every day twice; the database is away from a third of the days to two thirds; returns what waited then."""
    third = len(days) // 3
    for day in days[:third]:
        gateways.send([*day, *day])
    until(lambda: gateways.behind() == 0, "the gateways to begin")
    with _away(gateways.url, server):
        for day in days[third : 2 * third]:
            gateways.send([*day, *day])
        until(
            lambda: all("is away" in (one.waiting_for("database") or "") for one in gateways.running.values()),
            "the gateways to say that the database is away",
        )
        assert all(one.live() for one in gateways.running.values()), "a gateway that waits is taken for dead"
        waited = gateways.behind()
    for day in days[2 * third :]:
        gateways.send([*day, *day])
    return waited


@contextmanager
def _away(url: URL, server: PostgreSQL) -> Iterator[None]:
    """Let nobody connect to a database, and end all connections, until the block ends."""
    engine = create_engine(server.url, isolation_level="AUTOCOMMIT")

    def run(statement: str) -> None:
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)

    run(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS false")
    with engine.connect() as connection:
        ours = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"
        connection.execute(text(ours), {"name": url.database})
    try:
        yield
    finally:
        run(f"ALTER DATABASE {url.database} ALLOW_CONNECTIONS true")
        engine.dispose()


@dataclass(frozen=True)
class Result:
    """How a scenario ended."""

    scenario: str
    records: int
    unwritten_at_faults: int
    rows: int
    unlike: dict[str, int]
    seconds: float


def main() -> int:
    """Run all scenarios; 1 where a table differs."""
    parser = parser_of(__doc__, sites=len(SITES), replicas=2, days=30)
    parser.add_argument("--kills", type=int, default=20, help="how often a gateway is killed")
    given, console = parser.parse_args(), Console()
    results = []
    with at_kafka() as (bootstrap, folder), ExitStack() as stack:
        days = days_of(given.days, folder)
        expected = undisturbed(days, folder)
        for scenario, run in _scenarios(stack, folder, days, given.kills, given.replicas, console).items():
            broker = Broker("kafka", bootstrap, f"gateways-{uuid4().hex[:8]}.")
            ensure_topics(broker.access, broker.prefix)
            begun_s = monotonic_s()
            unwritten, found = run(broker)
            result = Result(
                scenario,
                2 * sum(map(len, days)),
                unwritten,
                sum(map(len, found.values())),
                differences(found, expected),
                round(monotonic_s() - begun_s, 1),
            )
            results.append(result)
            console.print(result)
    _show(results, console)
    if given.json:
        given.json.write_text(json.dumps([asdict(each) for each in results], indent=1) + "\n", encoding="utf-8")
    return any(each.unlike for each in results)


def _scenarios(
    stack: ExitStack, folder: Path, days: Days, kills: int, replicas: int, console: Console
) -> dict[str, Callable[[Broker], tuple[int, Rows]]]:
    def killed(url: URL, count: int) -> Callable[[Broker], tuple[int, Rows]]:
        def run(broker: Broker) -> tuple[int, Rows]:
            with Gateways(broker, url, folder, count) as gateways:
                return killed_at_random(gateways, days, kills), gateways.settle()

        return run

    def sqlite(name: str) -> URL:
        return URL.create("sqlite", database=str(folder / f"{name}.db"))

    found = {
        f"one gateway killed {kills} times, SQLite": killed(sqlite("one"), 1),
        f"{replicas} gateways killed {kills} times, SQLite": killed(sqlite("several"), replicas),
    }
    try:
        server = stack.enter_context(postgresql())
    except PostgreSQLMissingError as error:
        console.print(f"without PostgreSQL: {error}", markup=False)
        return found
    urls: Iterator[URL] = (stack.enter_context(server.database()) for _ in range(3))
    found[f"one gateway killed {kills} times, PostgreSQL"] = killed(next(urls), 1)
    found[f"{replicas} gateways killed {kills} times, PostgreSQL"] = killed(next(urls), replicas)
    last = next(urls)

    def without_database(broker: Broker) -> tuple[int, Rows]:
        with Gateways(broker, last, folder, replicas) as gateways:
            return with_database_away(gateways, days, server), gateways.settle()

    found[f"{replicas} gateways whose PostgreSQL is away for a third of the days"] = without_database
    return found


def _show(results: Sequence[Result], console: Console) -> None:
    table = Table("scenario", "records", "unwritten at faults", "rows", "unlike", "seconds")
    for each in results:
        table.add_row(*(str(value) for value in asdict(each).values()))
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
