"""The clients of examples/ as a subscriber runs them."""

from __future__ import annotations

import shlex
import shutil
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer

from harness.brokers import PATIENCE_S, until
from shared.contracts import topics
from shared.contracts.messages import Forecast
from tests.contract.test_messages import golden

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.brokers import Broker

EXAMPLES = Path(__file__).parents[2] / "examples"
CLIENTS = pytest.mark.parametrize("client", ["subscribe_faststream", "subscribe_confluent", "subscribe_aiokafka"])
STEP = timedelta(minutes=10)


def issue(steps_later: int, **changes: object) -> Forecast:
    """Return the golden forecast, later by so many steps and with a full day of leads."""
    first = Forecast.from_bytes(golden("forecasts"))
    (interval,) = first.intervals
    median_kw = tuple(20_000.0 + lead for lead in range(1, 145))
    low_kw, high_kw = (tuple(kw + by for kw in median_kw) for by in (-500.0, 500.0))
    day = {
        "origin": first.origin + steps_later * STEP,
        "median_kw": median_kw,
        "intervals": (interval.model_copy(update={"low_kw": low_kw, "high_kw": high_kw}),),
    }
    return first.model_copy(update={**day, **changes})


def command(client: str, broker: Broker, *arguments: str) -> list[str]:
    """Return the command line of a client; a warning would end it."""
    topic = broker.prefix + topics.FORECASTS.name
    script = str(EXAMPLES / f"{client}.py")
    return [sys.executable, "-W", "error", script, "--bootstrap", broker.bootstrap, "--topic", topic, *arguments]


@CLIENTS
def test_a_client_prints_each_forecast_once_and_ends_after_count(client: str, broker: Broker) -> None:
    """In order and by the clock, whatever is repeated, is no forecast or has fields that it does not know; exit code 0.

    At a step of an hour the next ten minutes are the next hour, and are shown once.
    """
    levels = Forecast.from_bytes(golden("forecasts-levels"))
    other_zone = issue(0, zone=3)
    later = issue(1).to_bytes().replace(b'{"schema_version":2', b'{"schema_version":3,"surprise":[]')
    last = levels.model_copy(update={"origin": levels.origin + 2 * STEP})
    hourly = issue(0, zone=4, step_minutes=60, median_kw=issue(0).median_kw[:24], intervals=())
    records = [issue(0).to_bytes(), other_zone.to_bytes(), hourly.to_bytes(), later, b"{no json", b"[]", None]
    broker.send(topics.FORECASTS, [*records, issue(0).to_bytes(), later, last.to_bytes(), issue(3).to_bytes()])
    ended = subprocess.run(
        command(client, broker, "--from-start", "--count", "5"),
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert ended.returncode == 0, ended.stderr
    shown = (
        "2020-02-29 {}Z  tetouan zone {}  29 {} 20,001 kW [19,501..20,501]  29 {} 20,006 kW [19,506..20,506]  "
        "01 {} 20,144 kW [19,644..20,644]  adapted"
    )
    assert ended.stdout.splitlines() == [
        shown.format("04:40", 2, "04:50", "05:40", "04:40"),
        shown.format("04:40", 3, "04:50", "05:40", "04:40"),
        "2020-02-29 04:40Z  tetouan zone 4  29 05:40 20,001 kW  01 04:40 20,024 kW  adapted",
        shown.format("04:50", 2, "05:00", "05:50", "04:50"),
        "2020-02-29 05:00Z  tetouan zone 2  29 05:10 21,010.5 kW  frozen/weather/climatology",
    ]
    assert ended.stderr.count("no forecast") == 3


@CLIENTS
def test_a_client_prints_from_now_on_and_ends_with_ctrl_c(client: str, broker: Broker, tmp_path: Path) -> None:
    """What is on the topic already is not printed, what comes is; SIGINT ends it with exit code 0 and no traceback."""
    broker.send(topics.FORECASTS, [issue(0).to_bytes()])
    printed, said = tmp_path / "printed", tmp_path / "said"
    with printed.open("wb") as out, said.open("wb") as err:
        process = subprocess.Popen(command(client, broker), stdout=out, stderr=err)
    try:
        until(lambda: "listening" in said.read_text(), "the client to listen")
        sent = iter(range(1, 1000))

        def something_printed() -> bool:
            broker.send(topics.FORECASTS, [issue(next(sent)).to_bytes()])
            return printed.read_text().endswith("\n")

        until(something_printed, "a forecast to be printed")
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
    assert "2020-02-29 04:40" not in printed.read_text()
    assert said.read_text().count("\n") == 1


@CLIENTS
def test_a_client_that_finds_no_broker_says_what_to_do(client: str, free_port: Callable[[], int]) -> None:
    """One line with the address and what to do, exit code 2."""
    address = f"127.0.0.1:{free_port()}"
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{client}.py"), "--bootstrap", address],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    (line,) = ended.stderr.splitlines()
    assert line.startswith(f"{address}: ")
    assert line.endswith(": check TETOUAN_KAFKA_..., run `docker compose up`, or give --bootstrap")


@CLIENTS
@pytest.mark.real_kafka
def test_a_client_reads_what_is_committed_alone(client: str, real_broker: Broker) -> None:
    """A forecast of a transaction that was aborted is not printed, nor what is in one that is open."""
    prefix, name = real_broker.prefix, real_broker.prefix + topics.FORECASTS.name
    producer = Producer(real_broker.access.confluent({"transactional.id": f"{prefix}{client}"}))
    producer.init_transactions(PATIENCE_S)
    for forecast, end in ((issue(1), producer.abort_transaction), (issue(0), producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(name, forecast.to_bytes(), key=b"tetouan")
        producer.flush(PATIENCE_S)
        end(PATIENCE_S)
    printed = subprocess.run(
        command(client, real_broker, "--from-start", "--count", "1"),
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert printed.stdout.startswith("2020-02-29 04:40Z"), printed.stderr


@pytest.mark.skipif(shutil.which("kcat") is None, reason="kcat is not on the PATH: `apt install kcat` to run its line")
def test_the_line_of_kcat_prints_forecasts(broker: Broker) -> None:
    """As it stands in the document, but for address, topic and count: key, place and message of each."""
    lines = (EXAMPLES.parent / "docs" / "subscribe.md").read_text(encoding="utf-8").splitlines()
    (line,) = (line for line in lines if line.startswith("kcat "))
    broker.send(topics.FORECASTS, [issue(0).to_bytes(), issue(1).to_bytes()])
    told = {
        "127.0.0.1:9092": broker.bootstrap,
        topics.FORECASTS.name: broker.prefix + topics.FORECASTS.name,
        "10": "2",
    }
    words = [told.get(word, word) for word in shlex.split(line)]
    assert set(told.values()) <= set(words)
    done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    places = [printed.split(" ", 2) for printed in done.stdout.splitlines()]
    assert [key for key, _, _ in places] == ["tetouan"] * 2
    assert [Forecast.from_bytes(value.encode()) for _, _, value in places] == [issue(0), issue(1)]
