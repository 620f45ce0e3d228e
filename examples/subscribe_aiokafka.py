# /// script
# requires-python = ">=3.11"
# dependencies = ["aiokafka>=0.12,<0.15", "cramjam>=2.9,<3"]  # the second for compressed records
# ///
"""Subscribe to the forecasts with aiokafka alone: one line a forecast. docs/schemas says what a message holds.

It keeps no place of its own on the broker: it joins no consumer group and reads every partition, from now on or from
the oldest forecast kept. Delivery is at least once, so a forecast that is not later than the last one of its zone has
been seen already. A system that has to go on where it ended gives a `group_id` and the topic to the consumer, and
commits once a forecast is safely stored.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import ssl
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

ANSWER_S = 10.0  # then nobody is there
LEADS_MINUTES = (10, 60, 1440)  # or the next that the step of the site allows


class MissingTopicError(Exception):
    """The topic is not on the broker."""


def main() -> int:
    """Print forecasts until there are enough of them, or until Ctrl-C; returns the exit code."""
    options = parse_arguments()
    # the client mends the connection by itself, and until then says so a hundred times a second
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        asyncio.run(run(options))
    except MissingTopicError:
        print(f"{options.topic} is not on {options.bootstrap}: give --topic, with your prefix", file=sys.stderr)
        return 2
    except KafkaError as error:
        print(
            f"{options.bootstrap}: {error}: check TETOUAN_KAFKA_..., run `docker compose up`, or give --bootstrap",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:  # whoever reads our lines has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


async def run(options: argparse.Namespace) -> None:
    """Read the topic; raises ``KafkaError`` where no broker answers, ``MissingTopicError`` without the topic."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=options.bootstrap,
        group_id=None,
        auto_offset_reset="earliest" if options.from_start else "latest",
        isolation_level="read_committed",  # the default also yields forecasts of transactions that were aborted
        request_timeout_ms=int(1000 * ANSWER_S),
        **access(),
    )
    try:
        await consumer.start()
        await subscribe(consumer, options.topic)
        print(f"listening to {options.topic} at {options.bootstrap}; Ctrl-C ends", file=sys.stderr)
        await print_forecasts(consumer, options.count)
    finally:
        await consumer.stop()


async def subscribe(consumer: AIOKafkaConsumer, topic: str) -> None:
    """Read all partitions of the topic, also those that are added; returns once it is known from where on."""
    if topic not in await consumer.topics():  # a broker may make a topic that somebody subscribes to
        raise MissingTopicError
    consumer.subscribe([topic])
    while not consumer.assignment():  # noqa: ASYNC110 - the client has no event for it, and has just heard of the topic
        await asyncio.sleep(0.05)
    for partition in consumer.assignment():
        await consumer.position(partition)


async def print_forecasts(consumer: AIOKafkaConsumer, count: int | None) -> None:
    """Print each forecast once; the key is the site, so that those of a zone come in the order of their origins."""
    last: dict[tuple[str, int], datetime] = {}
    printed = 0
    while count is None or printed < count:
        message = await consumer.getone()
        try:
            forecast = json.loads(message.value or b"")
            zone, origin = (forecast["site"], forecast["zone"]), datetime.fromisoformat(forecast["origin"])
            shown = line(forecast, origin)
        except (LookupError, TypeError, ValueError) as error:
            print(f"no forecast at {message.partition}@{message.offset}: {error!r}", file=sys.stderr)
            continue
        if zone not in last or origin > last[zone]:
            last[zone] = origin
            print(shown, flush=True)
            printed += 1


def line(forecast: dict[str, Any], origin: datetime) -> str:
    """Return origin, zone, the demand ahead by the clock with its 90 % interval, and who answered."""
    interval = next((interval for interval in forecast["intervals"] if interval["coverage"] == 0.9), None)
    words = [f"{origin:%Y-%m-%d %H:%M}Z", f"{forecast['site']} zone {forecast['zone']}"]
    step = timedelta(minutes=forecast["step_minutes"])
    for lead in dict.fromkeys(-(-timedelta(minutes=minutes) // step) for minutes in LEADS_MINUTES):
        if lead <= len(forecast["median_kw"]):
            at = lead - 1  # the first number is one step after the origin
            bounds = f" [{interval['low_kw'][at]:,.10g}..{interval['high_kw'][at]:,.10g}]" if interval else ""
            words.append(f"{origin + lead * step:%d %H:%M} {forecast['median_kw'][at]:,.10g} kW{bounds}")
    return "  ".join([*words, "/".join(dict.fromkeys(span["level"] for span in forecast["levels"]))])


def access() -> dict[str, Any]:
    """Return what the broker asks for, from the variables that the services read, too."""
    ours = "TETOUAN_KAFKA_"
    given = {name.removeprefix(ours): value for name, value in os.environ.items() if name.startswith(ours) and value}
    found: dict[str, Any] = {"security_protocol": given.get("SECURITY", "PLAINTEXT")}
    if found["security_protocol"].endswith("SSL"):
        found["ssl_context"] = tls = ssl.create_default_context(cafile=given.get("CA"))
        if "CERTIFICATE" in given:
            tls.load_cert_chain(given["CERTIFICATE"], given.get("KEY"), given.get("KEY_PASSWORD"))
    if found["security_protocol"].startswith("SASL"):
        file = given.get("PASSWORD_FILE")
        found["sasl_mechanism"] = given["SASL_MECHANISM"]
        found["sasl_plain_username"] = given["USERNAME"]
        found["sasl_plain_password"] = (
            Path(file).read_text(encoding="utf-8").rstrip("\r\n") if file else given["PASSWORD"]
        )
    return found


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
