"""Which demo the other commands speak to, and which folders of ended demos stay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cli.runs import KEPT_RUNS, announced, current, new_run
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from pathlib import Path

ADDRESSES = {"kafka_bootstrap": "127.0.0.1:9092"}


@pytest.fixture
def ended_pid() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_demo_is_announced_as_long_as_it_runs(tmp_path: Path) -> None:
    """Its addresses are found while the block runs, and not after it."""
    with announced(tmp_path, ADDRESSES) as other:
        assert other is None
        assert current(tmp_path) == {**ADDRESSES, "pid": os.getpid()}
    assert current(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_the_demo_before_is_announced_again(tmp_path: Path) -> None:
    """The one that started last is found; when it ends, the one before it, as it still runs."""
    former = {"kafka_bootstrap": "127.0.0.1:1111", "pid": os.getppid()}
    (tmp_path / "current.json").write_text(json.dumps(former))
    with announced(tmp_path, ADDRESSES) as other:
        assert other == former
        found = current(tmp_path)
        assert found is not None
        assert found["kafka_bootstrap"] == "127.0.0.1:9092"
    assert current(tmp_path) == former


def test_a_later_demo_stays_announced(tmp_path: Path) -> None:
    """A demo that ends before one that started after it leaves the announcement alone."""
    later = {"kafka_bootstrap": "127.0.0.1:2222", "pid": os.getppid()}
    with announced(tmp_path, ADDRESSES):
        (tmp_path / "current.json").write_text(json.dumps(later))
    assert current(tmp_path) == later


def test_a_demo_that_was_killed_is_not_found(tmp_path: Path, ended_pid: int) -> None:
    """An announcement whose process has ended counts as none, for readers and for the next demo."""
    (tmp_path / "current.json").write_text(json.dumps({**ADDRESSES, "pid": ended_pid}))
    assert current(tmp_path) is None
    with announced(tmp_path, ADDRESSES) as other:
        assert other is None


def test_the_last_ended_runs_stay(tmp_path: Path, ended_pid: int) -> None:
    """Of the folders of ended demos the newest ten stay; those of running ones all do."""
    runs = tmp_path / "runs"
    ended = [runs / f"20260101T0000{n:02}-{ended_pid}" for n in range(KEPT_RUNS + 3)]
    running = runs / f"20250101T000000-{os.getppid()}"
    for run in (*ended, running):
        run.mkdir(parents=True)
    mine = new_run(tmp_path)
    assert set(runs.iterdir()) == {*ended[3:], running, mine}


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    """The line names the folder and the setting."""
    (tmp_path / "runs").write_text("a file in the way")
    with pytest.raises(Refused, match="set TETOUAN_STATE_DIR to a folder of yours"):
        new_run(tmp_path)
