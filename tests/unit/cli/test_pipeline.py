"""`tetouan pipeline`: which steps are run, which are not run again, and what is said of each."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import typer
from filelock import FileLock
from typer.testing import CliRunner

from cli import pipeline
from cli.__main__ import app
from cli.pipeline import Workbench
from cli.steps import PARAMETERS, REPORT, STEPS, makers_of
from shared.runtime.settings import Refused
from tests.unit.cli.test_reproducing import trained

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from typer.testing import Result

    from cli.steps import WorkbenchStep

__all__ = ["trained"]  # a fixture

OUTSIDE = [step.name for step in STEPS if step.outside]
ALL = [step.name for step in STEPS if step.name != REPORT]
LEAD = {"rmse_kw": 871.0, "coverage": 0.91}
RESULTS: dict[str, dict[str, Any]] = {
    "doctor": {"checks": [{"check": "ports", "state": "ok", "found": "", "advice": ""}]},
    "data": {
        "label": "file load.csv",
        "rows": 9,
        "first": "2017-01-01T00:00",
        "last": "2017-01-02T00:00",
        "zones": [3],
    },
    "clean": {"rows": 9, "as_it_was": 8, "flagged": 1, "repeated": 0, "refused": 0},
    "eda": {"doubts": [], "clock_changes": []},
    "train": {"models": [{"model": "zone-demand-tetouan-3/1", "reason": "it is the first version"}]},
    "compare": {
        "results": [{"model": "stream", "lead_minutes": 1440, "rmse_kw": 871.0, "trained_on_this_data": False}]
    },
    "register": {"models": [{"model": "zone-demand-tetouan-3", "version": "1", "aliases": ["champion"]}]},
    "verify": {"checks": [{"version": "a/1", "check": "files", "state": "ok", "found": ""}]},
    "backtest": {"leads": {"1440": LEAD}},
    "reproduce": {
        "versions": [{"version": "a/1", "reproduced": True, "allowed_relative_difference": 0.0, "not_equal": []}]
    },
}


@dataclass
class Commands:
    """Stands for the processes: writes what each step would write, and notes what was run."""

    folder: Path
    readings: str = "readings"
    faults: dict[str, tuple[int, str]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    words: dict[str, list[str]] = field(default_factory=dict)

    def run(self, workbench: Workbench, step: WorkbenchStep, _tell: Callable[[str], None]) -> tuple[int, str]:
        """Write the results of a step, but where it is to end with an error before that."""
        self.ran.append(step.name)
        self.words[step.name] = workbench.words(step)
        code, line = self.faults.get(step.name, (0, ""))
        if code != 2:
            for file in step.writes:
                content = self.readings if file in ("readings", "clean.csv") else step.name
                (self.folder / file).write_text(content)
            (self.folder / step.result).write_text(json.dumps(RESULTS[step.name]))
        return code, line

    def since(self) -> list[str]:
        """Return what was run since this was asked last."""
        ran, self.ran = self.ran, []
        return ran


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """A folder of results, and commands that cost nothing."""
    found = Commands(tmp_path / "results")

    def stand_in(workbench: Workbench, step: WorkbenchStep, tell: Callable[[str], None]) -> tuple[int, str]:
        return found.run(workbench, step, tell)

    monkeypatch.setattr(Workbench, "_command", stand_in)
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path / "state"))
    return found


def run(commands: Commands, *words: str) -> Result:
    """Return what comes of the command."""
    return CliRunner().invoke(app, ["pipeline", "--folder", str(commands.folder), *words], catch_exceptions=False)


def test_all_steps_run_once_and_the_page_links_what_they_wrote(commands: Commands, tmp_path: Path) -> None:
    """Each in its turn; the table and the JSON say what came of each."""
    done = run(commands, "--json", str(tmp_path / "told.json"))
    assert done.exit_code == 0
    assert commands.ran == ALL
    page = (commands.folder / "index.html").read_text(encoding="utf-8")
    files = {file for step in STEPS for file in step.shown}
    assert {file for file in files if f'href="{file}"' not in page} == set()
    told = json.loads((tmp_path / "told.json").read_text())
    assert {step["state"] for step in told["steps"].values()} == {"well"}
    assert "a day ahead RMSE 871 kW, the 90 % interval covers 91.0 %" in done.stdout


def test_a_second_run_does_only_what_depends_on_the_outside(commands: Commands) -> None:
    """The others read the same files with the same code."""
    run(commands)
    commands.since()
    done = run(commands)
    assert commands.ran == OUTSIDE
    assert "unchanged" in done.stdout


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ("data", ALL),
        ("parameter", [*OUTSIDE, "compare"]),
        ("code", ALL),
        ("output", [*OUTSIDE, "backtest"]),
        ("another's output", [*OUTSIDE, "backtest"]),
        ("prior", ALL),
    ],
)
def test_what_has_changed_runs_again(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, change: str, again: list[str]
) -> None:
    """And no other step: what it writes is the same."""
    run(commands)
    commands.since()
    match change:
        case "data":
            commands.readings = "others"
        case "code":
            monkeypatch.setattr(pipeline, "code_sha256", lambda: "0")
        case "output":
            (commands.folder / "backtest.html").unlink()
        case "another's output":
            (commands.folder / "backtest.html").write_text("of another run")
        case "prior":
            monkeypatch.setenv("TETOUAN_PRIOR", str(commands.folder / "prior.npz"))
    run(commands, *(["--compare", "naive"] if change == "parameter" else []))
    assert sorted(commands.ran) == sorted(again)


def test_a_failure_stops_what_needs_it_and_the_next_run_goes_on_there(commands: Commands) -> None:
    """The line of the command is what to do; what does not need it has been run."""
    commands.faults["train"] = (2, "too few readings: give a longer file")
    done = run(commands)
    assert done.exit_code == 1
    assert "train: fits, scores, registers and promotes the models of the zones" in done.output
    assert "too few readings: give a longer file" in done.stdout
    assert "it needs train: mend that step" in done.output
    assert {"compare", "backtest"} <= set(commands.since())
    assert "To do:" in (commands.folder / "index.html").read_text(encoding="utf-8")
    commands.faults.clear()
    assert run(commands).exit_code == 0
    assert commands.ran == ["doctor", "data", "train", "register", "verify", "reproduce"]


def test_a_result_that_is_not_well_says_what_is_wrong(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reproduction that differs names what differs, and fails."""
    check = {"what": "library", "name": "numpy", "verdict": "differs"}
    version = {"version": "a/1", "reproduced": False, "allowed_relative_difference": 0.0, "not_equal": [check]}
    monkeypatch.setitem(RESULTS, "reproduce", {"versions": [version]})
    commands.faults["reproduce"] = (1, "")
    done = run(commands)
    assert done.exit_code == 1
    assert "library numpy differ: see the page" in done.stdout


def test_a_crash_is_not_told_with_the_result_of_the_run_before(
    commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last line that the command said is what there is to say."""
    run(commands)
    commands.faults["verify"] = (2, "MemoryError")
    monkeypatch.setitem(RESULTS, "verify", {"checks": []})
    done = run(commands)
    assert done.exit_code == 1
    assert "MemoryError" in done.stdout
    assert "checks passed" not in done.stdout


def test_a_result_that_cannot_be_read_ends_nothing(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of another release in the folder is said, after all steps have run."""
    monkeypatch.setitem(RESULTS, "backtest", {"leads": {}})
    done = run(commands)
    assert done.exit_code == 0
    assert "its result cannot be read: delete it, and run the step again" in done.stdout


def test_two_pipelines_do_not_work_in_one_folder(commands: Commands) -> None:
    """The second one says what to do, and touches nothing."""
    commands.folder.mkdir()
    with FileLock(commands.folder / ".lock"), pytest.raises(Refused, match=r"another pipeline works in .+: wait for"):
        run(commands)
    assert commands.ran == []


def test_the_doctor_advises_and_stops_nothing(commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other steps need no port of the machine."""
    check = {"check": "ports", "state": "wrong", "found": "8000 is taken", "advice": "end its holder"}
    monkeypatch.setitem(RESULTS, "doctor", {"checks": [check]})
    commands.faults["doctor"] = (1, "")
    done = run(commands)
    assert done.exit_code == 0
    assert "ports: end its holder" in done.stdout


def test_the_zone_is_that_of_the_readings(commands: Commands) -> None:
    """What `tetouan data` has found in the file."""
    run(commands)
    assert commands.words["backtest"][3:5] == ["--zone", "3"]


def test_steps_are_chosen(commands: Commands) -> None:
    """One of them, or all from one on; what they need has to be there."""
    done = run(commands, "--only", "backtest")
    assert (done.exit_code, commands.since()) == (1, [])
    assert "it needs clean" in done.output
    run(commands)
    commands.since()
    run(commands, "--from", "backtest")
    assert commands.since() == []
    (commands.folder / "backtest.json").unlink()
    run(commands, "--from", "backtest")
    assert commands.since() == ["backtest"]


def test_a_dry_run_runs_nothing(commands: Commands) -> None:
    """Each step has a line with its command, and whether it would be run."""
    assert "run        clean      tetouan clean --data" in run(commands, "--dry-run").stdout
    assert commands.ran == []
    run(commands)
    commands.since()
    said = run(commands, "--dry-run").stdout
    assert "unchanged  clean      tetouan clean --data" in said
    assert "run        data       tetouan data" in said
    assert commands.ran == []


def test_what_was_kept_and_cannot_be_read_counts_as_nothing(commands: Commands) -> None:
    """As after a full disk."""
    commands.folder.mkdir()
    (commands.folder / "steps.json").write_text('{"clean": {"state": "splendid"}}')
    assert run(commands).exit_code == 0
    assert commands.ran == ALL


@pytest.mark.parametrize("step", STEPS, ids=[step.name for step in STEPS])
def test_each_step_is_a_command_with_options_that_it_has(step: WorkbenchStep, tmp_path: Path) -> None:
    """It is parsed, and not run."""
    group: Any = typer.main.get_command(app)
    words = step.words(str(tmp_path), PARAMETERS)
    while hasattr(group, "commands"):
        name, *words = words
        group = group.commands[name]
    group.make_context(name, words)


def test_each_step_reads_what_steps_before_it_write() -> None:
    """So that the order in which they stand is one in which they can run."""
    names = [step.name for step in STEPS]
    for step in STEPS:
        makers = makers_of(step)
        assert {file for each in makers for file in (each.result, *each.writes)} >= set(step.reads)
        assert all(names.index(each.name) < names.index(step.name) for each in makers)


@pytest.mark.slow
def test_commands_run_in_processes_of_their_own(trained: Path, tmp_path: Path) -> None:
    """What they say is in a log; the last line of one that refuses is what to do."""
    words = [
        "pipeline",
        "--data",
        str(trained / "small.csv"),
        "--folder",
        str(tmp_path),
        "--only",
        "data,clean,register",
    ]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 1
    assert "3,168 rows: 3,168 as they were" in done.stdout
    assert "it needs train" in done.output
    assert "3,168 readings" in (tmp_path / "logs" / "clean.log").read_text()
    refused = CliRunner().invoke(
        app, ["pipeline", "--data", "nowhere.csv", "--folder", str(tmp_path), "--only", "data"]
    )
    assert refused.exit_code == 1
    assert "nowhere.csv: No such file" in refused.stdout
