"""The page itself: what it holds, in which language and theme, and how its files are kept by browsers."""

from __future__ import annotations

import gzip
import re
from datetime import timedelta
from html.parser import HTMLParser
from shutil import copytree
from typing import TYPE_CHECKING

import pytest
from markupsafe import escape

from services.gateway.page import assets
from services.gateway.queries import History, Page
from tests.unit.gateway.api.filled import begun
from tests.unit.gateway.page.situations import SITUATIONS
from tests.unit.gateway.told import START, reading, tell

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.gateway.api.filled import Asked


class Scripts(HTMLParser):
    """Collects what a page loads, and what of it could run though it stands in the page."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element."""
        given = dict(attrs)
        if tag == "script" and not given.get("src") and given.get("type") != "application/json":
            self.inline.append(tag)
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if tag in ("script", "link", "img"):
            self.loaded += [address for name in ("src", "href") if (address := given.get(name))]


def test_the_page_loads_nothing_from_another_host(situated: Callable[[str], Asked]) -> None:
    """And runs nothing that stands in it; each file is there, is kept for ever, and comes packed."""
    asked = situated("normal")
    scripts = Scripts()
    scripts.feed(asked.gateway.get("/").text)
    assert scripts.inline == []
    assert len(scripts.loaded) == 5
    for address in scripts.loaded:
        assert address.startswith("/page/")
        answer = asked.gateway.get(address, {"Accept-Encoding": "gzip"})
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Encoding"] == "gzip"
        again = asked.gateway.get(address, {"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304


def test_a_page_of_another_version_gets_the_files_of_this_one(
    situated: Callable[[str], Asked], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While replicas are upgraded; no browser keeps them under that address, and what no version has is not there."""
    old = situated("normal").gateway
    folder = tmp_path / "static"
    copytree(assets.FOLDER, folder)
    (folder / "style.css").write_text("body { margin: 1px }", encoding="utf-8")
    monkeypatch.setattr(assets, "FOLDER", folder)
    upgraded = begun(tmp_path)
    scripts = Scripts()
    scripts.feed(old.get("/").text)
    (style,) = [address for address in scripts.loaded if address.endswith("style.css")]
    answer = upgraded.gateway.get(style)
    assert (answer.status_code, answer.text) == (200, "body { margin: 1px }")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers
    assert upgraded.gateway.get(style, {"If-None-Match": old.get(style).headers["ETag"]}).status_code == 200
    assert upgraded.gateway.get("/page/0000/none.css").status_code == 404
    upgraded.database.close()


@pytest.mark.parametrize(
    ("query", "headers", "said"),
    [
        ("", {}, "All is well"),
        ("", {"Accept-Language": "es-ES,es;q=0.9,en;q=0.8"}, "Todo en orden"),
        ("", {"Accept-Language": "es", "Cookie": "lang=en"}, "All is well"),
        ("?lang=es", {"Cookie": "lang=en"}, "Todo en orden"),
        ("?lang=xx", {}, "All is well"),
    ],
)
def test_the_language_is_that_asked_for(
    situated: Callable[[str], Asked], query: str, headers: dict[str, str], said: str
) -> None:
    """By the address, else as it was chosen before, else as the browser prefers."""
    assert said in situated("normal").gateway.get(f"/{query}", headers).text


def test_a_choice_is_remembered(situated: Callable[[str], Asked]) -> None:
    """By a cookie that no script reads and no other page sends."""
    answer = situated("normal").gateway.get("/?theme=dark")
    assert 'data-theme="dark"' in answer.text
    assert re.search(r"theme=dark;.*HttpOnly;.*SameSite=strict", answer.headers["Set-Cookie"])


def test_a_past_time_is_read_on_the_clock_of_the_site(situated: Callable[[str], Asked]) -> None:
    """As a form sends it; with an offset it is what it says; what is no time is refused by name."""
    gateway = situated("quarter-hours").gateway
    for at in ("2017-07-06T09:00", "2017-07-06 09:00", "2017-07-06T07:00:00Z", "2017-07-06T09:00:00%2B02:00"):
        assert "as it stood at Thu 6 Jul 2017 09:00" in gateway.get(f"/?at={at}").text
    answer = gateway.get("/?at=yesterday")
    assert (answer.status_code, answer.json()["field"]) == (422, "at")


@pytest.mark.parametrize(
    ("name", "query", "said"),
    [
        ("normal", "", ("Now", "In 1 hour", "In 24 hours")),
        ("stale-meter", "", ("Last known load", "1 h after Thu 17:20", "24 h after Thu 17:20")),
        ("no-load", "", ("Last known load", "In 1 hour", "In 24 hours")),
        ("normal", "?at=2017-10-19T10:00", ("Then", "1 hour later", "24 hours later")),
    ],
)
def test_a_load_that_is_late_is_not_called_that_of_now(
    situated: Callable[[str], Asked], name: str, query: str, said: tuple[str, ...]
) -> None:
    """Nor is what is an hour after it an hour from now."""
    page = situated(name).gateway.get(f"/{query}").text
    tiles = page[page.index('id="tiles"') : page.index('id="chart-title"')]
    assert tuple(re.findall("<h2>(.*?)</h2>", tiles)[:3]) == said


def test_a_gateway_without_readings_says_what_it_waits_for(asked: Asked) -> None:
    """And so does the page of a zone that it does not know."""
    for address in ("/", "/?site=nowhere&zone=1", "/?site=tetouan"):
        answer = asked.gateway.get(address)
        assert answer.status_code == 200
        assert "Nothing to show yet" in answer.text


@pytest.mark.parametrize("zone", ["0", "99999999999999999999", "x"])
def test_what_is_no_number_of_a_zone_is_refused(asked: Asked, zone: str) -> None:
    """By name."""
    answer = asked.gateway.get(f"/?zone={zone}")
    assert (answer.status_code, answer.json()["field"]) == (422, "zone")


@pytest.mark.parametrize(
    ("query", "said", "link"),
    [
        ("site=tetouan&zone=77", "has no zone 77", "/?site=tetouan&amp;zone=2"),
        ("site=atlantis", "called atlantis", "/?site=tetouan"),
        ("site=tetouan&at=2001-01-01T00:00", "The history of tetouan begins at", "/?site=tetouan"),
    ],
)
def test_what_the_history_does_not_hold_is_answered_with_what_it_holds(
    situated: Callable[[str], Asked], query: str, said: str, link: str
) -> None:
    """Links lead to the zones, the sites, or times that there are."""
    answer = situated("normal").gateway.get(f"/?{query}")
    assert answer.status_code == 404
    assert said in answer.text
    assert f'href="{link}"' in answer.text
    assert "Nothing to show yet" not in answer.text
    assert "guard.js" not in answer.text  # it would load the page again and again


def test_a_time_that_has_not_come_is_said(situated: Callable[[str], Asked]) -> None:
    """The newest reading is shown instead; a time of the history has no such note."""
    gateway = situated("normal").gateway
    assert "has not come yet: the newest reading is of" in gateway.get("/?at=2031-01-01T00:00").text
    assert "has not come yet" not in gateway.get("/?at=2017-10-19T10:00").text


@pytest.mark.parametrize(("path", "status"), [("/?at=<b>yesterday", 422), ("/?zone=x", 422), ("/none", 404)])
def test_a_browser_gets_an_error_as_a_page(situated: Callable[[str], Asked], path: str, status: int) -> None:
    """With the same words as the problem, and a way back; programs and the API get JSON."""
    gateway = situated("normal").gateway
    answer = gateway.get(path, {"Accept": "text/html,*/*"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert escape(gateway.get(path).json()["detail"]) in answer.text
    assert '<a href="/">' in answer.text
    api = gateway.get("/api/v1/none", {"Accept": "text/html"})
    assert api.headers["Content-Type"] == "application/problem+json"


def test_a_zone_without_forecasts_is_shown(asked: Asked) -> None:
    """As soon as readings come: on its own page, on the first one and among all zones."""
    tell(asked.database, [reading(step, site="elsewhere") for step in range(6)])
    for address in ("/", "/?site=elsewhere&zone=2"):
        assert "There is no forecast of this zone yet" in asked.gateway.get(address).text
    (zone,) = asked.gateway.get("/api/v1/fleet").json()["zones"]
    assert (zone["site"], zone["zone"], zone["next_hour_kw"]) == ("elsewhere", 2, None)


def test_a_site_without_zones_is_not_shown_first(tmp_path: Path) -> None:
    """Its readings hold no load: the next one is shown."""
    asked = begun(tmp_path)
    tell(asked.database, [reading(0).model_copy(update={"site": "a", "values": {"temperature_c": 20.0}}), reading(0)])
    assert "<option selected>tetouan</option>" in asked.gateway.get("/").text
    asked.database.close()


def test_nothing_of_a_message_becomes_part_of_the_page(situated: Callable[[str], Asked]) -> None:
    """Neither in an element nor in the document that scripts read."""
    asked = situated("cold-site")
    evil = "</script><script>alert(1)</script>"
    situation = SITUATIONS["cold-site"]
    tell(asked.database, [situation.event("data", "warning", 3, evil)], first_offset=99_000)
    page = asked.gateway.get("/").text
    assert evil not in page
    assert "alert(1)" in page


def test_a_site_beyond_the_list_is_shown(situated: Callable[[str], Asked], monkeypatch: pytest.MonkeyPatch) -> None:
    """And can be chosen there."""
    monkeypatch.setattr(History, "sites", lambda *_: Page([], None))
    assert "<option selected>tetouan</option>" in situated("normal").gateway.get("/?site=tetouan").text


def test_the_page_comes_packed(situated: Callable[[str], Asked]) -> None:
    """To who takes it so: it is asked for with every reading."""
    answer = situated("normal").gateway.get("/", {"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(gzip.compress(answer.content)) < 40_000


def test_the_past_is_told_first_and_nothing_of_it_is_green(situated: Callable[[str], Asked]) -> None:
    """Its heading and its title say so; what was well then has neither a mark nor the colour of what is well."""
    page = situated("normal").gateway.get("/?at=2017-10-19T17:00").text
    main = page[page.index("<main") :]
    first = main.index("The past: the page as it stood at Thu 19 Oct 2017 17:00")
    assert first < main.index("The page said then: OK.")
    assert main.index("<h1") < first
    assert "<title>Past: tetouan" in page
    assert "line ok" not in page


def test_an_alarm_that_lasts_stands_among_the_events(situated: Callable[[str], Asked]) -> None:
    """With since when; an event of the monitor stands there once."""
    page = situated("no-load").gateway.get("/").text
    events = page[page.index('id="events"') :]
    assert re.search(
        r"Thu 19 Oct 2017 13:30</th>\s*<td[^>]*>lasts</td>\s*<td[^>]*><b>Alarm</b>: The zone has no load", events
    )
    page = situated("shift").gateway.get("/").text
    events = page[page.index('id="events"') : page.index('id="hour-title"')]
    assert events.count("the error of an hour ahead is above what it was") == 1
    assert "The load has changed its level" in events


def test_no_field_of_a_time_follows_the_language_of_the_browser(situated: Callable[[str], Asked]) -> None:
    """Each takes ISO 8601, and says so."""
    page = situated("normal").gateway.get("/").text
    fields = re.findall(r'<input name="(?:target|at|Timestamp)"[^>]*>', page)
    assert len(fields) == 3
    assert all(
        "YYYY-MM-DD HH:MM" in field and re.search(r'value="\d{4}-\d\d-\d\d \d\d:\d\d"', field) for field in fields
    )
    assert "datetime-local" not in page


def test_all_zones_are_counted_and_have_one_unit(tmp_path: Path) -> None:
    """How many are shown of how many, at how many sites; a large and a small one in kW."""
    asked = begun(tmp_path, clock=lambda: START)
    tell(asked.database, [reading(0, 1.0, site="small"), reading(0, 412_345.0, site="large")])
    page = asked.gateway.get("/fleet").text
    assert "Zones 1 to 2 of 2, at 2 sites." in page
    assert "412,345\N{NARROW NO-BREAK SPACE}kW" in page
    assert "1.00\N{NARROW NO-BREAK SPACE}kW" in page
    assert "Zones 1 to 1 of 1, at 1 site." in asked.gateway.get("/fleet?search=small").text
    asked.database.close()


def test_sites_silent_for_long_stand_below_all_others(tmp_path: Path) -> None:
    """As a group of their own, each with how long it has been silent."""
    later = START + timedelta(days=120)
    asked = begun(tmp_path, clock=lambda: later)
    tell(asked.database, [reading(0, site="dead"), reading(120 * 144, site="well")])
    page = asked.gateway.get("/fleet").text
    at = [
        page.index(said)
        for said in ("well, Zone 2", "Silent for more than 7 days", "dead, Zone 2", "120\N{NARROW NO-BREAK SPACE}days")
    ]
    assert at == sorted(at)
    assert "1 of them is silent" in page
    asked.database.close()


def test_what_if_begins_with_the_newest_measured_weather(situated: Callable[[str], Asked]) -> None:
    """At its time, now and in the past."""
    gateway = situated("normal").gateway
    for query in ("", "?at=2017-10-19T10:00"):
        page = gateway.get(f"/{query}").text
        span = "from=2017-10-19T00:00:00Z&until=2017-10-20T00:00:00Z&limit=1000"
        readings = gateway.get(f"/api/v1/sites/tetouan/readings?{span}").json()["items"]
        newest = [each for each in readings if not query or each["time"] <= "2017-10-19T10:00:00Z"][-1]
        (temperature_c,) = re.findall('name="Temperature"[^>]*value="(.*?)"', page)
        (time,) = re.findall('name="Timestamp"[^>]*value="(.*?)"', page)
        assert float(temperature_c) == round(newest["values"]["temperature_c"], 1)
        assert time == newest["time"][:16].replace("T", " ")


def test_one_site_is_singular(asked: Asked) -> None:
    """In both languages."""
    tell(asked.database, [reading(step) for step in range(6)])
    assert "at 1 site." in asked.gateway.get("/fleet").text
    assert "en 1 lugar." in asked.gateway.get("/fleet?lang=es").text
