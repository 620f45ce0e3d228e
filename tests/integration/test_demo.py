"""The demo as users start it: everything on this machine, ended by itself, the counts balanced."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from asyncua import Client, ua

from cli.processes import SERVICES
from cli.runs import current
from harness.brokers import PATIENCE_S, Broker, until
from shared.contracts import topics
from shared.sites.table import known_sites

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.data.year import Year

    Command = Callable[..., subprocess.Popen[str]]

EXAMPLES = Path(__file__).parents[2] / "examples"
WINDOW = ("--data", "synthetic", "--from", "2018-02-01")
DEMO = ("demo", *WINDOW, "--speed", "0", "--headless")


@pytest.fixture
def tetouan() -> Iterator[Command]:
    """Starts the command with the state folder; what a failed test leaves running is told to end."""
    with ExitStack() as stack:

        def start(*args: str, state_dir: Path, **settings: str) -> subprocess.Popen[str]:
            env = {name: value for name, value in os.environ.items() if not name.startswith("TETOUAN_")}
            env |= {"TETOUAN_STATE_DIR": str(state_dir), "TETOUAN_DATA_URL": "http://127.0.0.1:1/", **settings}
            command = [sys.executable, "-m", "cli", *args]
            pipe = subprocess.PIPE
            process = stack.enter_context(subprocess.Popen(command, env=env, stderr=pipe, stdout=pipe, text=True))
            stack.callback(process.terminate)
            return process

        yield start


def result_of(tetouan: Command, *args: str, state_dir: Path) -> dict[str, Any]:
    """Run the command to its end and return what it wrote with --json."""
    file = state_dir.parent / f"{state_dir.name}-{args[0]}.json"
    process = tetouan(*args, "--json", str(file), state_dir=state_dir)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    assert "SYNTHETIC" in said
    result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return result


def announced_by_now(state_dir: Path) -> dict[str, Any]:
    """Return the addresses of the demo once it announces them."""
    until(lambda: current(state_dir) is not None, "the demo to announce its addresses")
    running = current(state_dir)
    assert running is not None
    return running


def kept_by(state_dir: Path) -> tuple[int, int, int]:
    """Return how many readings, forecasts and scores the history of the one demo of a state folder has."""
    (file,) = (state_dir / "runs").rglob("history.db")
    counts = "SELECT (SELECT count(*) FROM readings), (SELECT count(*) FROM forecasts), (SELECT count(*) FROM scores)"
    with closing(sqlite3.connect(file)) as connection:
        readings, forecasts, scores = connection.execute(counts).fetchone()
    return readings, forecasts, scores


def test_two_days_are_answered_once_the_same_from_any_fresh_state_and_as_the_backtest_says(
    tetouan: Command, tmp_path: Path
) -> None:
    """The counts balance, two runs publish identical bytes, and the scores are those of `tetouan backtest`."""
    first = result_of(tetouan, *DEMO, "--days", "2", state_dir=tmp_path / "first")
    assert first["readings_sent"] == first["accepted"] == first["forecasts"] == 288
    none = ("rejected", "merged", "amended", "missing_forecasts", "duplicate_forecasts")
    assert [first[name] for name in none] == [0] * len(none)
    assert first["synthetic"] is True
    assert first["levels"] == {"adapted": 288}
    assert first["unmatured"] == 144 * 145 // 2
    assert kept_by(tmp_path / "first") == (288, 288, 48)

    second = result_of(tetouan, *DEMO, "--days", "2", state_dir=tmp_path / "second")
    assert second["forecasts_sha256"] == first["forecasts_sha256"]

    backtest = result_of(tetouan, "backtest", *WINDOW, "--until", "2018-02-03", state_dir=tmp_path / "second")
    told = {key: {name: figures[name] for name in first["leads"][key]} for key, figures in backtest["leads"].items()}
    of_history = ("mase", "skill_vs_best_naive")  # they need the loads before the demo
    assert first["leads"] == {key: {**figures, **dict.fromkeys(of_history)} for key, figures in told.items()}
    assert list(told) == ["10", "60", "360", "1440", "mean"]
    assert all({"scored_minutes", "rmse_kw"} <= figures.keys() for figures in told.values())


def test_a_file_of_loads_alone_is_streamed_and_nothing_looks_like_a_fault(
    tetouan: Command, tmp_path: Path, year: Year
) -> None:
    """Columns that the file lacks are named, not flagged; there is no weather model, and the counts balance.

    The file of the command counts, whatever the environment says.
    """
    file, result = tmp_path / "loads.csv", tmp_path / "result.json"
    year.rows[["DateTime", "Zone 2  Power Consumption"]].to_csv(file, index=False)
    demo = ("demo", "--data", str(file), "--from", "2018-02-01", "--days", "1", "--speed", "0", "--headless")
    process = tetouan(*demo, "--json", str(result), state_dir=tmp_path / "state", TETOUAN_DATA="synthetic")
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    assert "without 'Temperature', " in said
    assert "no weather-demand-tetouan-2: no weather at this site" in said
    told = json.loads(result.read_text(encoding="utf-8"))
    assert told["readings_sent"] == told["accepted"] == told["forecasts"] == 144
    (table,) = (tmp_path / "state" / "runs").rglob("sites.toml")
    assert known_sites(table)["tetouan"].fields == ("zone_2_kw",)


def test_two_demos_at_once_do_not_disturb_each_other(tetouan: Command, state_dir: Path, tmp_path: Path) -> None:
    """Started together beneath one state folder, the counts of each balance, and none is announced at the end."""
    files = [tmp_path / "first.json", tmp_path / "second.json"]
    processes = [tetouan(*DEMO, "--days", "1", "--json", str(file), state_dir=state_dir) for file in files]
    said = [process.communicate(timeout=PATIENCE_S)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    first, second = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    assert first["accepted"] == second["accepted"] == 144
    assert first["forecasts_sha256"] == second["forecasts_sha256"]
    assert current(state_dir) is None


def test_another_zone_is_shown_while_another_site_sends_its_readings(tetouan: Command, tmp_path: Path) -> None:
    """The accounting holds all readings; forecasts and scores are those of the site and the zone that were chosen.

    The other site begins while the demo's models are still being fitted, and does not wait for models of its own.
    """
    (tmp_path / "sites.toml").write_text(
        '[north]\nstep_minutes = 15\ntime_zone = "UTC"\ntime_column = "time"\ncolumns = {"Load" = "zone_1_kw"}\n',
        encoding="utf-8",
    )
    file, folder = tmp_path / "result.json", tmp_path / "state"
    demo = ("demo", *WINDOW, "--days", "1", "--speed", "10", "--headless", "--json", str(file))
    process = tetouan(*demo, state_dir=folder, TETOUAN_SITES=str(tmp_path / "sites.toml"), TETOUAN_ZONES="1")
    running = announced_by_now(folder)
    broker = Broker("embedded", running["kafka_bootstrap"], "")
    times = [f"2018-02-01T{n // 4:02}:{n % 4 * 15:02}Z" for n in range(10)]
    readings = [json.dumps({"site": "north", "time": time, "Load": str(90 + n)}) for n, time in enumerate(times)]
    broker.send(topics.RAW, [reading.encode() for reading in readings], key=b"north")
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said
    told = json.loads(file.read_text(encoding="utf-8"))
    assert (told["readings_sent"], told["others_sent"], told["accepted"]) == (144, 10, 154)
    assert (told["forecasts"], told["levels"], told["missing_forecasts"]) == (144, {"adapted": 144}, 0)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with no room left, or a skip that says why it cannot be made."""
    place = tmp_path / "full"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("full disk: run as root where a small tmpfs can be mounted to run this test")
    try:
        with suppress(OSError), (place / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        yield place
    finally:
        # lazily: who still has a file open there must not keep it from going
        subprocess.run(["umount", "--lazy", str(place)], check=True)  # noqa: S607 - the system's own


@pytest.mark.parametrize("command", [DEMO, ("train", "--data", "synthetic", "--until", "2018-02-01")])
def test_a_full_disk_is_said_in_one_line(full_disk: Path, tetouan: Command, command: tuple[str, ...]) -> None:
    """What cannot write its state ends with code 2 and a line that names the folder and the setting."""
    process = tetouan(*command, state_dir=full_disk)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2, said
    line = said.strip().splitlines()[-1]
    assert "No space left on device" in line or "disk is full" in line
    assert "TETOUAN_STATE_DIR" in line
    assert "Traceback" not in said


@pytest.mark.skipif(sys.platform != "linux", reason="what runs is looked up in /proc: run it on Linux")
def test_no_process_outlives_a_demo_that_is_killed(tetouan: Command, state_dir: Path) -> None:
    """Killed without a warning in the middle of the stream, it takes services, replay and broker with it."""
    process = tetouan(*DEMO[:-3], "--speed", "20", "--headless", state_dir=state_dir)
    broker = Broker("embedded", announced_by_now(state_dir)["kafka_bootstrap"], "")
    assert broker.read(topics.FORECASTS, 1)
    assert len(of_demo(state_dir)) > len(SERVICES)
    process.kill()
    process.wait()
    until(lambda: not of_demo(state_dir), "all processes of the demo to end")


def of_demo(state_dir: Path) -> list[str]:
    """Return the command lines of the processes that run with this state folder."""
    found = []
    for running in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            if str(state_dir).encode() in (running / "environ").read_bytes():
                found.append((running / "cmdline").read_text(encoding="utf-8").replace("\0", " "))
    return found


def test_a_service_that_dies_ends_the_demo_with_its_last_log_lines(tetouan: Command, state_dir: Path) -> None:
    """Somebody kills the ingestor: the demo stops, names it, and shows the end of its log."""
    process = tetouan(*DEMO[:-3], "--speed", "20", "--headless", state_dir=state_dir)
    announced_by_now(state_dir)
    ingestor_log = max((state_dir / "runs").glob("*/ingestor.log"))
    pid = re.search(r"pid=(\d+)", ingestor_log.read_text(encoding="utf-8"))
    assert pid is not None
    os.kill(int(pid[1]), signal.SIGKILL)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "ingestor has died with exit code -9" in said
    assert "listening" in said


@pytest.mark.parametrize(
    ("args", "settings", "line"),
    [
        (("demo",), {"TETOUAN_ZONES": "9"}, "TETOUAN_ZONES=9: tetouan has no load of zone 9: set it to some of 1,2,3"),
        (("demo",), {"TETOUAN_STATE_DIR": "/proc/nowhere"}, "set TETOUAN_STATE_DIR to a folder of yours"),
        (("demo", "--data", "/nowhere.csv"), {}, "/nowhere.csv"),
        (("demo", "--data", "synthetic", "--from", "2018-01-05"), {}, "too few for zone-demand"),
        (("backtest", "--data", "synthetic", "--from", "2030-01-01"), {}, "no reading from 2030-01-01 00:00 on"),
        (("replay", "--data", "synthetic"), {"TETOUAN_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "TETOUAN_KAFKA_BOOTSTRAP"),
        (("watch", "forecasts"), {"TETOUAN_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "TETOUAN_KAFKA_BOOTSTRAP"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    tetouan: Command, tmp_path: Path, args: tuple[str, ...], settings: dict[str, str], line: str
) -> None:
    """The exit code is 2 and the last line says what to change; no traceback."""
    process = tetouan(*args, state_dir=tmp_path / "state", **settings)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2, said
    assert line in said.strip().splitlines()[-1]
    assert "Traceback" not in said


def test_a_demo_answers_whoever_asks_until_ctrl_c_ends_it(
    tetouan: Command, state_dir: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """`/predict` is answered by the model that the forecaster runs, the examples print forecasts, a node holds one.

    After an interrupt the summary is printed, no demo is announced any more, and the exit code is 0.
    """
    port = free_port()
    process = tetouan(*DEMO[:-3], "--speed", "20", "--headless", state_dir=state_dir, TETOUAN_OPCUA_PORT=str(port))
    running = announced_by_now(state_dir)
    kafka, gateway = running["kafka_bootstrap"], running["http"]["gateway"]
    until(lambda: predicting_model(gateway) == "weather-demand-tetouan-2/1", "the gateway to answer with the model")
    latest = "/api/v1/sites/tetouan/zones/2/forecasts/latest"
    until(lambda: httpx.get(gateway + latest, timeout=PATIENCE_S).is_success, "the first forecast in the history")
    for name, printed in printed_by_clients(kafka, gateway, tmp_path / "picture.png").items():
        assert printed.count("tetouan zone 2") == (1 if name == "draw_forecast" else 2), name
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert asyncio.run(node_value(port, "tetouan/2/Forecast60min")) > 0
    process.send_signal(signal.SIGINT)
    shown, said = process.communicate(timeout=PATIENCE_S)
    assert "forecasts" in shown
    assert process.returncode == 0, said
    assert current(state_dir) is None


def predicting_model(gateway: str) -> str | None:
    """Return the model by which a gateway answers `/predict`, None while it does not."""
    weather = {"Temperature": 15, "Humidity": 70, "WindSpeed": 1, "GeneralDiffuseFlows": 200, "DiffuseFlows": 50}
    request = {"Timestamp": "2018-02-03 12:00:00", **weather}
    with suppress(httpx.TransportError):
        answered = httpx.post(gateway + "/predict", json=request, timeout=PATIENCE_S)
        return str(answered.json()["model"]) if answered.is_success else None
    return None


def printed_by_clients(bootstrap: str, gateway: str, picture: Path) -> dict[str, str]:
    """Run the examples one after the other; return what each has printed. Each must end with exit code 0."""
    kafka, http = ("--bootstrap", bootstrap, "--count", "2"), ("--gateway", gateway)
    clients = {
        "subscribe_confluent": kafka,
        "subscribe_faststream": kafka,
        "subscribe_aiokafka": (*kafka, "--from-start"),
        "stream_httpx": (*http, "--count", "2"),
        "draw_forecast": (*http, "--output", str(picture)),
    }
    printed = {}
    for name, arguments in clients.items():
        command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
        assert ended.returncode == 0, f"{name}: {ended.stderr}"
        printed[name] = ended.stdout
    return printed


async def node_value(port: int, name: str) -> float:
    """Return what a node of the OPC UA server holds."""
    async with Client(f"opc.tcp://127.0.0.1:{port}/", timeout=PATIENCE_S) as client:
        namespace = await client.get_namespace_index("urn:tetouan-streaming-forecaster")
        return float(await client.get_node(ua.NodeId(name, namespace)).read_value())
