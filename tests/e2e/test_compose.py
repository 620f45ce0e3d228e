"""`docker compose up` as users run it: everything healthy, forecasts on the host, metrics scraped, dashboard there."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

from harness.brokers import PATIENCE_S, until
from harness.kafka import KafkaMissingError, engine, missing

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PORTS = ("KAFKA", "GATEWAY", "INGESTOR", "FORECASTER", "MONITOR", "MLFLOW", "PROMETHEUS", "GRAFANA")
OURS = ("ingestor", "forecaster", "monitor", "gateway")
EXAMPLES = ("subscribe_confluent.py", "subscribe_faststream.py")


@dataclass(frozen=True)
class Compose:
    """A project of its own on free ports."""

    env: dict[str, str]

    def run(self, *args: str) -> str:
        """Run a Compose command and return what it prints; fails with what it says."""
        done = subprocess.run(
            ["docker", "compose", *args],  # noqa: S607 - whichever Docker the user has
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=1500,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def get(self, service: str, path: str) -> httpx.Response:
        """Ask a service on its port of this machine."""
        return httpx.get(f"http://127.0.0.1:{self.env[service.upper() + '_PORT']}{path}", timeout=10)

    def forecasts(self, example: str, count: int, *args: str) -> list[str]:
        """Return the lines that an example prints on this machine."""
        bootstrap = f"127.0.0.1:{self.env['KAFKA_PORT']}"
        command = [sys.executable, str(ROOT / "examples" / example), "--bootstrap", bootstrap, "--count", str(count)]
        done = subprocess.run([*command, *args], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


def unavailable() -> str | None:
    """Tell why Compose cannot run here, or None."""
    if shutil.which("docker") is None:
        return "compose: install Docker with its Compose plugin to run this test"
    try:
        engine()
    except KafkaMissingError as error:
        return f"compose: {error}: start Docker to run this test"
    return None


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    """The stack, up and healthy, with the year of the environment or else the synthetic one; removed at the end."""
    why = unavailable()
    if why is not None:
        missing(why)
    ports = {f"{name}_PORT": str(port) for name, port in zip(PORTS, free_ports(len(PORTS)), strict=True)}
    project = f"tetouan-test-{uuid4().hex[:8]}"
    nowhere = "http://127.0.0.1:1/"  # no test waits for a download
    stack = Compose(
        {**os.environ, **ports, "COMPOSE_PROJECT_NAME": project, "SPEED": "50", "TETOUAN_DATA_URL": nowhere}
    )
    try:
        stack.run("up", "--build", "--detach", "--wait", "--wait-timeout", "600")
        yield stack
    finally:
        logs = subprocess.run(
            ["docker", "compose", "logs", "--no-color", "--tail", "40"],  # noqa: S607 - as above
            cwd=ROOT,
            env=stack.env,
            capture_output=True,
            text=True,
            check=False,
        )
        sys.stdout.write(logs.stdout)  # shown where something fails
        stack.run("down", "--volumes", "--timeout", "10")


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_print_forecasts_on_the_host(compose: Compose, example: str) -> None:
    """A subscriber on this machine reads one line a forecast, each of another origin."""
    lines = compose.forecasts(example, 5, "--from-start")
    assert len(lines) == 5
    assert len(set(lines)) == 5


def test_the_examples_speak_to_compose_by_default() -> None:
    """The default address of the examples is the listener that Compose opens on this machine."""
    port = re.search(r"127\.0\.0\.1:\$\{KAFKA_PORT:-(\d+)\}:", (ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert port is not None
    for example in EXAMPLES:
        assert f"127.0.0.1:{port[1]}" in (ROOT / "examples" / example).read_text(encoding="utf-8")


def test_prometheus_scrapes_every_service(compose: Compose) -> None:
    """All targets are up, and a metric of the stream is there."""

    def up() -> set[str]:
        targets = compose.get("prometheus", "/api/v1/targets").json()["data"]["activeTargets"]
        return {target["labels"]["job"] for target in targets if target["health"] == "up"}

    until(lambda: up() >= set(OURS), "Prometheus to reach every service")
    until(lambda: sample(compose, "sum(tetouan_forecasts_total)") > 0, "forecasts to be counted")
    assert sample(compose, "min(tetouan_broker_up)") == 1


def sample(compose: Compose, query: str) -> float:
    """Return the value of a query, 0 where it has none."""
    result: list[dict[str, Any]] = compose.get("prometheus", f"/api/v1/query?query={query}").json()["data"]["result"]
    return float(result[0]["value"][1]) if result else 0.0


def test_grafana_has_the_dashboard(compose: Compose) -> None:
    """It is healthy, and serves the committed dashboard."""
    assert compose.get("grafana", "/api/health").status_code == 200
    committed = json.loads((ROOT / "deploy/grafana/dashboards/tetouan.json").read_text(encoding="utf-8"))
    served = compose.get("grafana", f"/api/dashboards/uid/{committed['uid']}").json()
    assert served["dashboard"]["title"] == committed["title"]


def test_the_models_stand_on_the_mlflow_server(compose: Compose) -> None:
    """Its page lists the champion that the forecaster runs; a page of another name cannot ask it."""
    asked = "/api/2.0/mlflow/registered-models/alias?name=zone-demand-tetouan-2&alias=champion"
    assert compose.get("mlflow", asked).json()["model_version"]["version"] == "1"
    notes = compose.get("forecaster", "/readyz").json()["notes"]
    assert "zone-demand-tetouan-2/1" in json.dumps(notes)
    url = f"http://127.0.0.1:{compose.env['MLFLOW_PORT']}{asked}"
    assert httpx.get(url, headers={"Host": "elsewhere.example"}, timeout=10).status_code == 403


def test_services_run_as_a_normal_user_on_loopback(compose: Compose) -> None:
    """No process of ours is root, and no port is open to other machines."""
    for name in (*OURS, "mlflow"):
        assert compose.run("exec", "-T", name, "id", "-u").strip() == "10001"
    published = [json.loads(line) for line in compose.run("ps", "--format", "json").splitlines()]
    ports = [port for container in published for port in container["Publishers"] or ()]  # null where there are none
    urls = {port["URL"] for port in ports if port["PublishedPort"]}
    assert urls == {"127.0.0.1"}


def test_a_second_up_fits_nothing_and_goes_on(compose: Compose) -> None:
    """Stopped and started again, the stack keeps its champions and streams on from the last reading."""
    compose.run("stop", "--timeout", "10")
    compose.run("up", "--detach", "--wait", "--wait-timeout", "600")
    assert "it has seen just these readings" in compose.run("logs", "--no-color", "train")
    until(lambda: "streamed already up to" in compose.run("logs", "--no-color", "replay"), "the replay to go on")
    lines = compose.forecasts(EXAMPLES[0], 200, "--from-start")
    assert len(set(lines)) == 200
