"""The ingestor as a process, on every broker."""

from __future__ import annotations

import json
import math
import random
import signal
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # it is public, its stub forgets it

from harness.brokers import Broker, letter_of, service, until
from shared.contracts import topics
from shared.contracts.messages import CleanReading
from shared.runtime import embedded

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from harness.brokers import ServiceProcess

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

    assert [reading.values["zone_2_kw"] for reading in clean] == [15880.26, None]
    assert clean[1].flags["zone_2_kw"].original == "error"
    assert clean[1].flags["humidity_pct"].flag == "missing"
    reasons = [letter_of(m).reason for m in letters]
    assert reasons == [reason for _, reason in HOSTILE.values()]
    assert [m.value() or b"" for m in letters] == [value or b"" for value, _ in HOSTILE.values()]


def reasons(broker: Broker, count: int) -> list[tuple[str, str | None]]:
    """Return reason and field of the first so many dead letters."""
    letters = [letter_of(message) for message in broker.read(topics.REJECTED, count)]
    return [(letter.reason, letter.field) for letter in letters]


MORNING = [raw(DateTime=f"3/4/2018 {hour}:00") for hour in range(4)]
IN_1970 = 1000  # milliseconds after its begin


def test_what_was_published_is_known_without_a_snapshot_whatever_the_record_times(
    broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Records of 1970 are accepted; rebuilt from the topics, the ingestor tells a repeat from a correction of them."""
    broker.keep_for_ever(topics.RAW)
    broker.send(topics.RAW, MORNING[:3], record_ms=IN_1970)
    with service("ingestor", broker, tmp_path, free_port(), TETOUAN_SNAPSHOTS=str(tmp_path / "one")) as ingestor:
        assert len(broker.read(topics.CLEAN, 3)) == 3
        until(lambda: ingestor.get("/healthz").json()["lag_records"] == 0, "no lag")
        ingestor.process.kill()
        ingestor.process.wait()
    correction = raw(**{"DateTime": "3/4/2018 1:00", "Zone 2  Power Consumption": "7"})
    broker.send(topics.RAW, [MORNING[0], correction, MORNING[3]], record_ms=IN_1970)
    with service("ingestor", broker, tmp_path, free_port(), TETOUAN_SNAPSHOTS=str(tmp_path / "two")) as ingestor:
        clean = broker.read(topics.CLEAN, 4)
        until(lambda: ingestor.metric("tetouan_merged_readings_total") == 1, "the repeat to be counted")
    assert [CleanReading.from_bytes(message.value() or b"").time.hour for message in clean] == [0, 1, 2, 3]
    (letter,) = [letter_of(message) for message in broker.everything(topics.REJECTED)]
    assert (letter.reason, letter.field) == ("contradicts", "Zone 2  Power Consumption")
    assert "zone_2_kw 7.0 where 15880.26 stands" in (letter.value or "")


SITES = """
[{name}]
step_minutes = 60
country = "MA"
time_zone = "UTC"
time_column = "time"
columns = {{load = "zone_1_kw"}}
"""


@pytest.mark.real_kafka
def test_ingestors_of_two_sites_share_the_work(
    real_broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Each serves every site of the table: also as one comes and leaves, each reading is taken exactly once."""
    sites = tmp_path / "sites.toml"
    sites.write_text(SITES.format(name="plant") + SITES.format(name="north"), encoding="utf-8")

    def send(hours: range) -> None:
        for hour in hours:
            for site in ("plant", "north"):
                row = {"site": site, "time": f"2018-03-04T{hour:02}:00:00Z", "load": 100 + hour}
                real_broker.send(topics.RAW, [json.dumps(row).encode()], key=site.encode())

    def one(site: str) -> AbstractContextManager[ServiceProcess]:
        folder = tmp_path / site
        folder.mkdir()
        return service(
            "ingestor",
            real_broker,
            folder,
            free_port(),
            TETOUAN_SITES=str(sites),
            TETOUAN_SITE=site,
            TETOUAN_ZONES="1",
            TETOUAN_SNAPSHOTS=str(folder / "snapshots"),
        )

    with one("plant"):
        send(range(8))
        real_broker.read(topics.CLEAN, 16)
        with one("north"):
            send(range(8, 16))
            real_broker.read(topics.CLEAN, 32)
        send(range(16, 24))
        real_broker.read(topics.CLEAN, 48)
    clean = [CleanReading.from_bytes(message.value() or b"") for message in real_broker.everything(topics.CLEAN)]
    for site in ("plant", "north"):
        assert [reading.time.hour for reading in clean if reading.site == site] == list(range(24))
    assert real_broker.everything(topics.REJECTED) == []


def test_a_record_without_the_key_of_its_site_is_refused(
    broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """On several partitions it would lose its order: the letter says which key to set."""
    broker.send(topics.RAW, MORNING[:1], key=None)
    broker.send(topics.RAW, MORNING[:1], key=b"meter-7")
    broker.send(topics.RAW, MORNING[:1])
    with service("ingestor", broker, tmp_path, free_port()):
        assert sorted(reasons(broker, 2)) == [("key_is_not_the_site", "key"), ("no_key", "key")]
        assert len(broker.read(topics.CLEAN, 1)) == 1


@pytest.mark.real_kafka
def test_on_one_partition_the_key_does_not_matter(
    real_broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """All records stand in their order there; rebuilt, the ingestor still knows what it has published."""
    alone = Broker("kafka", real_broker.bootstrap, f"{real_broker.prefix}alone.")
    admin = AdminClient(alone.access.confluent())
    names = [alone.prefix + topic.name for topic in topics.ALL]
    for made in admin.create_topics([NewTopic(name, 1) for name in names]).values():
        made.result()
    try:
        for count, snapshots in enumerate(("one", "two"), start=1):
            alone.send(topics.RAW, MORNING[:count], key=None)
            alone.send(topics.RAW, MORNING[:count], key=b"meter-7")
            with service(
                "ingestor", alone, tmp_path, free_port(), TETOUAN_SNAPSHOTS=str(tmp_path / snapshots)
            ) as ingestor:
                assert len(alone.read(topics.CLEAN, count)) == count
                until(lambda: ingestor.get("/healthz").json()["lag_records"] == 0, "no lag")
        assert len(alone.everything(topics.CLEAN)) == 2
        assert alone.everything(topics.REJECTED) == []
    finally:
        for gone in admin.delete_topics(names).values():
            gone.result()


def test_an_ingestor_that_refuses_most_records_is_not_ready_until_they_are_good(
    broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """The answer names the reason and what to do, a metric shows the share; good readings make it ready again."""
    with service("ingestor", broker, tmp_path, free_port()) as ingestor:
        broker.send(topics.RAW, [raw(site="atlantis")] * 30)
        until(lambda: not ingestor.ready(), "the ingestor to complain")
        why = ingestor.get("/readyz").json()["waiting_for"]["records"]
        assert "unknown_site" in why
        assert "atlantis: The sites are tetouan" in why
        assert ingestor.metric("tetouan_rejected_ratio") == 1
        broker.send(topics.RAW, [raw(DateTime=f"3/4/2018 {n // 6}:{n % 6}0") for n in range(40)])
        until(ingestor.ready, "the ingestor to be ready again")


def test_unknown_fields_are_told_and_the_reading_is_taken(
    broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """`/readyz` names the field, a metric counts it, and nothing is refused."""
    broker.send(topics.RAW, [raw(quality="A")])
    with service("ingestor", broker, tmp_path, free_port()) as ingestor:
        assert len(broker.read(topics.CLEAN, 1)) == 1
        field = 'tetouan_unknown_fields_total{field="quality",site="tetouan"}'
        until(lambda: field in ingestor.get("/metrics").text, "the field to be counted")
        notes = ingestor.get("/readyz").json()["notes"]
    assert "is no column of tetouan and is passed over" in notes['field "quality" of tetouan']
    assert broker.everything(topics.REJECTED) == []


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
    with service("ingestor", broker, tmp_path, free_port(), TETOUAN_MAX_REJECTED_SHARE="1") as ingestor:

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


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_service_leaves_in_time_although_the_broker_is_gone(
    fault: signal.Signals, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """However the broker went, dead or frozen: the service stays live, and SIGTERM ends it within ten seconds."""
    with embedded.start() as running:
        broker = Broker("embedded", running.bootstrap, "")
        broker.send(topics.RAW, [raw()])
        with service("ingestor", broker, tmp_path, free_port()) as ingestor:
            broker.read(topics.CLEAN, 1)
            running.process.send_signal(fault)
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
