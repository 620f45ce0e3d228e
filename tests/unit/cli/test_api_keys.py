"""`tetouan keys`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from cli.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work on a state folder of the test's own."""
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("TETOUAN_DATABASE_URL", raising=False)


def keys(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    """Return the exit code of a command."""
    monkeypatch.setattr(sys, "argv", ["tetouan", "keys", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_a_key_is_printed_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Alone on standard output; neither the list nor the files hold it."""
    assert keys(monkeypatch, "create", "dashboard") == 0
    key = capsys.readouterr().out.strip()
    assert key.startswith("tetouan_")
    assert keys(monkeypatch, "list") == 0
    listed = capsys.readouterr().out
    assert "dashboard" in listed
    assert key not in listed
    assert [file for file in tmp_path.rglob("*") if file.is_file() and key.encode() in file.read_bytes()] == []
    assert keys(monkeypatch, "revoke", "dashboard") == 0
    capsys.readouterr()
    assert keys(monkeypatch, "list", "--json") == 0
    (told,) = json.loads(capsys.readouterr().out)["keys"]
    assert told["name"] == "dashboard"
    assert told["revoked"] is not None


def test_the_database_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A key can be made before there is one, and that is said; whoever mistypes the folder of one sees it."""
    place = f"sqlite:///{tmp_path}/history/history.db"
    for words in (["list"], ["list", "--json"], ["revoke", "dashboard"]):
        assert keys(monkeypatch, *words) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith(f"tetouan: there is no history at {place}: run the gateway first")
        assert list(tmp_path.iterdir()) == []
    assert keys(monkeypatch, "create", "dashboard") == 0
    assert f"in {place}, which is new" in capsys.readouterr().err
    for words in (["create", "ems"], ["list"], ["list", "--json"], ["revoke", "dashboard"]):
        assert keys(monkeypatch, *words) == 0
        assert f"in {place}\n" in capsys.readouterr().err


def test_what_cannot_be_done_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It names the key, or the database without its password."""
    assert keys(monkeypatch, "create", "dashboard") == 0
    capsys.readouterr()
    assert keys(monkeypatch, "revoke", "nobody") == 2
    assert capsys.readouterr().err == (
        f"tetouan: no key named 'nobody' is in force in sqlite:///{tmp_path}/history/history.db: `tetouan keys list` "
        "shows which are\n"
    )
    monkeypatch.setenv("TETOUAN_DATABASE_URL", "postgresql://user:secret@127.0.0.1:1/history")
    assert keys(monkeypatch, "list") == 2
    said = capsys.readouterr().err
    assert "is away" in said
    assert "secret" not in said
    assert said.count("\n") == 1
