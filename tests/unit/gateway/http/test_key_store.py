"""Keys in the database of the history, on every database there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from services.gateway.database import Database, url_of
from services.gateway.http.doors import doors_of
from services.gateway.http.key_store import KeyStore
from services.gateway.http.keys import at_once, find
from services.gateway.http.metrics import HttpMetrics
from services.gateway.settings import GatewaySettings
from shared.runtime.settings import Refused, load

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(database: Database) -> KeyStore:
    """No keys."""
    return KeyStore(database)


def test_a_key_opens_until_it_is_revoked(store: KeyStore) -> None:
    """It is returned once, kept as a hash, and known by its name."""
    key, other = store.create("dashboard"), store.create("ems")
    kept = store.hashes()
    found = find(kept, key)
    assert found is not None
    assert found.name == "dashboard"
    assert key not in repr(kept)
    store.revoke("dashboard")
    assert find(store.hashes(), key) is None
    assert find(store.hashes(), other) is not None
    told = {each.name: each.revoked for each in store.listed()}
    assert told["dashboard"] is not None
    assert told["ems"] is None


def test_a_name_stands_for_one_key(store: KeyStore) -> None:
    """Also that of a revoked one, so that logs and metrics mean one client."""
    store.create("a")
    with pytest.raises(Refused, match=r"a key named 'a'"):
        store.create("a")
    with pytest.raises(Refused, match=r"no key named 'b'"):
        store.revoke("b")
    store.revoke("a")
    with pytest.raises(Refused, match=r"no key named 'a'"):
        store.revoke("a")
    with pytest.raises(Refused, match="a name is never used again, also where its key is revoked"):
        store.create("a")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 101])
def test_a_name_can_be_read(store: KeyStore, name: str) -> None:
    """One that cannot is refused and shown."""
    with pytest.raises(Refused, match="cannot be named"):
        store.create(name)


def test_a_name_is_data(store: KeyStore) -> None:
    """Quotes and SQL in it are no more than that."""
    name = "a'; DROP TABLE api_keys; --"
    store.create(name)
    store.revoke(name)
    assert [key.name for key in store.listed()] == [name]


@pytest.fixture
def here(tmp_path: Path) -> Iterator[KeyStore]:
    """A database that nobody has made yet."""
    database = Database(url_of(load(GatewaySettings, state_dir=tmp_path)))
    yield KeyStore(database)
    database.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])  # noqa: S104 - nothing listens
def test_others_are_not_let_in_without_a_key(here: KeyStore, host: str) -> None:
    """The start is refused in one line that says both ways out; with a key, or where the setting says so, it is not."""
    metrics = HttpMetrics(CollectorRegistry())
    with pytest.raises(Refused) as refused:
        doors_of(load(GatewaySettings, http_host=host), here, metrics, at_once)
    line = str(refused.value)
    assert f"TETOUAN_HTTP_HOST={host}" in line
    assert "tetouan keys create" in line
    assert "TETOUAN_HTTP_OPEN=true" in line
    assert "\n" not in line
    is_open = doors_of(load(GatewaySettings, http_host=host, http_open=True), here, metrics, at_once)
    assert not is_open.needs_key
    here.create("a")
    assert doors_of(load(GatewaySettings, http_host=host), here, metrics, at_once).needs_key
    here.revoke("a")
    with pytest.raises(Refused):
        doors_of(load(GatewaySettings, http_host=host), here, metrics, at_once)


def test_this_machine_is_let_in(here: KeyStore) -> None:
    """By default the gateway listens on loopback."""
    doors = doors_of(load(GatewaySettings), here, HttpMetrics(CollectorRegistry()), at_once)
    assert not doors.needs_key
    assert doors.takes_host("127.0.0.1")
    assert not doors.takes_host("gateway")


@pytest.mark.parametrize(
    ("host", "is_taken"),
    [
        ("localhost", True),
        ("gateway", True),
        ("192.0.2.7", True),
        ("2001:db8::7", True),
        ("grid.example", True),
        ("rebound.example", False),
        ("localhost.rebound.example", False),
    ],
)
def test_an_open_gateway_takes_no_name_that_a_page_can_have(here: KeyStore, host: str, *, is_taken: bool) -> None:
    """A page of another site may have its own name point to a port that Compose publishes on this machine."""
    settings = load(GatewaySettings, http_host="0.0.0.0", http_open=True, http_hosts=("Grid.example",))  # noqa: S104 - nothing listens
    assert doors_of(settings, here, HttpMetrics(CollectorRegistry()), at_once).takes_host(host) is is_taken


def test_a_database_that_is_away_opens_nothing() -> None:
    """The gateway starts and waits for it, and nobody comes in without a key meanwhile."""
    settings = load(GatewaySettings, http_host="192.0.2.7", database_url="postgresql://u:secret@127.0.0.1:1/x")
    database = Database(url_of(settings))
    assert doors_of(settings, KeyStore(database), HttpMetrics(CollectorRegistry()), at_once).needs_key
    database.close()
