"""Subscribes to a topic and prints one line a message."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import tenacity
from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, TopicPartition
from pydantic import ValidationError

from shared.contracts import topics
from shared.contracts.messages import CleanReading, DeadLetter, DriftEvent, Forecast
from shared.forecasting.digits import digits
from shared.forecasting.leads import asked_groups
from shared.runtime.administration import partitions_of
from shared.runtime.diagnosis import explain, why_refused
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from confluent_kafka import Message

    from shared.contracts.topics import Topic
    from shared.runtime.concerns import KafkaSettings

__all__ = ["WATCHED", "drift_line", "forecast_line", "last_reading", "letter_of", "reading_line", "watch"]

WATCHED = {
    "forecasts": topics.FORECASTS,
    "readings": topics.CLEAN,
    "rejected": topics.REJECTED,
    "drift": topics.DRIFT,
}
ANSWER_S = 5.0
TAIL = 100  # records among which the last reading is looked for


def watch(settings: KafkaSettings, topic: Topic, *, as_json: bool, from_start: bool) -> Iterator[str]:
    """Yield one line a message, from now on or from the oldest kept; raises ``Refused`` where no broker answers."""
    consumer = Consumer(settings.kafka.confluent({"group.id": "watch"}))
    name = settings.topic_prefix + topic.name
    try:
        partitions = partitions_of(consumer, name, OFFSET_BEGINNING if from_start else OFFSET_END)
        if not partitions:
            raise Refused(f"topic {name} is not on {settings.kafka_bootstrap}: start the services, or `tetouan topics`")
        consumer.assign(partitions)
        said: set[str] = set()
        while True:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if (error := message.error()) is None:
                yield _as_json(message) if as_json else _line(message)
            else:
                _say_once(settings, error, said)
    except KafkaException as error:
        raise Refused(explain(settings.kafka, error, name)) from None
    finally:
        consumer.close()


def _say_once(settings: KafkaSettings, error: KafkaError, said: set[str]) -> None:
    """Tell the terminal, once, what keeps some records from being read; raises ``Refused`` where we may not read."""
    if (line := why_refused(settings.kafka, KafkaException(error))) is not None:
        raise Refused(line)
    text = error.str()
    if text not in said and error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - the client's public name
        said.add(text)
        sys.stderr.write(f"{text}\n")


def last_reading(settings: KafkaSettings, site: str) -> datetime | None:
    """Return the time of a site's newest clean reading, None where there is none; raises ``Refused`` as `watch`."""
    consumer = Consumer(settings.kafka.confluent({"group.id": "watch"}))
    name = settings.topic_prefix + topics.CLEAN.name
    try:
        partitions = partitions_of(consumer, name)
        # a topic that has just been made may have no leader yet
        patient = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(KafkaException),
            wait=tenacity.wait_fixed(0.2),
            stop=tenacity.stop_after_delay(ANSWER_S),
            reraise=True,
        )
        times = [patient(_last_time, consumer, partition, site) for partition in partitions]
        return max((time for time in times if time is not None), default=None)
    except KafkaException as error:
        raise Refused(explain(settings.kafka, error, name)) from None
    finally:
        consumer.close()


def _last_time(consumer: Consumer, partition: TopicPartition, site: str) -> datetime | None:
    """Return the time of the last reading of the site that can be read among the last records of a partition."""
    low, high = consumer.get_watermark_offsets(partition, timeout=ANSWER_S)
    start, last = max(low, high - TAIL), None
    if start == high:
        return None
    consumer.assign([TopicPartition(partition.topic, partition.partition, start)])
    messages = [message for message in consumer.consume(high - start, ANSWER_S) if message.error() is None]
    if not messages:
        raise KafkaException(KafkaError(KafkaError.REQUEST_TIMED_OUT))
    for message in messages:
        with suppress(ValidationError):
            reading = CleanReading.from_bytes(message.value() or b"")
            last = reading.time if reading.site == site else last
    return last


def _as_json(message: Message) -> str:
    text = (message.value() or b"").decode(errors="backslashreplace")
    if not (message.topic() or "").endswith(topics.REJECTED.name):
        return text
    headers = {
        name: value.decode(errors="backslashreplace")
        for name, value in dict(message.headers() or ()).items()
        if isinstance(value, bytes)
    }
    return json.dumps({**headers, "original": text}, ensure_ascii=False)


def letter_of(message: Message) -> DeadLetter:
    """Return what the headers of a dead letter say; raises ``ValidationError``."""
    headers = dict(message.headers() or ())
    return DeadLetter.from_headers([(name, value) for name, value in headers.items() if isinstance(value, bytes)])


def _line(message: Message) -> str:
    try:
        return _readable(message)
    except ValidationError as error:
        where = f"{message.topic()}/{message.partition()}@{message.offset()}"
        return f"unreadable ({error.error_count()} errors): {(message.value() or b'')[:60]!r}  ({where})"


def _readable(message: Message) -> str:
    value, topic = message.value() or b"", message.topic() or ""
    if topic.endswith(topics.FORECASTS.name):
        return forecast_line(Forecast.from_bytes(value))
    if topic.endswith(topics.CLEAN.name):
        return reading_line(CleanReading.from_bytes(value))
    if topic.endswith(topics.REJECTED.name):
        letter = letter_of(message)
        what = f"{letter.field}={letter.value}" if letter.field else letter.value or ""
        where = f"{letter.topic}/{letter.partition}@{letter.offset}"
        return f"{letter.received:%Y-%m-%d %H:%M:%S}Z  {letter.reason}  {what}  ({where})"
    return drift_line(DriftEvent.from_bytes(value))


def forecast_line(forecast: Forecast) -> str:
    """Return a forecast for people: the leads an operator asks for, each with its interval."""
    groups = [group for group in asked_groups(forecast.step_minutes) if group.steps <= len(forecast.median_kw)]
    ahead = "  ".join(f"+{group.shown} {_demand(forecast, group.steps - 1)}" for group in groups)
    level = forecast.levels[0].level if forecast.levels else "?"
    return f"{forecast.origin:%Y-%m-%d %H:%M}Z  {forecast.site} zone {forecast.zone}  {ahead}  {level}"


def _demand(forecast: Forecast, at: int) -> str:
    bounds = (f" [{digits(i.low_kw[at])}..{digits(i.high_kw[at])}]" for i in forecast.intervals if i.coverage == 0.9)
    return f"{digits(forecast.median_kw[at])} kW{''.join(bounds)}"


def drift_line(event: DriftEvent) -> str:
    """Return a drift event for people: since when, how bad, where, how sure, and what to do as long as it is open."""
    where = event.site if event.zone is None else f"{event.site} zone {event.zone}"
    what = f"{event.kind}: {event.feature} ({event.detector} {event.score:g}, threshold {event.threshold:g})"
    state = f"open: {event.text}".removesuffix(": ") if event.ended is None else f"ended {event.ended:%Y-%m-%d %H:%M}Z"
    return f"{event.started:%Y-%m-%d %H:%M}Z  {event.severity}  {where}  {what}  {state}"


def reading_line(reading: CleanReading) -> str:
    """Return a reading for people, its flags behind it."""
    values = "  ".join(f"{name}={'-' if value is None else f'{value:g}'}" for name, value in reading.values.items())
    flags = "".join(f"  {name}: {flagged.flag}" for name, flagged in reading.flags.items())
    return f"{reading.time:%Y-%m-%d %H:%M}Z  {reading.site}  {values}{flags}"
