"""How fast the gateway answers from a year of one zone: each request by itself, at random times.

``python -m benchmarks.gateway [--data FILE] [--database URL] [--requests N] [--json FILE]`` fits the models of zone 2
on the first month of the year, fills a history with the readings of the year and the forecasts after that month, and
asks a gateway in a process of its own: what is kept, and `/predict` of the registered champion, whose uncorrected value
is compared with that of the model called directly. The history is a SQLite file, unless a database is named, which must
be empty. ``/healthz`` of the same process is the baseline: what any answer takes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import socket
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx
import numpy as np
import uvicorn
from pydantic import SecretStr
from rich.console import Console
from rich.progress import track
from rich.table import Table
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from backtest.run import issued, judged
from harness.brokers import until
from harness.february import champions_of
from services.forecaster.settings import ForecasterSettings
from services.gateway.api.predict import Estimating
from services.gateway.api.routers import FAILURES, rest_routers
from services.gateway.database import Database, url_of
from services.gateway.decoding import row_of, site_rows
from services.gateway.http.application import application
from services.gateway.http.doors import doors_of
from services.gateway.http.key_store import KeyStore
from services.gateway.http.keys import at_once
from services.gateway.http.metrics import HttpMetrics
from services.gateway.queries import History
from services.gateway.registered_metrics import RegisteredMetrics
from services.gateway.settings import GatewaySettings
from services.gateway.weather_models import WeatherModels
from services.gateway.writing import write
from shared.contracts import topics
from shared.contracts.messages import Forecast
from shared.data.year import find_year
from shared.forecasting.weather import COLUMNS
from shared.runtime.asked_registry import AskedRegistry
from shared.runtime.clock import monotonic_s
from shared.runtime.metrics import new_registry
from shared.runtime.registry import Registry
from shared.runtime.settings import load
from shared.sites.table import known_sites
from shared.training.training import ensure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from services.forecaster.issuing import ZoneModels
    from shared.contracts.messages import CleanReading, Message
    from shared.data.year import Year

ZONE, LEARNED = 2, timedelta(days=31)
BATCH = 500
PATIENCE_S = 60.0
API = "/api/v1/sites/tetouan"


@dataclass
class MessageRecord:
    """A message as a record."""

    value: bytes | None
    topic: str
    key: bytes | None
    offset: int
    partition: int = 0
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = -1


@dataclass(frozen=True)
class Latency:
    """How long one kind of request takes, and how long its answer is."""

    request: str
    p50_ms: float
    p95_ms: float
    answer_bytes: int


def _prepared(year: Year, settings: ForecasterSettings) -> tuple[ZoneModels, list[CleanReading]]:
    """Return the models of the zone, registered as champions, and the readings of the year."""
    first, end = (time.to_pydatetime() for time in (year.times.min(), year.times.max()))
    registry = Registry(settings.registry_uri, settings.artifact_root)
    for trained in ensure(year, first + LEARNED, (ZONE,), registry, lambda *_: None).models:
        registry.promote(trained.version)
    (models,) = champions_of(year.site, settings)
    return models, judged(year, first, end)


def _fill(database: Database, messages: Iterator[Message], count: int, console: Console) -> None:
    told = iter(track(messages, "filling", total=count, console=console))
    while batch := list(islice(told, BATCH)):
        rows = []
        for offset, message in enumerate(batch):
            topic = topics.FORECASTS if isinstance(message, Forecast) else topics.CLEAN
            rows.append(row_of(MessageRecord(message.to_bytes(), topic.name, b"tetouan", offset)))
        with database.writer.begin() as connection:
            write(connection, [*rows, *site_rows(rows)])


def _serve(listener: socket.socket, settings: GatewaySettings) -> None:
    """Serve what the gateway serves, but for its consumer."""
    database, metrics = Database(url_of(settings)), HttpMetrics(new_registry())
    history, sites = History(database.reader), known_sites()
    registry = AskedRegistry(settings)
    estimating = Estimating(history, WeatherModels(registry, history.champions), sites)
    routers = rest_routers(history, estimating, RegisteredMetrics(registry.metrics_of))
    api = application(routers, doors_of(settings, KeyStore(database), metrics, at_once), metrics, FAILURES)
    health = Route("/healthz", lambda _: JSONResponse({"live": True}))
    config = uvicorn.Config(Starlette(routes=[health, Mount("/", api)]), log_config=None, access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _gateway(settings: GatewaySettings) -> Iterator[httpx.Client]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = multiprocessing.get_context("spawn").Process(target=_serve, args=(listener, settings), daemon=True)
        server.start()
        try:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with httpx.Client(base_url=address, timeout=PATIENCE_S) as client:
                yield client
        finally:
            server.terminate()
            server.join()


def _timed(client: httpx.Client, request: str, path_of: Callable[[], str], requests: int) -> Latency:
    took_s, answer = [], None
    for _ in range(requests):
        path = path_of()
        begun_s = monotonic_s()
        answer = client.get(path)
        took_s.append(monotonic_s() - begun_s)
        answer.raise_for_status()
    p50_ms, p95_ms = (1000 * np.quantile(took_s, (0.5, 0.95))).tolist()
    return Latency(request, p50_ms, p95_ms, 0 if answer is None else len(answer.content))


def _asked(client: httpx.Client, readings: Sequence[CleanReading], requests: int) -> list[Latency]:
    """Time each kind of request."""
    drawn = random.Random(1)  # noqa: S311 - times to ask for, no secret
    later = readings[len(readings) // 3 :]

    def some() -> datetime:
        return drawn.choice(later).time

    def told(time: datetime) -> str:
        return quote(time.isoformat())

    kinds: dict[str, Callable[[], str]] = {
        "nothing (/healthz)": lambda: "/healthz",
        "latest forecast": lambda: f"{API}/zones/{ZONE}/forecasts/latest",
        "forecast of an origin": lambda: f"{API}/zones/{ZONE}/forecasts/{told(some())}",
        "a day of readings": lambda: f"{API}/readings?from={told(day := some())}&until={told(day + timedelta(days=1))}",
        "a time's forecasts": lambda: f"{API}/zones/{ZONE}/targets/{told(some())}",
        "24 forecasts of a range": lambda: f"{API}/zones/{ZONE}/forecasts?from={told(some())}",
    }
    return [_timed(client, kind, path_of, requests) for kind, path_of in kinds.items()]


def _predicted(
    client: httpx.Client, models: ZoneModels, readings: Sequence[CleanReading], requests: int
) -> tuple[Latency, float]:
    """Time `/predict`; returns with it how far its uncorrected value is off the model called directly, at most."""
    drawn = random.Random(2)  # noqa: S311 - as above
    took_s, off_kw = [], 0.0
    assert models.weather is not None  # noqa: S101 - the built-in site has weather; this tells the type checker
    known = [reading for reading in readings if all(reading.values[field] is not None for field in COLUMNS)]
    for _ in range(requests):
        reading = drawn.choice(known)
        weather = [float(reading.values[field] or 0.0) for field in COLUMNS]
        names = ("Temperature", "Humidity", "WindSpeed", "GeneralDiffuseFlows", "DiffuseFlows")
        body = {"Timestamp": f"{reading.time:%Y-%m-%d %H:%M:%S}", **dict(zip(names, weather, strict=True))}
        begun_s = monotonic_s()
        answer = client.post("/predict", json=body)
        took_s.append(monotonic_s() - begun_s)
        answer.raise_for_status()
        step = int(reading.time.timestamp()) // 600
        direct_kw = float(models.weather.predict(np.array([step]), np.array([weather]))[0])
        off_kw = max(off_kw, abs(answer.json()["uncorrected_kw"] - direct_kw))
    p50_ms, p95_ms = (1000 * np.quantile(took_s, (0.5, 0.95))).tolist()
    return Latency("/predict", p50_ms, p95_ms, len(answer.content)), off_kw


def measure(year: Year, address: str | None, requests: int, console: Console) -> tuple[list[Latency], float, str]:
    """Return the latencies, how far `/predict` is off the model, and the kind of database."""
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        named = {} if address is None else {"database_url": SecretStr(address)}
        settings = load(GatewaySettings, state_dir=state, http_requests_per_minute=0, **named)
        console.print("fitting the models on the first month")
        models, readings = _prepared(year, load(ForecasterSettings, state_dir=state))
        database = Database(url_of(settings))
        database.migrate()
        _fill(database, iter(readings), len(readings), console)
        as_of = models.as_of
        answered = [reading for reading in readings if as_of is None or reading.time > as_of]
        _fill(database, issued(year, models, answered), len(answered), console)
        database.close()
        with _gateway(settings) as client:
            until(lambda: client.get("/healthz").is_success, "the gateway to answer", PATIENCE_S)
            for path in (f"{API}/zones/{ZONE}/forecasts/latest", "/openapi.json"):
                client.get(path).raise_for_status()
            latencies = _asked(client, answered, requests)
            _predicted(client, models, readings, 1)  # the model is fetched
            predicted, off_kw = _predicted(client, models, readings, requests)
        return [*latencies, predicted], off_kw, "SQLite" if database.is_sqlite else "PostgreSQL"


def main() -> None:
    """Print the table, and write the JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="synthetic", help="the year: a file, or synthetic")
    parser.add_argument("--requests", type=int, default=500, help="of each kind")
    parser.add_argument("--database", help="an empty database, postgresql://user:password@host/database")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        year = find_year(arguments.data, Path(folder))
    latencies, off_kw, kind = measure(year, arguments.database, arguments.requests, console)
    table = Table(title=f"{year.label}, {kind}")
    for heading in ("request", "p50 ms", "p95 ms", "bytes unpacked"):
        table.add_column(heading, justify="left" if heading == "request" else "right")
    for each in latencies:
        table.add_row(each.request, f"{each.p50_ms:.1f}", f"{each.p95_ms:.1f}", f"{each.answer_bytes:,}")
    console.print(table)
    console.print(f"uncorrected_kw is at most {off_kw:.3f} kW off the model called directly")
    if arguments.json:
        figures = {"database": kind, "off_kw": off_kw, "latencies": [vars(each) for each in latencies]}
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
