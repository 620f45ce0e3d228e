"""What a service says of the table of sites."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.runtime.concerns import SiteSettings
from shared.runtime.health import Health
from shared.runtime.settings import PREFIX, load
from shared.runtime.site_notes import SiteNotes
from shared.runtime.site_table import served_sites

if TYPE_CHECKING:
    from pathlib import Path

GOOD = '[{}]\nstep_minutes = 15\ntime_zone = "UTC"\ntime_column = "t"\ncolumns = {{"L" = "zone_1_kw"}}\n'


def test_a_wrong_entry_is_named_and_the_other_sites_are_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In `/readyz`, with the field and what to change; even where it is the site of the commands."""
    file, health = tmp_path / "sites.toml", Health()
    file.write_text(GOOD.format("north") + GOOD.format("south").replace("15", "7"), encoding="utf-8")
    monkeypatch.setenv(PREFIX + "SITES", str(file))
    monkeypatch.setenv(PREFIX + "SITE", "south")
    assert list(served_sites(load(SiteSettings), health)) == ["tetouan", "north"]
    assert health.notes["refused sites"].startswith("south.step_minutes = 7: ")
    assert health.notes["refused sites"].endswith(f"mend them in {file}, and start anew")
    assert "sites in doubt" not in health.notes


def test_a_site_in_doubt_is_named_and_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day that is removed from the holidays and is none is probably another day."""
    file, health = tmp_path / "sites.toml", Health()
    file.write_text(GOOD.format("north") + "holidays = {remove = [2019-01-01]}", encoding="utf-8")
    monkeypatch.setenv(PREFIX + "SITES", str(file))
    assert "north" in served_sites(load(SiteSettings), health)
    assert health.notes["sites in doubt"].startswith("north.holidays.remove has 2019-01-01, which is no public holiday")
    assert str(file) in health.notes["sites in doubt"]


@pytest.mark.parametrize(("zones", "said"), [("2", False), ("1,2", True), (None, False)])
def test_a_choice_of_zones_that_no_service_looks_at_is_named(
    monkeypatch: pytest.MonkeyPatch, zones: str | None, *, said: bool
) -> None:
    """Whoever forecast other zones by it finds where to set them now."""
    if zones is not None:
        monkeypatch.setenv(PREFIX + "ZONES", zones)
    health = Health()
    served_sites(load(SiteSettings), health)
    assert ("set zones in its table" in health.notes.get("zones", "")) == said


def test_a_note_names_some_sites_and_counts_the_rest() -> None:
    """However many there are; what is said no longer goes, and so does all that is said of a site."""
    told: dict[str, str] = {}
    notes = SiteNotes(told)
    for n in range(20):
        assert notes.say("cold", f"s{n}", "no models")
    assert not notes.say("cold", "s3", "no models")
    assert told["cold"] == "no models (s0, s1, s2, s3, s4, s5, s6, s7 and 12 more)"
    for n in range(10):
        notes.say("gap", f"s{n}", f"{n} readings")
    assert told["gap"].endswith("7 readings (s7); and 2 more")
    notes.drop("gap", "s0")
    notes.forget("s1")
    assert told["gap"].startswith("2 readings (s2); ")
    for n in range(20):
        notes.forget(f"s{n}")
    assert told == {}
