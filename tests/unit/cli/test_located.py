"""`tetouan data` prints where the file of the year is, and only that, on standard output."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from typer.testing import CliRunner

from cli.__main__ import app

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TABLE = "time,load\n" + "".join(f"2024-01-01 {hour:02}:00,{100 + hour % 7}\n" for hour in range(24))


def test_the_path_of_a_file_is_printed_and_what_tells_it_from_others_is_written(tmp_path: Path) -> None:
    """A script takes the one line; the JSON has checksum, rows and span."""
    file, told = tmp_path / "load.csv", tmp_path / "told.json"
    file.write_text(TABLE, encoding="utf-8")
    ran = CliRunner().invoke(app, ["data", "--data", str(file), "--json", str(told)])
    assert (ran.exit_code, ran.stdout) == (0, f"{file}\n")
    report = json.loads(told.read_text(encoding="utf-8"))
    assert report["file"] == str(file)
    assert report["sha256"] == hashlib.sha256(TABLE.encode()).hexdigest()
    assert (report["rows"], report["source"]) == (24, "file")
    assert (report["first"], report["last"]) == ("2024-01-01T00:00:00+00:00", "2024-01-01T23:00:00+00:00")


def test_a_synthetic_year_does_not_stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the published year cannot be had nothing is printed as its path, and the reason is told."""
    monkeypatch.delenv("TETOUAN_DATA", raising=False)
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("TETOUAN_DATA_URL", "http://127.0.0.1:1/")
    ran = CliRunner().invoke(app, ["data"])
    assert (ran.exit_code != 0, ran.stdout) == (True, "")
    assert "could not be downloaded" in str(ran.exception)
