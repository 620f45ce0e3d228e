"""The doors and the live stream of gateways as processes, on every broker."""

from __future__ import annotations

import json
import resource
import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle
from threading import Event, Thread
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from cli.api_keys import key_store
from harness.brokers import Broker, service, until
from shared.contracts import topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.brokers import ServiceProcess

PATIENCE_S = 60.0
STREAMED = (topics.CLEAN, topics.FORECASTS, topics.SCORES, topics.DRIFT)


@pytest.fixture
def gateway(embedded_broker: Broker, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[ServiceProcess]:
    """A gateway on loopback without keys."""
    with service("gateway", embedded_broker, tmp_path, free_port(), TETOUAN_STATE_DIR=str(tmp_path)) as running:
        yield running


@dataclass
class Client:
    """A subscriber that connects again and again; ``seen`` has the ids of all events, ``others`` what had none."""

    seen: set[str] = field(default_factory=set)
    others: list[str] = field(default_factory=list)
    last: str | None = None
    disorders: list[str] = field(default_factory=list)

    def take(self, address: str, until_: Callable[[Client], bool]) -> None:
        """Take events, from the last one on, until that is so or the stream ends."""
        headers = {"Last-Event-ID": self.last} if self.last else {}
        newest: dict[str, int] = {}
        with (
            httpx.Client(timeout=PATIENCE_S) as http,
            http.stream("GET", f"{address}/api/v1/stream", headers=headers) as answer,
        ):
            assert answer.status_code == 200
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "event" and value not in ("readings", "forecasts", "scores", "drift"):
                    self.others.append(value)
                if name == "id":
                    partition, _, offset = value.rpartition(":")
                    if int(offset) <= newest.get(partition, -1):
                        self.disorders.append(value)
                    newest[partition] = int(offset)
                    self.seen.add(value)
                    self.last = value
                if (name == "id" or line.startswith(": ")) and until_(self):
                    return


def places(broker: Broker) -> set[str]:
    """Return where every record of the streamed topics stands."""
    return {f"{t.name}:{one.partition()}:{one.offset()}" for t in STREAMED for one in broker.everything(t)}


@pytest.mark.slow
def test_who_resumes_misses_nothing(broker: Broker, tmp_path: Path, free_port: Callable[[], int]) -> None:
    """Gateways are killed, clients change replicas: every record comes, and those of a partition in their order."""
    lengths, stop, sent = cycle((20, 90, 45, 120)), Event(), [0]

    def send() -> None:
        while not stop.wait(0.05):
            number = sent[0]
            key = f"site-{number % 5}".encode()
            value = json.dumps({"site": key.decode(), "n": number}).encode()
            broker.send(STREAMED[number % 2], [value] * 3, key=key)
            sent[0] += 1

    sender = Thread(target=send)
    with ExitStack() as stack:
        ports = [free_port(), free_port()]

        def start(port: int) -> tuple[ExitStack, ServiceProcess]:
            folder = tmp_path / str(port)
            folder.mkdir(exist_ok=True)
            own = stack.enter_context(ExitStack())
            # what is sent is no message of a service: the history refuses all of it
            settings = {"TETOUAN_STATE_DIR": str(tmp_path), "TETOUAN_MAX_REJECTED_SHARE": "1"}
            return own, own.enter_context(service("gateway", broker, folder, port, ready=True, **settings))

        replicas = {port: start(port) for port in ports}
        client = Client()
        try:
            for turn in range(5):
                port = ports[(0, 0, 1, 0, 1)[turn]]  # at the same replica twice in turn, and at the other
                client.take(replicas[port][1].address, _so_many(len(client.seen) + next(lengths), sender))
                if turn in {1, 2}:
                    own, running = replicas[port]
                    running.process.kill()
                    own.close()
                    replicas[port] = start(port)
        finally:
            stop.set()
            sender.join()
        wanted = places(broker)
        assert len(wanted) == 3 * sent[0]
        client.take(replicas[ports[0]][1].address, lambda one: wanted <= one.seen)
    assert client.seen == wanted
    assert client.others == []
    assert client.disorders == []


def _so_many(count: int, sender: Thread) -> Callable[[Client], bool]:
    """Return whether a client has seen so many; records are sent from the first time on that somebody is connected."""

    def seen(client: Client) -> bool:
        if sender.ident is None:
            sender.start()
        return len(client.seen) >= count

    return seen


def test_a_stop_ends_open_streams(gateway: ServiceProcess) -> None:
    """The client is told why, and the process ends well."""
    client = Client()

    def tell(_: Client) -> bool:
        gateway.process.terminate()
        return False

    client.take(gateway.address, tell)
    assert client.others == ["end"]
    assert gateway.process.wait(PATIENCE_S) == 0
    assert "timeout graceful shutdown exceeded" not in gateway.log.read_text()


@pytest.mark.slow
def test_who_takes_nothing_loses_its_connection(gateway: ServiceProcess, embedded_broker: Broker) -> None:
    """Whatever waits to be sent to it is let go with it."""
    port = int(gateway.address.rpartition(":")[2])
    value = json.dumps({"site": "tetouan", "filling": "x" * 50_000}).encode()
    with socket.socket() as stalled:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", port))
        stalled.sendall(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert stalled.recv(12) == b"HTTP/1.1 200"
        until(lambda: gateway.total("tetouan_live_subscribers") == 1, "the stream to be open", PATIENCE_S)
        embedded_broker.send(topics.CLEAN, [value] * 20)

        def gone() -> bool:
            served = psutil.Process(gateway.process.pid).net_connections("tcp")
            return not [one for one in served if one.raddr and one.raddr.port == stalled.getsockname()[1]]

        until(gone, "the connection to be gone", PATIENCE_S)
    assert gateway.metric('tetouan_live_streams_ended_total{reason="stalled"}') == 1
    assert gateway.total("tetouan_live_subscribers") == 0


def test_nobody_is_somebody_else_by_a_header(
    embedded_broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Who names another address in each request is limited all the same."""
    settings = {"TETOUAN_STATE_DIR": str(tmp_path), "TETOUAN_HTTP_REQUESTS_PER_MINUTE": "3"}
    with service("gateway", embedded_broker, tmp_path, free_port(), ready=True, **settings) as running:
        statuses = [
            httpx.get(f"{running.address}/openapi.json", headers={"X-Forwarded-For": f"192.0.2.{n}"}).status_code
            for n in range(5)
        ]
    assert statuses == [200, 200, 200, 429, 429]


def test_streams_have_as_many_files_as_the_system_allows(
    embedded_broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """The soft limit that a shell gives does not bound the connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 1024), hard))
    try:
        with service("gateway", embedded_broker, tmp_path, free_port(), TETOUAN_STATE_DIR=str(tmp_path)) as running:
            found, _ = psutil.Process(running.process.pid).rlimit(psutil.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert found == (65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard))


def asked(gateway: ServiceProcess, head: str, body: bytes, times: int) -> bytes:
    """Send a request whose body is sent so many times, or until the gateway does not want it; return the answer."""
    with socket.create_connection(("127.0.0.1", int(gateway.address.rpartition(":")[2])), PATIENCE_S) as connection:
        connection.sendall(f"POST /predict HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
        try:
            for _ in range(times):
                connection.sendall(body)
        except ConnectionError:
            pass
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def test_a_long_body_is_refused_before_it_is_there(gateway: ServiceProcess) -> None:
    """413, and the answer is not lost beside what was sent of it: with a length, without one, and without an end."""
    kind = "Content-Type: application/json\r\n"
    chunk = b"%x\r\n%b\r\n" % (100_000, b" " * 100_000)
    for answer in (
        asked(gateway, f"{kind}Content-Length: 2000000\r\n", b" " * 100_000, 20),
        asked(gateway, f"{kind}Content-Length: 9000000000\r\nExpect: 100-continue\r\n", b"", 1),
        asked(gateway, f"{kind}Transfer-Encoding: chunked\r\n", chunk, 20),
        asked(gateway, f"{kind}Transfer-Encoding: chunked\r\n", chunk, 1_000),
    ):
        assert answer.startswith(b"HTTP/1.1 413"), answer[:200]
        assert b"application/problem+json" in answer
        assert b"1000000 bytes" in answer


def test_a_key_is_known_while_the_gateway_runs(
    gateway: ServiceProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From its making on everybody needs one, but for health and metrics; no log holds it."""
    assert gateway.get("/openapi.json").status_code == 200
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    with key_store() as store:
        key = store.create("dashboard")
    until(lambda: gateway.get("/openapi.json").status_code == 401, "the door to be closed", PATIENCE_S)
    headers = {"Authorization": f"Bearer {key}"}
    assert httpx.get(gateway.address + "/openapi.json", headers=headers).status_code == 200
    assert [gateway.get(path).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200, 200, 200]
    with key_store() as store:
        store.revoke("dashboard")
    until(
        lambda: httpx.get(gateway.address + "/openapi.json", headers=headers).status_code == 401,
        "the key to be revoked",
        PATIENCE_S,
    )
    assert key not in gateway.log.read_text()
    assert key not in gateway.get("/metrics").text
