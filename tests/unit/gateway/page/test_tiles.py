"""The loads above the chart, and what is said of those that are old or made without something."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from services.gateway.page.documents import Day
from services.gateway.page.tiles import freshness, tiles
from services.gateway.page.words import Words

if TYPE_CHECKING:
    from collections.abc import Callable

    from services.gateway.page.texts import Language
    from tests.unit.gateway.api.filled import Asked

THIN = "\N{NARROW NO-BREAK SPACE}"


def seen(asked: Asked, query: str = "", **changed: object) -> Day:
    """Return the document of a zone."""
    document = asked.gateway.get(f"/api/v1/sites/tetouan/zones/2/day{query}").json()
    return Day.model_validate({**document, **changed})


def said(day: Day, language: Language = "en") -> dict[str, list[str]]:
    """Return the caveats by heading."""
    return {tile.heading: list(tile.caveats) for tile in tiles(day, Words(language))}


def test_a_forecast_as_it_should_be_has_no_caveat(situated: Callable[[str], Asked]) -> None:
    """Now, in an hour and in a day, the highest and the lowest."""
    found = said(seen(situated("normal")))
    assert list(found)[:3] == ["Now", "In 1 hour", "In 24 hours"]
    assert list(found.values()) == [[]] * 5


def test_a_forecast_of_an_older_reading_is_marked(situated: Callable[[str], Asked]) -> None:
    """Every tile ahead names its origin while the load of now is newer; else none does."""
    day = seen(situated("normal"))
    assert all("before the newest reading" not in tile.note for tile in tiles(day, Words()))
    origin = day.as_of - timedelta(minutes=day.step_minutes)
    now, *ahead = tiles(day.model_copy(update={"origin": origin}), Words())
    assert now.note == ""
    assert all(f"forecast of {Words().hour(origin)}, before the newest reading" in tile.note for tile in ahead)


def test_what_is_made_of_old_data_says_so(situated: Callable[[str], Asked]) -> None:
    """Where the meter is silent: each load with its age, and what is ahead with its origin in place of now."""
    found = said(seen(situated("stale-meter")))
    assert found["Last known load"] == [f"52{THIN}min old"]
    assert list(found)[1:3] == ["1 h after Thu 17:20", "24 h after Thu 17:20"]
    assert list(found.values())[1:] == [[f"made 52{THIN}min ago"]] * 4
    assert "hecha hace" in said(seen(situated("stale-meter")), "es")["1 h después de jue 17:20"][0]


def test_what_is_made_without_loads_says_so(situated: Callable[[str], Asked]) -> None:
    """Though it is new."""
    found = said(seen(situated("no-load")))
    assert found["Last known load"] == [f"4{THIN}h 3{THIN}min old"]
    assert found["In 1 hour"] == [f"made without the load of the last 4{THIN}h 0{THIN}min"]
    assert said(seen(situated("no-load"), now=None))["In 1 hour"] == ["made without a load of the last 48 hours"]


def test_what_another_level_forecasts_names_it(situated: Callable[[str], Asked]) -> None:
    """In each tile, also in the past."""
    found = said(seen(situated("fallback")))
    assert found["Now"] == []
    assert found["In 1 hour"] == ["by the model as it was trained"]
    then = said(seen(situated("fallback"), "?at=2017-10-19T16:20:00Z"))
    assert then["1 hour later"] == ["by the model as it was trained"]


def test_a_peak_at_the_edge_is_not_called_one(situated: Callable[[str], Asked]) -> None:
    """It is the highest of the window, beyond which more may follow; the trough likewise."""
    day = seen(situated("normal"), is_peak_at_edge=True, is_trough_at_edge=True)
    highest, lowest = tiles(day, Words())[3:]
    assert (highest.heading, lowest.heading) == ("Highest, next 24 h", "Lowest, next 24 h")
    assert highest.note == lowest.note == "at the edge of the window: it may lie beyond"
    peak = tiles(seen(situated("normal"), is_peak_at_edge=False), Words())[3]
    assert (peak.heading, peak.note) == ("Peak, next 24 h", "")


@pytest.mark.parametrize(("age_s", "text"), [(185, f"3{THIN}min ago"), (-40, f"stamped 40{THIN}s ahead of this clock")])
def test_the_newest_record_has_an_age_also_where_its_clock_is_ahead(
    situated: Callable[[str], Asked], age_s: int, text: str
) -> None:
    """Of a record that has a load it is that of the load."""
    assert freshness(seen(situated("normal"), age_s=age_s), Words()) == [
        f"Newest load reading Thu 19 Oct 2017 17:20, {text}"
    ]


def test_a_record_without_a_load_is_told_apart_from_the_newest_load(situated: Callable[[str], Asked]) -> None:
    """Both with their times; so is where there is no load at all."""
    assert freshness(seen(situated("no-load")), Words()) == [
        f"Newest record of the site Thu 19 Oct 2017 17:20, 3{THIN}min ago",
        "newest load reading Thu 19 Oct 2017 13:20",
    ]
    assert freshness(seen(situated("no-load"), now=None), Words())[1] == "no load reading in these 48 hours"
