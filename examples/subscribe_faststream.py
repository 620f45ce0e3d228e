# /// script
# requires-python = ">=3.11"
# dependencies = ["faststream[kafka]>=0.7.8,<0.8"]
# ///
"""Subscribe to the forecasts with FastStream: one line a forecast. docs/schemas says what a message holds.

It keeps no place of its own on the broker: without a `group_id` it reads every partition and commits nothing, from now
on or from the oldest forecast kept. Delivery is at least once, so a forecast that is not later than the last one of its
zone has been seen already. A system that has to go on where it ended gives a `group_id` and awaits `message.ack()` once
a forecast is safely stored; it tries that again until it succeeds, as the next `ack` would pass over what has failed.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import ssl
import sys
from datetime import datetime, timedelta
from pathlib import Path

from aiokafka.errors import KafkaError
from faststream import AckPolicy, ExceptionMiddleware, FastStream
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512
from pydantic import BaseModel, ValidationError

ANSWER_S = 10.0
LEADS_MINUTES = (10, 60, 1440)  # or the next that the step of the site allows


class Interval(BaseModel):
    """A prediction interval: the demand lies within it with the probability ``coverage``."""

    coverage: float
    low_kw: list[float]
    high_kw: list[float]


class LevelSpan(BaseModel):
    """Who answered some of the leads."""

    level: str


class Forecast(BaseModel):
    """What this client reads of a forecast; fields that it does not know are ignored."""

    site: str
    zone: int
    origin: datetime
    step_minutes: int
    median_kw: list[float]
    intervals: list[Interval]
    levels: list[LevelSpan]

    def line(self) -> str:
        """Return origin, zone, the demand ahead by the clock with its 90 % interval, and who answered."""
        interval = next((interval for interval in self.intervals if interval.coverage == 0.9), None)
        words = [f"{self.origin:%Y-%m-%d %H:%M}Z", f"{self.site} zone {self.zone}"]
        step = timedelta(minutes=self.step_minutes)
        for lead in dict.fromkeys(-(-timedelta(minutes=minutes) // step) for minutes in LEADS_MINUTES):
            if lead <= len(self.median_kw):
                at = lead - 1  # the first number is one step after the origin
                bounds = f" [{interval.low_kw[at]:,.10g}..{interval.high_kw[at]:,.10g}]" if interval else ""
                words.append(f"{self.origin + lead * step:%d %H:%M} {self.median_kw[at]:,.10g} kW{bounds}")
        return "  ".join([*words, "/".join(dict.fromkeys(span.level for span in self.levels))])


def main() -> int:
    """Print forecasts until there are enough of them, or until Ctrl-C; returns the exit code."""
    options = parse_arguments()
    # aiokafka mends the connection by itself, and until then says so a hundred times a second
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        asyncio.run(run(subscription(options)))
    except KafkaError as error:
        print(
            f"{options.bootstrap}: {error}: check TETOUAN_KAFKA_..., run `docker compose up`, or give --bootstrap",
            file=sys.stderr,
        )
        return 2
    return 0


async def run(app: FastStream) -> None:
    """Run the application, and close what a failed start has left open."""
    try:
        await app.run()
    except KafkaError:
        await app.stop()
        raise


def subscription(options: argparse.Namespace) -> FastStream:
    """Return the application; the key is the site, so that forecasts of a zone come in the order of their origins."""
    broker = KafkaBroker(
        options.bootstrap,
        consumer_only=True,  # neither makes topics nor opens a producer
        request_timeout_ms=int(1000 * ANSWER_S),
        middlewares=[ExceptionMiddleware({ValidationError: pass_over})],
        security=security(),
        logger=None,
    )
    app = FastStream(broker, logger=None)
    last: dict[tuple[str, int], datetime] = {}
    printed = 0

    @broker.subscriber(
        options.topic,
        auto_offset_reset="earliest" if options.from_start else "latest",
        ack_policy=AckPolicy.MANUAL,
        isolation_level="read_committed",  # the default also yields forecasts of transactions that were aborted
    )
    async def show(forecast: Forecast) -> None:
        nonlocal printed
        zone = forecast.site, forecast.zone
        if (zone in last and forecast.origin <= last[zone]) or printed == options.count:
            return
        last[zone] = forecast.origin
        try:
            print(forecast.line(), flush=True)
        except BrokenPipeError:  # whoever reads our lines has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            printed = options.count or 0
            app.exit()
            return
        printed += 1
        if printed == options.count:
            app.exit()

    @app.after_startup
    async def say() -> None:
        print(f"listening to {options.topic} at {options.bootstrap}; Ctrl-C ends", file=sys.stderr)

    return app


def security() -> BaseSecurity | None:
    """Return what the broker asks for, from the variables that the services read, too."""
    ours = "TETOUAN_KAFKA_"
    given = {name.removeprefix(ours): value for name, value in os.environ.items() if name.startswith(ours) and value}
    protocol, tls = given.get("SECURITY", "PLAINTEXT"), None
    if protocol.endswith("SSL"):
        tls = ssl.create_default_context(cafile=given.get("CA"))
        if "CERTIFICATE" in given:
            tls.load_cert_chain(given["CERTIFICATE"], given.get("KEY"), given.get("KEY_PASSWORD"))
    if protocol.startswith("SASL"):
        mechanisms = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
        file = given.get("PASSWORD_FILE")
        password = Path(file).read_text(encoding="utf-8").rstrip("\r\n") if file else given["PASSWORD"]
        return mechanisms[given["SASL_MECHANISM"]](
            given["USERNAME"], password, ssl_context=tls, use_ssl=tls is not None
        )
    return BaseSecurity(ssl_context=tls, use_ssl=True) if tls else None


def pass_over(error: ValidationError) -> None:
    """Say so where a record is no forecast, and go on with the next one."""
    first = error.errors()[0]
    print(f"no forecast: {first['msg']} at {first['loc']}: {first['input']!r}", file=sys.stderr)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Print one line a forecast.")
    bootstrap = os.environ.get("TETOUAN_KAFKA_BOOTSTRAP") or "127.0.0.1:9092"
    parser.add_argument("--bootstrap", default=bootstrap, help="address of the Kafka broker (%(default)s)")
    parser.add_argument("--topic", default="forecasts.v1", help="topic of the forecasts (%(default)s)")
    parser.add_argument("--count", type=int, help="end after so many forecasts")
    parser.add_argument("--from-start", action="store_true", help="begin with the oldest forecast kept")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
