"""The ingestor as a process, on every broker."""

from __future__ import annotations

import json
import math
import random
import signal
from typing import TYPE_CHECKING

import pytest

from shared.contracts import topics
from shared.contracts.messages import CleanReading
from shared.runtime import embedded
from tests.integration.brokers import Broker, letter_of, service, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GOOD = {
    "site": "tetouan",
    "DateTime": "3/4/2018 0:00",
    "Temperature": "14.9",
    "Humidity": "80.2",
    "Wind Speed": "0.08",
    "general diffuse flows": "0.1",
    "diffuse flows": "0.1",
    "Zone 1 Power Consumption": "25012.44",
    "Zone 2  Power Consumption": "15880.26",
    "Zone 3  Power Consumption": "9800.1",
}


def raw(**changes: object) -> bytes:
    """Return the good reading as it comes from a meter, with changes; None takes a field away."""
    fields = {**GOOD, **changes}
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


HOSTILE: dict[str, tuple[bytes | None, str]] = {
    "random bytes": (b"\x00\xff\xfe\x01garbage", "not_utf8"),
    "empty message": (b"", "not_json"),
    "no value at all": (None, "not_json"),
    "a list": (b"[1, 2]", "not_an_object"),
    "unknown site": (raw(site="atlantis"), "unknown_site"),
    "no time": (raw(DateTime=None), "no_time"),
    "deep nesting": (b"[" * 50_000, "too_deep"),
}


CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def test_readings_are_read_whatever_they_are_compressed_with(
    broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Six readings of each of Kafka's codecs are published, in the order in which they came."""
    sent = [[f"3/4/2018 {hour}:{minute}0" for minute in range(6)] for hour in range(len(CODECS))]
    for codec, times in zip(CODECS, sent, strict=True):
        broker.send(topics.RAW, [raw(DateTime=time) for time in times], codec=codec)
    with service("ingestor", broker, tmp_path, free_port()):
        clean = broker.read(topics.CLEAN, 6 * len(CODECS))
    minutes = [CleanReading.from_bytes(message.value() or b"").time.minute for message in clean]
    assert minutes == [0, 10, 20, 30, 40, 50] * len(CODECS)


def test_each_hostile_record_is_a_dead_letter_and_the_stream_goes_on(
    broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Every refused record comes back with its original bytes and its reason; good readings around it are published."""
    flagged = raw(**{"DateTime": "3/4/2018 0:20", "Zone 2  Power Consumption": "error", "Humidity": None})
    broker.send(topics.RAW, [raw(), *(value for value, _ in HOSTILE.values()), flagged, flagged])
    with service("ingestor", broker, tmp_path, free_port()) as ingestor:
        clean = [CleanReading.from_bytes(m.value() or b"") for m in broker.read(topics.CLEAN, 2)]
        letters = broker.read(topics.REJECTED, len(HOSTILE))
        until(lambda: ingestor.metric("tetouan_merged_readings_total") == 1, "the repeated reading to be counted")

    assert [reading.values["zone_2_kw"] for reading in clean] == [15880.3, None]
    assert clean[1].flags["zone_2_kw"].original == "error"
    assert clean[1].flags["humidity_pct"].flag == "missing"
    reasons = [letter_of(m).reason for m in letters]
    assert reasons == [reason for _, reason in HOSTILE.values()]
    assert [m.value() or b"" for m in letters] == [value or b"" for value, _ in HOSTILE.values()]


def hostile(count: int) -> list[bytes]:
    """Return that many records of every kind that a broken or hostile sender could come up with, the same each time."""
    chance = random.Random(1)  # noqa: S311 - to be repeated, not to be secret
    text = json.dumps(GOOD)

    def bytes_of(length: int) -> bytes:
        return chance.randbytes(length)

    kinds: list[Callable[[], bytes]] = [
        lambda: bytes_of(chance.randrange(200)),
        lambda: (b"[" * chance.randrange(1, 3_000)) + bytes_of(3),
        lambda: b'{"a":' * chance.randrange(17, 1_000),
        lambda: raw(**{chance.choice(list(GOOD)[2:]): chance.choice([math.nan, math.inf, -math.inf])}),
        lambda: text.replace('"14.9"', chance.choice(["1e400", "-1e999", "1" * 5_000, "0x10", "NaN"])).encode(),
        lambda: raw(**{chance.choice(list(GOOD)): "".join(map(chr, chance.sample(range(32), 8)))}),
        lambda: raw(**{chance.choice(list(GOOD)): chance.choice(["\ud800", "\u202e", "\ufeff", "0" * 70_000, " "])}),
        f'{{"site":"tetouan",{text[1:]}'.encode,
        lambda: raw(**{chance.choice(list(GOOD)): chance.choice([{}, [], [[1]], True, False, 0, -1, 1.5, 10**400])}),
        lambda: raw(DateTime=chance.choice(["13/45/2018 0:00", "0/0/0 0:0", "3/4/2018", "9999-12-31T23:50:00+00:00"])),
        lambda: text.encode()[: chance.randrange(len(text))],
        lambda: text.encode("utf-16"),
    ]
    huge = [b'{"site":"tetouan","DateTime":"' + b"9" * 900_000 + b'"}', bytes(900_000)]
    return [*huge, *(kinds[n % len(kinds)]() for n in range(count - len(huge)))]


def test_of_a_thousand_hostile_records_each_has_its_outcome(
    broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Sent = accepted + rejected + merged; a dead letter holds the bytes that came; the stream goes on behind them."""
    sent = hostile(1_000)
    broker.send(topics.RAW, [*sent, raw(DateTime="3/5/2018 0:00")])
    with service("ingestor", broker, tmp_path, free_port()) as ingestor:

        def outcomes() -> dict[str, float]:
            figures = ("tetouan_accepted_readings_total", "tetouan_dead_letters_total", "tetouan_merged_readings_total")
            return {figure: ingestor.total(figure) for figure in figures}

        until(lambda: sum(outcomes().values()) == len(sent) + 1, "an outcome of each record")
        until(lambda: ingestor.get("/healthz").json()["lag_records"] == 0, "no lag")
        assert ingestor.process.poll() is None
        accepted, rejected, merged = outcomes().values()

    clean = [CleanReading.from_bytes(m.value() or b"") for m in broker.everything(topics.CLEAN)]
    letters = broker.everything(topics.REJECTED)
    assert (len(clean), len(letters)) == (accepted, rejected)
    assert clean[-1].time.day == 5
    assert all(letter_of(letter).reason for letter in letters)
    assert {letter.value() for letter in letters} <= set(sent)
    assert merged > 0


def test_sigterm_commits_what_was_answered(broker: Broker, tmp_path: Path, free_port: Callable[[], int]) -> None:
    """An ingestor that is told to stop leaves within ten seconds, and its successor repeats nothing."""
    first, second = raw(), raw(DateTime="3/4/2018 0:10")
    broker.send(topics.RAW, [first])
    with service("ingestor", broker, tmp_path, free_port()) as ingestor:
        broker.read(topics.CLEAN, 1)
        ingestor.process.send_signal(signal.SIGTERM)
        assert ingestor.process.wait(timeout=10) == 0
    broker.send(topics.RAW, [second])
    with service("ingestor", broker, tmp_path, free_port()):
        times = [CleanReading.from_bytes(m.value() or b"").time.minute for m in broker.read(topics.CLEAN, 2)]
    assert times == [0, 10]


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
def test_a_service_leaves_in_time_although_the_broker_is_gone(
    blow: signal.Signals, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """However the broker went, dead or frozen: the service stays live, and SIGTERM ends it within ten seconds."""
    with embedded.start() as running:
        broker = Broker("embedded", running.bootstrap, "")
        broker.send(topics.RAW, [raw()])
        with service("ingestor", broker, tmp_path, free_port()) as ingestor:
            broker.read(topics.CLEAN, 1)
            running.process.send_signal(blow)
            until(lambda: not ingestor.ready(), "the ingestor to miss its broker")
            assert ingestor.get("/healthz").status_code == 200
            ingestor.process.send_signal(signal.SIGTERM)
            assert ingestor.process.wait(timeout=10) == 0
        running.process.kill()


def test_the_health_answers_tell_progress_and_readiness(
    broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """A ready service answers 200 on both paths, names its lag, and exports what it did."""
    broker.send(topics.RAW, [raw()])
    with service("ingestor", broker, tmp_path, free_port()) as ingestor:
        broker.read(topics.CLEAN, 1)
        until(lambda: ingestor.get("/healthz").json()["lag_records"] == 0, "no lag")
        assert ingestor.get("/healthz").status_code == 200
        assert ingestor.get("/readyz").json()["ready"] is True
        assert ingestor.metric('tetouan_accepted_readings_total{site="tetouan"}') == 1
        assert ingestor.metric("tetouan_consumed_records_total{topic=") == 1
