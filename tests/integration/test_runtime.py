"""What the runtime does when the core of a service fails."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from shared.contracts import topics
from tests.integration.brokers import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.brokers import Broker


def test_a_bug_ends_the_service_and_its_batch_is_not_committed(broker: Broker, free_port: Callable[[], int]) -> None:
    """The service ends with code 1 and says why; one without the bug answers the very same records."""
    values = [b"one", b"two", b"three"]
    broker.send(topics.RAW, values)

    def toy(fails_on: str) -> subprocess.Popen[str]:
        env = {**os.environ, **broker.env, "TETOUAN_HTTP_PORT": str(free_port()), "TOY_FAILS_ON": fails_on}
        return subprocess.Popen(
            [sys.executable, "-m", "tests.integration.toy"], env=env, stderr=subprocess.PIPE, text=True
        )

    failing = toy("two")
    _, said = failing.communicate(timeout=PATIENCE_S)
    assert failing.returncode == 1
    assert "a bug of ours" in said

    mended = toy("nothing")
    answers = [message.value() for message in broker.read(topics.CLEAN, 3)]
    mended.terminate()
    mended.communicate(timeout=PATIENCE_S)
    assert [value for value in values if value in answers] == values


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
