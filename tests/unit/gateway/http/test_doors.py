"""Who may come in."""

from __future__ import annotations

import asyncio
import logging
from base64 import b64encode
from itertools import count
from threading import Event
from typing import TYPE_CHECKING

import httpx
import pytest
from fastapi import APIRouter
from sqlalchemy.exc import OperationalError

from services.gateway.http.doors import is_loopback
from services.gateway.http.keys import ApiKey, KnownKeys, find, hash_of, new_key
from services.gateway.http.problems import Problem
from tests.unit.gateway.http.asked import Gateway

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEY, OTHER = new_key(), new_key()


def gateway(
    keys: Mapping[str, str] | None = None, *, revoked: Sequence[str] = (), needs_key: bool = False, per_minute: int = 0
) -> Gateway:
    """Return a gateway with one route."""
    router = APIRouter()

    @router.get("/here")
    def here() -> str:
        return "in"

    return Gateway(router, keys=keys, revoked=revoked, needs_key=needs_key, per_minute=per_minute)


def test_from_this_machine_no_key_is_needed() -> None:
    """On loopback, as long as nobody has made one."""
    assert gateway().get("/here").status_code == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:80", "[::1]", "[::1]:8000"])
def test_names_of_this_machine_are_known(host: str) -> None:
    """Whatever a client calls it."""
    assert gateway().get("/here", host=host).status_code == 200


def test_a_name_that_points_here_is_refused() -> None:
    """A page of another site may have its own name point to this machine: no browser can read us so."""
    asked = gateway()
    answer = asked.get("/here", host="rebound.example:8000")
    assert answer.status_code == 403
    assert answer.json()["field"] == "Host"
    assert answer.json()["value"] == "rebound.example:8000"
    assert "tetouan keys create" in answer.json()["detail"]
    assert asked.metric("tetouan_http_refusals_total", door="host") == 1


def test_where_others_reach_the_address_a_key_is_needed() -> None:
    """Also while there is none."""
    answer = gateway(needs_key=True).get("/here")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": f"Bearer {OTHER}"},
        {"Authorization": f"Bearer {KEY}x"},
        {"Authorization": KEY},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Basic ?"},
        {"Authorization": "Basic /w=="},
        {"Authorization": "Bearer "},
        {"X-API-Key": OTHER},
        {"X-API-Key": ""},
    ],
)
def test_without_the_key_nobody_comes_in(headers: Mapping[str, str]) -> None:
    """Once one was made it is needed on loopback too; the answer says how to send one, and repeats none."""
    asked = gateway({"dashboard": KEY})
    answer = asked.get("/here", headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")  # Chromium asks for no other than the first
    assert "tetouan keys create" in answer.json()["detail"]
    assert OTHER not in answer.text
    assert asked.metric("tetouan_http_refusals_total", door="key") == 1


def test_no_path_is_told_without_the_key() -> None:
    """What there is is no matter of who may not come in."""
    assert gateway({"dashboard": KEY}).get("/nothing").status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
        {"X-API-Key": KEY},
        {"Authorization": f"Basic {b64encode(f'shift:{KEY}'.encode()).decode()}"},
    ],
)
def test_with_the_key_one_comes_in(headers: Mapping[str, str]) -> None:
    """By any name of the machine."""
    assert gateway({"other": OTHER, "dashboard": KEY}).get("/here", headers, host="grid.example").status_code == 200


def test_a_revoked_key_opens_nothing_and_closes() -> None:
    """It is refused; and where all are revoked the door stays closed."""
    asked = gateway({"dashboard": KEY}, revoked=["dashboard"])
    assert asked.get("/here", {"X-API-Key": KEY}).status_code == 401
    assert asked.get("/here").status_code == 401


def test_who_came_in_may_stay_as_long_as_the_key_holds() -> None:
    """Whoever came in without one goes, too, once there is one."""
    asked = gateway()

    async def ask(headers: Sequence[tuple[bytes, bytes]]) -> list[bool]:
        doors = asked.doors(clock=lambda: next(times))
        visitor = await doors.admit({"type": "http", "headers": [(b"host", b"localhost"), *headers]})
        stays = [await visitor.may_stay()]
        asked.keys = [ApiKey("dashboard", hash_of(KEY), is_revoked=True)]
        return [*stays, await visitor.may_stay()]

    times = count(0, 10)
    assert asyncio.run(ask([])) == [True, False]
    asked.keys = [ApiKey("dashboard", hash_of(KEY), is_revoked=False)]
    assert asyncio.run(ask([(b"x-api-key", KEY.encode())])) == [True, False]


def test_too_many_requests_are_refused() -> None:
    """By key, and without one by address; the answer says the limit and when to come again."""
    asked = gateway({"dashboard": KEY, "other": OTHER}, per_minute=3)
    requests = [
        httpx.Request("GET", "http://localhost/here", headers={"X-API-Key": key}) for key in [KEY] * 4 + [OTHER]
    ]
    answers = asked.ask(*requests)
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 200]
    assert "3 requests a minute" in answers[3].json()["detail"]
    assert int(answers[3].headers["retry-after"]) > 0
    assert asked.metric("tetouan_http_refusals_total", door="rate") == 1


def test_guesses_at_keys_are_limited() -> None:
    """Unknown keys count for their address."""
    asked = gateway({"dashboard": KEY}, per_minute=3)
    guesses = [httpx.Request("GET", "http://localhost/here", headers={"X-API-Key": new_key()}) for _ in range(5)]
    assert [answer.status_code for answer in asked.ask(*guesses)] == [401, 401, 401, 429, 429]


def test_no_key_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Neither one that is let in nor one that is not."""
    caplog.set_level(logging.DEBUG)
    asked = gateway({"dashboard": KEY})
    asked.get("/here", {"Authorization": f"Bearer {KEY}"})
    asked.get("/here", {"Authorization": f"Bearer {OTHER}"})
    assert KEY not in caplog.text
    assert OTHER not in caplog.text


def test_a_key_has_256_random_bits_and_only_its_hash_is_kept() -> None:
    """Two are different, and the key does not stand in what is kept."""
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(len(key) == len("tetouan_") + 43 for key in keys)
    assert KEY not in hash_of(KEY)
    assert len(hash_of(KEY)) == 64


def test_the_key_is_found_that_was_given() -> None:
    """Not one that was revoked."""
    keys = [ApiKey("a", hash_of(KEY), is_revoked=True), ApiKey("b", hash_of(OTHER), is_revoked=False)]
    found = find(keys, OTHER)
    assert found is not None
    assert found.name == "b"
    assert find(keys, KEY) is None
    assert find(keys, "\udcff") is None


class Database:
    """Where keys lie; it can be away."""

    def __init__(self) -> None:
        self.keys = [ApiKey("a", hash_of(KEY), is_revoked=False)]
        self.is_away = False
        self.asked = 0

    def read(self) -> Sequence[ApiKey]:
        """Return the keys."""
        self.asked += 1
        if self.is_away:
            raise OperationalError("select", {}, ConnectionError("away"))
        return list(self.keys)


def test_keys_are_read_again_when_they_are_old() -> None:
    """Within two seconds a new or revoked key is known, and the database is asked no more often."""
    database, now_s = Database(), [0.0]

    async def ask() -> None:
        known = KnownKeys(database.read, clock=lambda: now_s[0])
        for at_s, asked in ((0.0, 1), (1.9, 1), (2.0, 2), (2.1, 2)):
            now_s[0] = at_s
            assert len(await known.all()) == 1
            assert database.asked == asked
        database.keys = []
        now_s[0] = 4.0
        assert await known.all() == []

    asyncio.run(ask())


def test_a_database_that_is_away_leaves_the_last_keys() -> None:
    """Who never had any asks to try again: nobody comes in unknown."""
    database, now_s = Database(), [0.0]

    async def ask() -> None:
        known = KnownKeys(database.read, clock=lambda: now_s[0])
        database.is_away = True
        with pytest.raises(Problem) as refused:
            await known.all()
        assert refused.value.status == 503
        database.is_away = False
        now_s[0] = 10.0
        assert len(await known.all()) == 1
        database.is_away = True
        now_s[0] = 20.0
        assert len(await known.all()) == 1

    asyncio.run(ask())


def test_a_database_that_hangs_holds_up_no_request() -> None:
    """Once it was away the last keys are given at once, while it is asked beside that."""
    database, now_s, answers = Database(), [0.0], Event()

    def read() -> Sequence[ApiKey]:
        keys = database.read()
        if database.asked > 2:
            answers.wait(60)
        return keys

    async def ask() -> None:
        known = KnownKeys(read, clock=lambda: now_s[0])
        assert len(await known.all()) == 1
        database.is_away, now_s[0] = True, 4.0
        assert len(await known.all()) == 1
        database.is_away, now_s[0], database.keys = False, 8.0, []
        async with asyncio.timeout(2):
            assert len(await known.all()) == 1
            assert len(await known.all()) == 1
            answers.set()
            while await known.all():  # noqa: ASYNC110 - no event tells that the keys were read
                await asyncio.sleep(0.001)
        assert database.asked == 3

    asyncio.run(ask())


def test_keys_are_not_read_before_there_is_a_table_of_them() -> None:
    """A request waits for it, and where it takes too long hears what is waited for."""
    database, tables, waits = Database(), asyncio.Event(), asyncio.Event()

    async def ask() -> None:
        impatient = KnownKeys(database.read, prepared=waiting, patience_s=0.01)
        with pytest.raises(Problem, match="not prepared yet") as refused:
            await impatient.all()
        assert refused.value.status == 503
        assert database.asked == 0
        waits.clear()
        known = KnownKeys(database.read, prepared=waiting)
        asking = asyncio.create_task(known.all())
        async with asyncio.timeout(2):
            await waits.wait()
        tables.set()
        assert len(await asking) == 1

    async def waiting() -> None:
        waits.set()
        await tables.wait()

    asyncio.run(ask())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_is_this_machine(host: str) -> None:
    """By its addresses and its name."""
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "a.example", ""])  # noqa: S104 - nothing listens
def test_all_else_may_be_reached(host: str) -> None:
    """All addresses of the machine, those of others, and a name that may point anywhere."""
    assert not is_loopback(host)
