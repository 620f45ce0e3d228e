"""The demos of one state folder: the folder of each, and which of them the other commands speak to."""

from __future__ import annotations

import json
import os
import re
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from shared.runtime.clock import now
from shared.runtime.settings import unwritable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["announced", "current", "history_of", "last_history", "new_run"]

KEPT_RUNS = 10
HISTORY = "history.db"
NAME = re.compile(r"\d{8}T\d{6}-(?P<pid>\d{1,9})")


def new_run(state_dir: Path) -> Path:
    """Make the folder of a demo, and remove those of ended ones but the last ten; raises ``Refused``."""
    runs = state_dir / "runs"
    run_dir = runs / f"{now():%Y%m%dT%H%M%S}-{os.getpid()}"
    try:
        run_dir.mkdir(parents=True)
    except OSError as error:
        raise unwritable(state_dir, error) from None
    named = {run: NAME.fullmatch(run.name) for run in sorted(runs.iterdir())}
    ended = [run for run, name in named.items() if name and not _alive(int(name["pid"]))]
    for run in ended[:-KEPT_RUNS]:
        shutil.rmtree(run, ignore_errors=True)
    return run_dir


def history_of(run_dir: Path) -> str:
    """Return the address of the history of a demo."""
    return f"sqlite:///{run_dir.absolute() / HISTORY}"


def last_history(state_dir: Path) -> str | None:
    """Return the address of the history of the demo that began last, of those that left one; None where none did."""
    left = [file.parent for file in (state_dir / "runs").glob(f"*/{HISTORY}") if NAME.fullmatch(file.parent.name)]
    return history_of(max(left)) if left else None


def current(state_dir: Path) -> dict[str, Any] | None:
    """Return the addresses of the demo that was announced last, None where none runs."""
    try:
        running: dict[str, Any] = json.loads(_file(state_dir).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return running if _alive(running.get("pid", 0)) else None


@contextmanager
def announced(state_dir: Path, addresses: Mapping[str, Any]) -> Iterator[dict[str, Any] | None]:
    """Announce this process's demo as the one to speak to, until the block ends; yields the one before it, if it runs.

    Then the one before it is announced again, if it still runs.
    """
    former = current(state_dir)
    _write(state_dir, {**addresses, "pid": os.getpid()})
    try:
        yield former
    finally:
        announced_now = current(state_dir)
        if announced_now is not None and announced_now["pid"] == os.getpid():
            if former is not None and _alive(former["pid"]):
                _write(state_dir, former)
            else:
                _file(state_dir).unlink(missing_ok=True)


def _file(state_dir: Path) -> Path:
    return state_dir / "current.json"


def _write(state_dir: Path, addresses: Mapping[str, Any]) -> None:
    draft = state_dir / f"current.json.{os.getpid()}"
    draft.write_text(json.dumps(addresses, indent=1), encoding="utf-8")
    draft.replace(_file(state_dir))


def _alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's process
        return True
    return True
