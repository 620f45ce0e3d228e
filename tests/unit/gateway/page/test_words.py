"""The page says the same in each language, numbers have their unit, and times are those of the site's clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Formatter

import pytest

from services.gateway.page import alarm, words
from services.gateway.page.alarm import Judgement
from services.gateway.page.texts import LANGUAGES, texts
from services.gateway.page.words import Words, rendered, unit_of_all

FOLDER = Path(words.__file__).parent
ENGLISH, SPANISH = Words("en", "Europe/Madrid"), Words("es", "Europe/Madrid")
THIN = "\N{NARROW NO-BREAK SPACE}"


def blanks(text: str) -> set[str | None]:
    """Return what a text is filled with."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("key", sorted(texts()))
def test_each_text_is_there_in_each_language(key: str) -> None:
    """With the same blanks; empty in all or in none."""
    said = texts()[key]
    assert set(said) == set(LANGUAGES)
    assert blanks(said["en"]) == blanks(said["es"])
    assert bool(said["en"]) == bool(said["es"])


def test_what_templates_and_scripts_say_is_in_the_table() -> None:
    """A key that is written out there exists."""
    sources = [*FOLDER.glob("templates/*.html"), *FOLDER.glob("static/*.js")]
    used = {key for file in sources for key in re.findall(r'(?:\bt|text)\("([a-z_.]+)"[,)]', file.read_text("utf-8"))}
    assert len(used) > 50
    assert used - texts().keys() == set()


def test_each_finding_has_words_and_advice() -> None:
    """Whatever kind the rules return."""
    kinds = set(re.findall(r'Judgement\(\s*"([a-z_]+)"', Path(alarm.__file__).read_text("utf-8")))
    kinds |= {"refused", "no_load", "outage", "shift", "transfer", "model"}
    kinds |= {f"drift_{kind}" for kind in ("sensor", "data", "model", "transfer", "revision", "limit")}
    for kind in kinds:
        assert texts()[f"finding.{kind}"]["en"]
        assert kind == "ok" or texts()[f"advice.{kind}"]["en"]


def test_a_finding_is_said_in_words() -> None:
    """Its times, lengths and levels are filled in as they are said in the language."""
    said = {"since": datetime(2017, 10, 19, 12, tzinfo=UTC), "ago": timedelta(minutes=75)}
    found = Judgement("stale", "warning", said)
    assert (
        rendered(found, ENGLISH).text
        == f"No record of the site for 1{THIN}h 15{THIN}min: the newest is of Thu 19 Oct 2017 14:00."
    )
    assert "jue 19 oct 2017 14:00" in rendered(found, SPANISH).text
    assert "el modelo tal como se entrenó" in SPANISH("finding.fallback", level="frozen")


@pytest.mark.parametrize(
    ("kw", "english", "spanish"),
    [
        (17_214.3, "17,214 kW", "17 214 kW"),
        (5.21, "5.21 kW", "5,21 kW"),
        (412_345.0, "412 MW", "412 MW"),
        (None, "–", "–"),  # noqa: RUF001 - the sign that the page shows
    ],
)
def test_a_load_has_its_unit(kw: float | None, english: str, spanish: str) -> None:
    """And the marks of the language."""
    assert (ENGLISH.kw(kw), SPANISH.kw(kw)) == (english.replace(" ", THIN), spanish.replace(" ", THIN))


@pytest.mark.parametrize(
    ("loads", "unit"),
    [
        ([412_345.0, 1200.0, None], "MW"),
        ([412_345.0, 900.0], "kW"),
        ([99_000.0, 2000.0], "kW"),
        ([None], "kW"),
        ([], "kW"),
    ],
)
def test_loads_beside_each_other_have_one_unit(loads: list[float | None], unit: str) -> None:
    """MW where it suits the largest and still tells the smallest."""
    assert unit_of_all(loads) == unit


def test_a_time_in_a_field_is_written_as_iso_8601_does() -> None:
    """With a clock of 24 hours, whatever the language of the browser is."""
    assert ENGLISH.local(datetime(2017, 10, 19, 12, 5, tzinfo=UTC)) == "2017-10-19 14:05"


def test_a_clock_tells_summer_time() -> None:
    """The hour that comes twice in autumn has two offsets."""
    before = datetime(2017, 10, 29, 0, 30, tzinfo=UTC)
    assert (ENGLISH.hour(before), ENGLISH.offset(before)) == ("Sun 02:30", "UTC+02:00")
    after = before + timedelta(hours=1)
    assert (ENGLISH.hour(after), ENGLISH.offset(after)) == ("Sun 02:30", "UTC+01:00")
    assert Words("en", "America/St_Johns").offset(after) == "UTC-02:30"


@pytest.mark.parametrize(
    ("minutes", "said"), [(0, "0 min"), (59, "59 min"), (60, "1 h 0 min"), (1500, "1 day 1 h"), (20_000, "13 days")]
)
def test_a_length_of_time_has_two_units_at_most(minutes: int, said: str) -> None:
    """Minutes, hours and minutes, days and hours, or days alone."""
    assert ENGLISH.duration(timedelta(minutes=minutes)).replace(THIN, " ") == said


def test_spanish_contracts_what_it_is_filled_with() -> None:
    """A preposition and the article of a level are one word; English stays as it is."""
    assert Words("es")("fresh.level", level="adapted") == "previsión del modelo completo"
    assert Words("en")("fresh.level", level="adapted") == "forecast by the full model"


def test_one_day_is_singular() -> None:
    """In both languages."""
    thin = "\N{NARROW NO-BREAK SPACE}"
    assert Words("en").duration(timedelta(days=1)).startswith(f"1{thin}day ")
    assert Words("es").duration(timedelta(days=1)).startswith(f"1{thin}día ")
