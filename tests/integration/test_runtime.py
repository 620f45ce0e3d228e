"""What the runtime does when the core of a service fails."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

from harness.brokers import PATIENCE_S, service, until
from shared.contracts import topics

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from harness.brokers import Broker, ServiceProcess


def toy(broker: Broker, folder: Path, port: int, **settings: str) -> AbstractContextManager[ServiceProcess]:
    """Run the service that copies raw to clean."""
    return service("toy", broker, folder, port, module="tests.integration.toy", ready=False, **settings)


def test_a_bug_ends_the_service_and_its_batch_is_not_committed(broker: Broker, free_port: Callable[[], int]) -> None:
    """The service ends with code 1 and says why; one without the bug answers the very same records."""
    values = [b"one", b"two", b"three"]
    broker.send(topics.RAW, values)

    def begun(fails_on: str) -> subprocess.Popen[str]:
        env = {**os.environ, **broker.env, "TETOUAN_HTTP_PORT": str(free_port()), "TOY_FAILS_ON": fails_on}
        return subprocess.Popen(
            [sys.executable, "-m", "tests.integration.toy"], env=env, stderr=subprocess.PIPE, text=True
        )

    failing = begun("two")
    _, said = failing.communicate(timeout=PATIENCE_S)
    assert failing.returncode == 1
    assert "a bug of ours" in said

    mended = begun("nothing")
    answers = [message.value() for message in broker.read(topics.CLEAN, 3)]
    mended.terminate()
    mended.communicate(timeout=PATIENCE_S)
    assert [value for value in values if value in answers] == values


def test_a_record_that_cannot_be_fetched_is_named_and_all_others_are_answered(
    broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Without its codec: not ready, with topic, partition, offset and reason; with it, nothing is missing.

    What stands before the record, and what is on other partitions or comes later, is answered meanwhile.
    """
    keys = [str(number).encode() for number in range(20)]
    before = {key: b"before " + key for key in keys}
    for key in keys:
        broker.send(topics.RAW, [before[key]], key=key)
    broker.send(topics.RAW, [b"compressed " * 9, b"compressed " * 9], key=keys[0], codec="zstd")
    broker.send(topics.RAW, [b"behind it"], key=keys[0])
    (stuck,) = {m.partition() for m in broker.read(topics.RAW, 23) if m.value() == b"behind it"}
    offset = min(m.offset() or 0 for m in broker.read(topics.RAW, 23) if (m.value() or b"").startswith(b"compressed"))
    name = broker.prefix + topics.RAW.name

    def answered() -> Counter[bytes | None]:
        return Counter(message.value() for message in broker.everything(topics.CLEAN))

    with toy(broker, tmp_path, free_port(), TOY_LACKS="zstd") as lacking:
        until(lambda: lacking.waiting_for(f"{name}-{stuck}") not in {None, "None"}, "the record to be named")
        line = lacking.waiting_for(f"{name}-{stuck}") or ""
        assert f"{name}, partition {stuck}, offset {offset} cannot be read (Libraries for zstd" in line
        until(lambda: set(before.values()) <= answered().keys(), "all before the record to be answered")
        later = next(m.key() for m in broker.read(topics.RAW, 23) if m.partition() != stuck)
        broker.send(topics.RAW, [b"later"], key=later or b"")
        until(lambda: b"later" in answered(), "another partition to go on")
        assert not lacking.ready()
        assert lacking.live()
        assert lacking.metric("tetouan_unreadable_partitions") == 1
    assert lacking.log.read_text().count(line) == 1
    with toy(broker, tmp_path, free_port()) as mended:
        until(lambda: b"behind it" in answered(), "the rest to be answered")
        until(mended.ready, "the service to be ready")
    assert sum(answered().values()) == 24
    assert set(answered().values()) == {1, 2}  # the two that were compressed are alike


def test_a_taken_port_stops_the_start_with_one_line(free_port: Callable[[], int]) -> None:
    """The line names the address and the setting to change; the exit code is 2."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        env = {**os.environ, "TETOUAN_HTTP_PORT": str(port)}
        refused = subprocess.run(
            [sys.executable, "-m", "services.ingestor"],
            env=env,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    assert refused.returncode == 2
    assert refused.stderr == (
        f"ingestor: cannot listen on 127.0.0.1:{port} (Address already in use): set TETOUAN_HTTP_PORT to a free port\n"
    )
