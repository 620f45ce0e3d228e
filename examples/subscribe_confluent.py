# /// script
# requires-python = ">=3.11"
# dependencies = ["confluent-kafka>=2.16,<3"]
# ///
"""Subscribe to the forecasts with confluent-kafka alone: one line a forecast. docs/schemas says what a message holds.

It keeps no place of its own on the broker: it joins no consumer group and reads every partition, from now on or from
the oldest forecast kept. Delivery is at least once, so a forecast that is not later than the last one of its zone has
been seen already. A system that has to go on where it ended joins a group (`subscribe` instead of `assign`) and commits
once a forecast is safely stored.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition

ANSWER_S = 10  # then nobody is there
LEADS_MINUTES = (10, 60, 1440)  # or the next that the step of the site allows


def main() -> int:
    """Print forecasts until there are enough of them, or until Ctrl-C; returns the exit code."""
    options = parse_arguments()
    said: list[str] = []
    consumer = Consumer(
        {
            "bootstrap.servers": options.bootstrap,
            "group.id": "none",  # the client asks for a name; without subscribe and commit it means nothing
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",  # where the broker has just deleted what we were about to read
            "isolation.level": "read_committed",  # no forecast of a transaction that was aborted; its default
            "log_level": 0,
            "error_cb": lambda error: said.append(error.str()),  # why it cannot connect is told here only
            **access(),
        }
    )
    try:
        assign(consumer, options.topic, said, from_start=options.from_start)
        print(f"listening to {options.topic} at {options.bootstrap}; Ctrl-C ends", file=sys.stderr)
        print_forecasts(consumer, options.count)
    except KafkaException as error:
        consumer.poll(0)
        why = (said or [error.args[0].str()])[0]
        if error.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            print(f"{options.topic} is not on {options.bootstrap}: give --topic, with your prefix", file=sys.stderr)
            return 2
        print(
            f"{options.bootstrap}: {why}: check TETOUAN_KAFKA_..., run `docker compose up`, or give --bootstrap",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:  # whoever reads our lines has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    finally:
        consumer.close()
    return 0


def access() -> dict[str, str]:
    """Return what the broker asks for, from the variables that the services read, too."""
    names = {
        "SECURITY": "security.protocol",
        "SASL_MECHANISM": "sasl.mechanism",
        "USERNAME": "sasl.username",
        "PASSWORD": "sasl.password",
        "CA": "ssl.ca.location",
        "CERTIFICATE": "ssl.certificate.location",
        "KEY": "ssl.key.location",
        "KEY_PASSWORD": "ssl.key.password",
    }
    given = {theirs: os.environ.get(f"TETOUAN_KAFKA_{ours}", "") for ours, theirs in names.items()}
    if file := os.environ.get("TETOUAN_KAFKA_PASSWORD_FILE"):
        given["sasl.password"] = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    return {name: value for name, value in given.items() if value}


def assign(consumer: Consumer, topic: str, faults: list[str], *, from_start: bool) -> None:
    """Read all partitions of the topic, each from its oldest record or from its present end.

    A broker that is silent is waited for; one that refuses, which the client adds to ``faults``, is not.
    """
    for left in reversed(range(ANSWER_S)):
        try:
            found = consumer.list_topics(topic, timeout=1).topics[topic]
            break
        except KafkaException:
            consumer.poll(0)
            if faults or not left:
                raise
    if found.error is not None:
        raise KafkaException(found.error)
    begin = OFFSET_BEGINNING if from_start else OFFSET_END  # the client finds them, however long a leader is sought
    consumer.assign([TopicPartition(topic, number, begin) for number in found.partitions])


def print_forecasts(consumer: Consumer, count: int | None) -> None:
    """Print each forecast once; the key is the site, so that those of a zone come in the order of their origins."""
    last: dict[tuple[str, int], datetime] = {}
    printed = 0
    while count is None or printed < count:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if (error := message.error()) is not None:  # the client mends the connection by itself
            print(error.str(), file=sys.stderr)
            continue
        try:
            forecast = json.loads(message.value() or b"")
            zone, origin = (forecast["site"], forecast["zone"]), datetime.fromisoformat(forecast["origin"])
            shown = line(forecast, origin)
        except (LookupError, TypeError, ValueError) as error:
            print(f"no forecast at {message.partition()}@{message.offset()}: {error!r}", file=sys.stderr)
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
