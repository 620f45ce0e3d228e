"""The wiring of the gateway."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, cast

import httpx
import pytest
import structlog

from services.gateway.app import build
from services.gateway.database import Database, url_of
from services.gateway.settings import GatewaySettings
from shared.runtime.settings import Refused, load

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.routing import BaseRoute, Mount


def application(routes: tuple[BaseRoute, ...]) -> httpx.ASGITransport:
    """Return what answers for all paths that are not those of every service."""
    return httpx.ASGITransport(cast("Mount", routes[-1]).app)


def test_a_folder_that_cannot_be_made_stops_the_start_before_anything_listens(tmp_path: Path) -> None:
    """In one line that says what to change."""
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="TETOUAN_STATE_DIR"):
        build(load(GatewaySettings, state_dir=tmp_path / "file"))


def test_a_file_that_is_no_database_stops_the_start_before_anything_listens(tmp_path: Path) -> None:
    """It is left as it is."""
    file = tmp_path / "notes.db"
    file.write_text("nothing that SQLite has written\n" * 100)
    with pytest.raises(Refused, match=r"notes.db is no SQLite database.*TETOUAN_DATABASE_URL"):
        build(load(GatewaySettings, state_dir=tmp_path, database_url=f"sqlite:///{file}"))
    assert file.read_text().startswith("nothing")


def test_a_history_of_a_later_release_stops_the_start_before_anything_listens(tmp_path: Path) -> None:
    """One line says that this release does not know its tables."""
    settings = load(GatewaySettings, state_dir=tmp_path)
    database = Database(url_of(settings))
    database.migrate()
    with database.writer.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    with pytest.raises(Refused, match=r"is not of this release.*9999"):
        build(settings)


def test_a_busy_file_does_not_stop_the_start(tmp_path: Path) -> None:
    """Another process may hold it for a while: it is waited for once the gateway listens."""
    settings = load(GatewaySettings, state_dir=tmp_path)
    database = Database(url_of(settings))
    database.migrate()
    database.close()
    with closing(sqlite3.connect(tmp_path / "history" / "history.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        build(settings)


def test_a_request_before_the_tables_are_there_waits_for_them(tmp_path: Path) -> None:
    """A new gateway on loopback needs no key, and says nothing of a database that is away."""
    service = build(load(GatewaySettings, state_dir=tmp_path))
    prepare = service.companions[0]

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=application(service.routes)) as client:
            asking = asyncio.create_task(client.get("http://localhost/api/v1/sites"))
            await asyncio.sleep(0)
            preparing = asyncio.create_task(prepare())
            answer = await asking
            preparing.cancel()
            await asyncio.gather(preparing, return_exceptions=True)
            return answer

    with structlog.testing.capture_logs() as logs:
        answer = asyncio.run(ask())
    assert answer.status_code == 200
    assert [line for line in logs if "keys" in line["event"]] == []


def test_an_opcua_server_that_cannot_be_had_stops_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In one line: its port is taken, or the extra is not installed; without a port there is none."""
    assert len(build(load(GatewaySettings, state_dir=tmp_path)).companions) == 4
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=f"TETOUAN_OPCUA_PORT={port}: 127.0.0.1 cannot be listened on"):
            build(load(GatewaySettings, state_dir=tmp_path, opcua_port=port))
    assert len(build(load(GatewaySettings, state_dir=tmp_path, opcua_port=port)).companions) == 5
    monkeypatch.setattr("services.gateway.app.lacking_opcua", lambda what: f"{what} needs asyncua")
    with pytest.raises(Refused, match="the OPC UA server needs asyncua"):
        build(load(GatewaySettings, state_dir=tmp_path, opcua_port=port))
