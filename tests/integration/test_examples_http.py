"""The clients of examples/ that ask the gateway, as a subscriber runs them."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from cli.api_keys import key_store
from harness.brokers import PATIENCE_S, service, until
from shared.contracts import topics
from shared.contracts.messages import CleanReading
from tests.integration.pages import browsing, executable
from tests.integration.test_examples import EXAMPLES, STEP, issue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from harness.brokers import Broker, ServiceProcess

CLIENTS = pytest.mark.parametrize("client", ["stream_httpx", "draw_forecast", "live_page"])
DAY = timedelta(days=1)


def started(client: str, *arguments: str, folder: Path) -> subprocess.Popen[bytes]:
    """Start a client, whose output goes to files of the folder; a warning would end it."""
    with (folder / "printed").open("wb") as out, (folder / "said").open("wb") as err:
        command = [sys.executable, "-W", "error", str(EXAMPLES / f"{client}.py"), *arguments]
        return subprocess.Popen(command, stdout=out, stderr=err)


@contextmanager
def running(client: str, *arguments: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a client until the block ends."""
    process = started(client, *arguments, folder=folder)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def ended(client: str, *arguments: str, folder: Path) -> tuple[int, str, str]:
    """Run a client to its end: exit code, what it printed, and what it said."""
    with running(client, *arguments, folder=folder) as process:
        code = process.wait(PATIENCE_S)
    return code, (folder / "printed").read_text(), (folder / "said").read_text()


@pytest.fixture
def start(
    broker: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> Callable[[], AbstractContextManager[ServiceProcess]]:
    """Starts a gateway, again with the same address and history where it was ended."""
    port = free_port()
    return lambda: service("gateway", broker, tmp_path, port, TETOUAN_STATE_DIR=str(tmp_path))


def test_a_stream_is_resumed_behind_the_last_event(
    start: Callable[[], AbstractContextManager[ServiceProcess]], broker: Broker, tmp_path: Path
) -> None:
    """What was sent while the gateway was away is printed too, each once; Ctrl-C ends with exit code 0."""

    def lines() -> list[str]:
        return (tmp_path / "printed").read_text().splitlines()

    with start() as gateway:
        until(gateway.ready, "the gateway")
        process = started("stream_httpx", "--gateway", gateway.address, folder=tmp_path)
        until(lambda: "listening" in (tmp_path / "said").read_text(), "the client to listen")
        broker.send(topics.FORECASTS, [issue(0).to_bytes(), b"{no json", issue(1).to_bytes()])
        until(lambda: len(lines()) == 2, "two forecasts")
    try:
        broker.send(topics.FORECASTS, [issue(1).to_bytes(), issue(2).to_bytes()])
        with start():
            until(lambda: len(lines()) == 3, "what was sent meanwhile")
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
        process.wait()
    assert [line[:16] for line in lines()] == ["2020-02-29 04:40", "2020-02-29 04:50", "2020-02-29 05:00"]
    assert "29 04:50 20,001 kW [19,501..20,501]" in lines()[0]
    said = (tmp_path / "said").read_text()
    assert "connecting again behind forecasts.v1:" in said
    assert "Traceback" not in said


def test_the_picture_shows_two_forecasts_and_the_load(
    start: Callable[[], AbstractContextManager[ServiceProcess]], broker: Broker, tmp_path: Path
) -> None:
    """The newest one and that of a day before, and each load that came; what is asked for and not there is said."""
    newest = issue(0).origin
    readings = [
        CleanReading(
            site="tetouan", time=newest - n * STEP, step_minutes=10, values={"zone_2_kw": 20_000.0 + n}
        ).to_bytes()
        for n in reversed(range(150))
    ]
    file = tmp_path / "picture.svg"
    with start() as gateway:
        asked = ("--gateway", gateway.address, "--output", str(file))
        broker.send(topics.CLEAN, readings)
        broker.send(topics.FORECASTS, [issue(-144).to_bytes(), issue(0).to_bytes()])
        latest = "/api/v1/sites/tetouan/zones/2/forecasts/latest"
        until(lambda: gateway.get(latest).json().get("origin", "").startswith("2020-02-29"), "the newest forecast")
        until(lambda: len(gateway.get("/api/v1/sites/tetouan/readings").json()["items"]) == 150, "the readings")
        code, printed, said = ended("draw_forecast", *asked, folder=tmp_path)
        assert (code, said) == (0, "")
        assert printed == f"{file}: tetouan zone 2, 150 loads, forecast of 29 04:40Z\n"
        assert "<svg" in file.read_text()
        for words in (("--zone", "9"), ("--site", "nowhere")):
            code, printed, said = ended("draw_forecast", *asked, *words, folder=tmp_path)
            assert (code, printed, said.count("\n")) == (2, "", 1)
            assert words[1] in said


def test_the_page_gets_the_stream_with_a_key_that_it_does_not_see(
    start: Callable[[], AbstractContextManager[ServiceProcess]],
    broker: Broker,
    tmp_path: Path,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The page asks nobody else, the stream goes on behind an event, and another name of this machine is refused."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    with start() as gateway:
        until(gateway.ready, "the gateway")
        with key_store() as store:
            key = store.create("page")
        until(lambda: gateway.get("/api/v1/sites").status_code == 401, "the door to be closed")
        asked = ("--gateway", gateway.address, "--port", str(port))
        assert ended("live_page", *asked, folder=tmp_path)[0] == 2
        monkeypatch.setenv("GATEWAY_KEY", key)
        with running("live_page", *asked, folder=tmp_path) as process, httpx.Client(timeout=PATIENCE_S) as client:
            until(lambda: answers(address), "the page")
            page = client.get(address).text
            assert "http" not in page
            assert key not in page
            assert client.get(address, headers={"Host": "page.example"}).status_code == 400
            with client.stream("GET", f"{address}/stream") as answer:
                found = answer.iter_lines()
                until(lambda: next(found).startswith(":"), "the stream")
                broker.send(topics.FORECASTS, [issue(0).to_bytes(), issue(1).to_bytes()])
                first, second = next_event(found), next_event(found)
            with client.stream("GET", f"{address}/stream", headers={"Last-Event-ID": first["id"]}) as answer:
                assert next_event(answer.iter_lines()) == second
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 0
    assert json.loads(first["data"])["origin"] == "2020-02-29T04:40:00Z"
    assert "Traceback" not in (tmp_path / "said").read_text()


@pytest.mark.skipif(executable() is None, reason="no browser: install Debian's `chromium` to run this test")
def test_the_page_in_a_browser_goes_on_where_the_gateway_comes_back(
    start: Callable[[], AbstractContextManager[ServiceProcess]],
    broker: Broker,
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    """Forecasts appear, a lost connection is said, what was sent meanwhile comes, and nobody else is asked."""
    address = f"http://127.0.0.1:{free_port()}"
    asked: list[str] = []
    faults: list[str] = []
    with ExitStack() as stack:
        gateway = stack.enter_context(ExitStack())
        first = gateway.enter_context(start())
        until(first.ready, "the gateway")
        options = ("--gateway", first.address, "--port", address.rpartition(":")[2])
        stack.enter_context(running("live_page", *options, folder=tmp_path))
        until(lambda: answers(address), "the page")
        page = stack.enter_context(browsing()).new_page()
        page.set_default_timeout(1000 * PATIENCE_S)
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(address)
        page.wait_for_selector("#state:text-is('connected')")
        broker.send(topics.FORECASTS, [issue(0, site="<b>x").to_bytes(), issue(0).to_bytes()])
        page.wait_for_selector("tbody tr:nth-child(2)")
        assert page.locator("tbody tr").all_inner_texts()[1].split("\t") == [
            "tetouan zone 2",
            "2020-02-29T04:40:00Z",
            "20,001 kW [19,501 … 20,501]",
            "20,006 kW [19,506 … 20,506]",
            "20,144 kW [19,644 … 20,644]",
            "adapted",
        ]
        assert page.locator("tbody tr").all_inner_texts()[0].startswith("<b>x zone 2")
        gateway.close()
        page.wait_for_selector("#state:has-text('connecting again')")
        broker.send(topics.FORECASTS, [issue(1).to_bytes()])
        with start():
            page.wait_for_selector("tbody tr:has-text('2020-02-29T04:50:00Z')")
            page.wait_for_selector("#state:text-is('connected')")
        page.close()
    assert {url.removeprefix(address) for url in asked} == {"/", "/stream"}
    assert faults == []


def answers(address: str) -> bool:
    """Tell whether somebody answers there."""
    try:
        return httpx.get(address).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def next_event(lines: Iterator[str]) -> dict[str, str]:
    """Return the fields of the next event."""
    fields: dict[str, str] = {}
    for line in lines:
        if not line and fields:
            break
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
    return fields


@CLIENTS
def test_a_client_that_finds_no_gateway_says_what_to_do(
    client: str, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """One line with the address and what to do, exit code 2."""
    address = f"http://127.0.0.1:{free_port()}"
    code, printed, said = ended(client, "--gateway", address, folder=tmp_path)
    assert (code, printed, said.count("\n")) == (2, "", 1)
    assert said.startswith(f"{address}: ")
    assert said.endswith(": run `tetouan run gateway` or `docker compose up`, or give --gateway\n")


def test_a_client_that_is_not_answered_says_what_to_do(tmp_path: Path) -> None:
    """Where somebody takes the connection and says nothing: all of them at once, as each waits for ten seconds."""
    with socket.create_server(("127.0.0.1", 0)) as silent, ExitStack() as stack:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        started_by: dict[str, tuple[Path, subprocess.Popen[bytes]]] = {}
        for script in sorted(EXAMPLES.glob("*.py")):
            folder = tmp_path / script.stem
            folder.mkdir()
            is_kafka = script.stem.startswith("subscribe_")
            option = ("--bootstrap", address) if is_kafka else ("--gateway", f"http://{address}")
            process = stack.enter_context(running(script.stem, *option, folder=folder))
            started_by[script.stem] = folder, process
        for name, (folder, process) in started_by.items():
            assert process.wait(PATIENCE_S) == 2, name
            (line,) = (folder / "said").read_text().splitlines()
            assert "docker compose up" in line
            assert "--bootstrap" in line or "--gateway" in line
