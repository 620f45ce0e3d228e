"""`tetouan models verify`: a champion that a forecaster could not run, or that has changed, is found."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

from shared.runtime.registered import FILE
from shared.training.record import ModelFile, TrainingRecord
from tests.unit.cli.test_models import DEMAND, WEATHER, Here, both, empty, here, models

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["empty", "here", "models"]  # fixtures


def recorded(file: Path, content: bytes) -> None:
    """Write the record of a training that came to a file of that content."""
    digest = ModelFile(size_bytes=len(content), sha256=sha256(content).hexdigest())
    TrainingRecord(
        data="file load.csv",
        data_sha256="a",
        data_rows=9,
        fit_rows=9,
        fit_loads=9,
        days={},
        libraries={},
        machine="",
        code_version="1",
        code_sha256="0",
        files={FILE: digest},
    ).write(file.parent)


def spoilt(file: Path) -> None:
    """Make a file no model."""
    file.write_bytes(b"no model")


def test_champions_that_a_forecaster_can_run_are_well(here: Here) -> None:
    """Exit code 0; what an older release has not recorded is a note."""
    both(here)
    told = here.folder / "told.json"
    code, out, _ = here.run("verify", "--json", str(told))
    assert code == 0
    assert "loaded" in out
    checks = {(each["version"], each["check"]): each["state"] for each in json.loads(told.read_text())["checks"]}
    assert checks[f"{DEMAND}/1", "files"] == "note"
    assert checks[f"{DEMAND}/1", "forecast"] == "ok"
    assert checks[f"{DEMAND}/1 and {WEATHER}/1", "loaded"] == "ok"


def test_files_are_compared_with_their_record(here: Here) -> None:
    """Those that were registered are well; one that has changed since is not, and the line says what to do."""
    here.registry.promote(here.register(DEMAND, spoil=lambda file: recorded(file, file.read_bytes())))
    assert here.run("verify")[0] == 0
    here.registry.promote(here.register(DEMAND, spoil=lambda file: recorded(file, b"another")))
    code, out, _ = here.run("verify")
    assert code == 1
    assert f"{FILE} is not as it was registered: run `tetouan train`" in out


def test_a_champion_that_cannot_be_loaded_is_wrong(here: Here) -> None:
    """The line is that of the forecaster."""
    here.registry.promote(here.register(DEMAND, spoil=spoilt))
    code, out, _ = here.run("verify")
    assert code == 1
    assert "cannot be used" in out


def test_a_zone_without_a_champion_is_refused(here: Here) -> None:
    """With the command that makes one."""
    code, _, errors = here.run("verify")
    assert code == 2
    assert "zone 2 of tetouan has no champion: run `tetouan train`" in errors
