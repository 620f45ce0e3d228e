"""What stands above the chart: how fresh the data are, and the loads of now and ahead, with what they lack."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from services.gateway.page.documents import Day, Point
    from services.gateway.page.words import Words

__all__ = ["Tile", "freshness", "tiles"]

MINUTE = timedelta(minutes=1)

When = Literal["tile", "past", "late"]


@dataclass(frozen=True)
class Tile:
    """A load in large figures.

    Attributes
    ----------
    heading
        What it is the load of.
    point
        None where there is none.
    caveats
        Why it is worth less than it looks: it is old, or was made without the newest loads or the full model.
    note
        What else is to be known of it; may be empty.
    """

    heading: str
    point: Point | None
    caveats: Sequence[str]
    note: str = ""


def freshness(day: Day, words: Words) -> list[str]:
    """Return what is said of the age of the data: of the newest record of the site, and of the load of the zone."""
    has_load = day.now is not None and day.now.time == day.as_of
    said = [_fresh("load" if has_load else "record", day, words)]
    if not has_load:
        said.append(words("fresh.no_load") if day.now is None else words("fresh.older_load", time=day.now.time))
    return said


def tiles(day: Day, words: Words) -> list[Tile]:
    """Return the loads of now, in an hour, in a day, and the highest and the lowest of the next day."""
    kinds = {finding.kind for finding in day.findings}
    is_stale, is_without = "stale" in kinds, bool(kinds & {"no_load", "refused"})
    there: When = "past" if day.is_past else "tile"
    when: When = "late" if is_stale or "behind" in kinds else there
    is_older = when != "late" and day.origin is not None and day.origin < day.as_of
    older = [words("tile.older", origin=words.hour(day.origin))] if is_older and day.origin else []
    origin = None if day.origin is None else words.hour(day.origin)
    extremes = [
        ("highest" if day.is_peak_at_edge else "peak", day.peak, day.is_peak_at_edge),
        ("lowest" if day.is_trough_at_edge else "trough", day.trough, day.is_trough_at_edge),
    ]
    ahead = [
        ("hour", day.ahead[0] if day.ahead else None, False),
        ("day", day.ahead[-1] if day.ahead else None, False),
        *extremes,
    ]
    is_old = is_stale or is_without
    now = Tile(
        words(f"{'late' if is_old else there}.now"), day.now, [_age_of_load(day, words)] if is_old and day.now else []
    )
    return [
        now,
        *(
            Tile(
                words(f"{when}.{name}", origin=origin),
                point,
                [] if point is None else [*_caveats(day, point, words, is_late=when == "late", is_without=is_without)],
                " · ".join([*older, *([words("tile.edge")] if is_at_edge else [])]),
            )
            for name, point, is_at_edge in ahead
        ),
    ]


def _fresh(what: Literal["load", "record"], day: Day, words: Words) -> str:
    newest = words(f"fresh.{what}", time=day.as_of)
    if day.is_past:
        return words("fresh.past", time=day.as_of)
    if day.is_replay:
        return words("fresh.replay", newest=newest)
    age = timedelta(seconds=day.age_s or 0)
    if age < timedelta(0):
        return words("fresh.ahead", newest=newest, ahead=-age)
    return words("fresh.live", newest=newest, age=age // MINUTE * MINUTE)


def _age_of_load(day: Day, words: Words) -> str:
    age = _silent(day) + (timedelta(0) if day.now is None else day.as_of - day.now.time)
    return words("caveat.old", age=age) if age >= MINUTE else words("caveat.stale")


def _caveats(day: Day, point: Point, words: Words, *, is_late: bool, is_without: bool) -> Iterator[str]:
    if is_late:
        age = _silent(day) + (timedelta(0) if day.origin is None else day.as_of - day.origin)
        yield words("caveat.made", age=age) if age >= MINUTE else words("caveat.stale")
    if is_without:
        yield words("caveat.no_load") if day.now is None else words("caveat.without", age=day.as_of - day.now.time)
    if point.level not in (None, "adapted"):
        yield words("caveat.level", level=point.level)


def _silent(day: Day) -> timedelta:
    """Return how much later than the newest record it is; of a replay the clock says nothing."""
    return timedelta(0) if day.age_s is None or day.is_replay else timedelta(seconds=max(0, day.age_s))
