"""What `tetouan doctor` sees of a machine."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from cli import observing
from cli.ports import ports_of
from cli.settings import CommandSettings
from shared.runtime.settings import load

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_lock_is_read_for_this_machine(tmp_path: Path) -> None:
    """What belongs on another one is left out, names are written in one way, and hashes are no packages."""
    file = tmp_path / "requirements.lock"
    file.write_text(
        "Some_Package==1.2 \\\n    --hash=sha256:00\n    # via\nwin==3 ; sys_platform == 'win32'\n",
        encoding="utf-8",
    )
    assert observing.locked(file) == {"some-package": "1.2"}
    assert observing.locked(tmp_path / "none") is None


def test_this_environment_is_as_its_lock_says() -> None:
    """As `make` installs it."""
    locked, installed = observing.locked(), observing.installed()
    assert locked
    assert locked.items() <= installed.items()


def test_who_holds_a_port_is_named() -> None:
    """By process and command, where the system tells."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        (port,) = ports_of("127.0.0.1", {"ingestor": taken})
        assert port.holder is not None
        assert f"pid {os.getpid()}" in port.holder
    assert ports_of("127.0.0.1", {"ingestor": taken})[0].holder is None


def test_a_folder_that_is_not_there_yet_is_looked_at_above(tmp_path: Path) -> None:
    """Nothing is made, and nothing is left."""
    there, free_bytes, fault = observing.write_fault(tmp_path / "a" / "b")
    assert (there, fault) == (tmp_path, None)
    assert free_bytes > 0
    assert list(tmp_path.iterdir()) == []


def test_the_year_is_told_by_its_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is not there, or broken, is no year; a folder is none."""
    monkeypatch.delenv("TETOUAN_DATA", raising=False)
    assert observing.data_of(load(CommandSettings, state_dir=tmp_path))[1:] == (None, None, False)
    file = tmp_path / "load.csv"
    assert observing.data_of(load(CommandSettings, data=str(file)))[2] == "No such file or directory"
    file.write_text("time,load\n", encoding="utf-8")
    _, sha256, fault, published = observing.data_of(load(CommandSettings, data=str(file)))
    assert (len(sha256 or ""), fault, published) == (64, None, False)
    file.write_bytes(b"PK\x03\x04 no archive")
    assert "the zip is broken" in (observing.data_of(load(CommandSettings, data=str(file)))[2] or "")


def test_no_broker_is_a_fault_and_not_an_error() -> None:
    """Nothing that needs one is asked then."""
    settings = load(CommandSettings, kafka_bootstrap="127.0.0.1:1")
    broker = observing.broker_of(settings)
    assert "does not answer" in (broker.fault or "")
    assert observing.lags_of(settings, broker) is None


def test_a_registry_that_nobody_has_made_is_not_made(tmp_path: Path) -> None:
    """One that is no database is a fault."""
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    assert observing.registry_of(uri, tmp_path) == (None, None)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mlflow.db").write_text("no database" * 100, encoding="utf-8")
    assert "cannot be used" in (observing.registry_of(uri, tmp_path)[1] or "")


def test_without_docker_its_reason_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing on the path is called so."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert observing.docker_of() == (None, "docker is not installed")
