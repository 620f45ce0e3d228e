"""What a file says about its site by itself: where no table describes it, this one is assumed, and said.

What cannot be told without doubt is refused with the option that tells it.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from shared.data.errors import DataError
from shared.data.load_watch import Doubt, LoadWatch
from shared.data.numbers import is_number
from shared.data.table import joined
from shared.data.times import is_clock, is_date, read_times
from shared.sites.country import in_its_country
from shared.sites.site import EPOCHS, POWER_KW, STEPS_MINUTES, WEATHER_FIELDS, Measure, Site, Unit, load_field
from shared.sites.table import BUILT_IN, known_sites

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from shared.data.hints import Hints
    from shared.data.reading import Table

__all__ = ["Guess", "guessed", "measured"]

SAMPLE_ROWS = 4000  # from the head, and as many from everywhere
ENOUGH = 0.99  # of the cells that are not empty
EMPTY = frozenset({"", "nan", "na", "n/a", "null", "none", "-", "--", "?", "."})
MUCH = 0.2  # of the times come again: several meters one below the other
SHOWN = 8
A_TABLE = "give the site a table with its time_format (TETOUAN_SITES)"
OFFSET = re.compile(r".*\d\d:?\d\d.*(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)\s*")
COUNTED = re.compile(r"time|date|epoch|unix|stamp|^ts$|^t$|^Unnamed|^$", re.IGNORECASE)
CALENDAR = re.compile(
    r"(?:.*[_ ])?(?:year|month|week|day|hour|minute|weekday|quarter|season|holiday|id|index|number|no)s?(?:[_ ]of.*)?",
    re.IGNORECASE,
)
OTHER = re.compile(
    r"^(?:glob|diff|hum|sun)$|temp|humid|wind|solar.?rad|irradi|radiat|diffuse|ghi|dni|dhi|rain|precip|snow|cloud|pressure|dew|visib|weather"
    r"|price|cost|tariff|latitud|longitud|voltage|current|power.?factor|cos.?phi|frequen",
    re.IGNORECASE,
)
UNITS: Mapping[str, Unit] = {unit.lower(): unit for unit in get_args(Unit)}
WORD = re.compile(r"[A-Za-z]+")


@dataclass(frozen=True)
class Guess:
    """A site and, one line each, what was assumed of it; ``naive`` where UTC is but assumed of its times."""

    site: Site
    assumed: tuple[str, ...]
    naive: bool


def guessed(table: Table, hints: Hints, name: str) -> Guess:
    """Return the site whose readings the table holds, its loads as power in kW.

    Parameters
    ----------
    name
        What an error calls the file; the site is called after it.

    Raises
    ------
    DataError
        Where the times, the step or the loads cannot be told, or what the user says does not fit the file.
    """
    sample = _Sample(table.rows, hints, name)
    split = _split_times(sample)
    if split is not None:
        sample = sample.joined(*split)
    time_column, form = _time_column(sample)
    loads, weather, ignored = _loads(sample, time_column)
    fields = {column: load_field(zone) for zone, column in enumerate(loads, 1)} | weather
    site = _site(
        name,
        {
            "name": _name_of(name),
            "step_minutes": 60,
            "country": hints.country,
            "time_zone": hints.time_zone or "UTC",
            "time_column": time_column,
            "date_column": split and split[0],
            **form,
            "columns": fields,
            "ignore": tuple(ignored),
            "zones": (1,),
        },
    )
    written = sample.texts(time_column)
    site = site.model_copy(update={"step_minutes": _step(sample, site)})
    aware = "time_format" in form or sum(1 for text in written if OFFSET.fullmatch(text)) > len(written) / 2
    lines = tuple(_said(site, hints, ignored, _how(written[0], form, site, aware=aware)))
    return Guess(site, lines, naive=not aware and hints.time_zone is None)


def measured(guess: Guess, rows: pd.DataFrame, hints: Hints) -> Guess:
    """Return the guess with what the loads are: power, energy or a register, in the unit that their names say.

    Parameters
    ----------
    rows
        The cells of the site, numbers with a decimal point.
    """
    site = guess.site
    measures, said = {}, []
    for column, field in site.columns.items():
        if field in WEATHER_FIELDS:
            continue
        measure, why = _measure(column, rows[column], site, hints)
        if measure != POWER_KW:
            measures[field] = measure
        said.append((measure, why))
    if len(set(said)) == 1:
        ((measure, why),) = set(said)
        lines = [f"the loads are {_phrase(measure)}{why} (--unit, --kind)"]
    else:
        named = zip(
            (column for column, field in site.columns.items() if field not in WEATHER_FIELDS), said, strict=True
        )
        lines = [f"{column!r} is {_phrase(measure)}{why} (--unit, --kind)" for column, (measure, why) in named]
    return replace(guess, site=site.model_copy(update={"measures": measures}), assumed=(*guess.assumed, *lines))


class _Sample:
    """Some rows of a table: its head, and others from everywhere; what the user says; what errors call the file."""

    def __init__(self, rows: pd.DataFrame, hints: Hints, name: str) -> None:
        self.all = rows
        self.hints = hints
        self.name = name
        everywhere = np.linspace(0, len(rows) - 1, min(SAMPLE_ROWS, len(rows))).astype(int)
        places = np.unique(np.concatenate((np.arange(min(SAMPLE_ROWS, len(rows))), everywhere)))
        self.rows = rows.iloc[places]

    def joined(self, date_column: str, clock_column: str) -> _Sample:
        """Return the sample with date and time of day in one column."""
        head = self.all.iloc[: 2 * SAMPLE_ROWS]
        sample = _Sample(joined(head, date_column, clock_column), self.hints, self.name)
        sample.rows = joined(self.rows, date_column, clock_column)
        if self.hints.time_column is not None:
            sample.hints = replace(self.hints, time_column=clock_column)
        return sample

    def texts(self, column: str) -> list[str]:
        """Return the cells of a column that hold something."""
        return [text for cell in self.rows[column] if (text := cell.strip()).lower() not in EMPTY]

    def refuse(self, why: str) -> DataError:
        """Return the refusal of the file."""
        return DataError(f"{self.name}: {why}")


def _split_times(sample: _Sample) -> tuple[str, str] | None:
    """Return the column of days and that of times of day, None where one column holds both, or they are not told."""
    columns = [column for column in sample.rows.columns if column not in sample.hints.columns]
    dates = [column for column in columns if _mostly(is_date, sample, column)]
    clocks = [column for column in columns if dates and _mostly(is_clock, sample, column)]
    if (asked := sample.hints.time_column) is not None:
        if asked not in dates + clocks:
            return None
        dates, clocks = ([asked] if asked in found else found for found in (dates, clocks))
    whole = any(_holds_times(sample, column) for column in columns if column not in dates)
    if whole or len(dates) != 1 or len(clocks) != 1:
        return None
    return dates[0], clocks[0]


def _mostly(is_one: Callable[[str], bool], sample: _Sample, column: str) -> bool:
    texts = sample.texts(column)
    return bool(texts) and is_one(texts[0]) and sum(map(is_one, texts)) >= ENOUGH * len(sample.rows)


def _holds_times(sample: _Sample, column: str) -> bool:
    """Tell whether a column holds days and times of day, in whichever order."""
    texts = sample.texts(column)
    return bool(texts) and max(_known(_read(texts, day_first=day_first)) for day_first in (False, True)) >= ENOUGH


def _time_column(sample: _Sample) -> tuple[str, dict[str, object]]:
    """Return the column of the times, and what the table of a site says of how they are written."""
    asked = sample.hints.time_column
    if asked is not None:
        if asked not in sample.rows.columns:
            raise sample.refuse(f"no column {asked!r}: give --time-column one of {_listed(list(sample.rows.columns))}")
        form = _form(sample, asked)
        if form is None:
            first = next(iter(sample.texts(asked)), "")
            raise sample.refuse(f"column {asked!r} holds {first!r}, which is no time: write ISO 8601, or {A_TABLE}")
        return asked, form
    for column in sample.rows.columns:
        if column not in sample.hints.columns and (form := _form(sample, column)) is not None:
            return column, form
    firsts = (f"{column!r} ({next(iter(sample.texts(column)), '')!r})" for column in sample.rows.columns[:SHOWN])
    advice = (
        f"give a column of days and one of times of day such as 13:45, write both into one, as ISO 8601, or {A_TABLE}"
    )
    raise sample.refuse(f"no column holds times of day, of {', '.join(firsts)}: {advice}")


def _form(sample: _Sample, column: str) -> dict[str, object] | None:
    """Return how the times of a column are written, None where they are none; raises where there is a choice."""
    texts = sample.texts(column)
    if len(texts) < ENOUGH * len(sample.rows):
        return None
    month_first, day_first = (_read(texts, day_first=day_first) for day_first in (False, True))
    months, days = _known(month_first), _known(day_first)
    if max(months, days) < ENOUGH:
        return _epoch(texts, column)
    wanted = sample.hints.day_first
    if wanted is None:
        if months == days and not month_first.equals(day_first):
            odd = int(np.flatnonzero(month_first != day_first)[0])
            either = f"{texts[odd]!r} can be {month_first[odd]:%-d %B} or {day_first[odd]:%-d %B}"
            raise sample.refuse(f"column {column!r}: {either}: give --day-first or --month-first")
        wanted = days > months
    if (days if wanted else months) < ENOUGH:
        bad = texts[int(np.flatnonzero((day_first if wanted else month_first).isna())[0])]
        first = "day" if wanted else "month"
        raise sample.refuse(f"column {column!r}: {bad!r} is no time with the {first} first: leave out --{first}-first")
    return {"day_first": True} if wanted and not month_first.equals(day_first) else {}


def _epoch(texts: Sequence[str], column: str) -> dict[str, object] | None:
    """Return the unit of numbers counted from 1970 on, where the name of the column speaks of time."""
    if not COUNTED.search(column):
        return None
    for unit in EPOCHS:
        if _known(_read(texts, time_format=unit)) >= ENOUGH:
            return {"time_format": unit}
    return None


def _known(times: pd.DatetimeIndex) -> float:
    return float(np.mean(times.notna()))


def _read(texts: Sequence[str], **form: object) -> pd.DatetimeIndex:
    any_site = Site(name="any", step_minutes=60, time_zone="UTC", time_column="time", columns={"load": "zone_1_kw"})
    return read_times(pd.Series(texts, dtype="str"), any_site.model_copy(update=form)).times


def _loads(sample: _Sample, time_column: str) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """Return the columns that hold loads, those that hold a field of weather, and why the others are ignored."""
    others = [column for column in sample.rows.columns if column != time_column]
    asked = sample.hints.columns
    if unknown := [column for column in asked if column not in others]:
        raise sample.refuse(f"no column {unknown[0]!r}: give --column one of {_listed(others)}")
    weather = {column: field for column, field in _weather_names().items() if column in others and column not in asked}
    reasons = {column: "not asked for" if asked else _no_load(sample, column) for column in others}
    loads = list(asked) or [column for column, why in reasons.items() if why is None and column not in weather]
    weather = {column: field for column, field in weather.items() if _filled(sample, column)}
    if not loads:
        found = "; ".join(f"{column!r}: {why}" for column, why in reasons.items()) or "there is no other column"
        raise sample.refuse(f"no column of loads beside {time_column!r} ({found}): name it with --column")
    ignored = {column: reasons[column] or "" for column in others if column not in loads and column not in weather}
    return loads, weather, ignored


def _weather_names() -> dict[str, str]:
    """Return the names under which weather is surely known, with their fields."""
    published = known_sites()[BUILT_IN].columns
    return {field: field for field in WEATHER_FIELDS} | {
        name: field for name, field in published.items() if field in WEATHER_FIELDS
    }


def _filled(sample: _Sample, column: str) -> bool:
    texts = sample.texts(column)
    return len(texts) > len(sample.rows) / 2 and _share(texts) >= ENOUGH


def _no_load(sample: _Sample, column: str) -> str | None:
    """Return why a column is taken for no load, None where it is one."""
    texts = sample.texts(column)
    reasons = {
        "mostly empty": len(texts) < len(sample.rows) / 2,
        "no numbers": _share(texts) < ENOUGH,
        "always the same": len(set(texts)) == 1,
        "tells the time by its name": CALENDAR.fullmatch(column) and len(set(texts)) <= 366,
        "no load by its name": OTHER.search(column),
        "counts the rows": _counts_rows(texts),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _share(texts: Sequence[str]) -> float:
    """Return the share of the cells that are numbers."""
    return float(pc.mean(is_number(pa.array(texts, pa.large_string()))).as_py() or 0) if texts else 0.0


def _counts_rows(texts: Sequence[str]) -> bool:
    head = texts[: SAMPLE_ROWS // 2]
    return all(text.isdecimal() for text in head) and set(np.diff(np.array(head, float)).tolist()) == {1.0}


def _step(sample: _Sample, site: Site) -> int:
    """Return the minutes from one reading to the next: what the user says and the file has, else the most frequent."""
    head = sample.all[site.time_column].iloc[: 2 * SAMPLE_ROWS]
    times = read_times(head, site).times.dropna()
    if len(times) - times.nunique() > MUCH * len(times):
        again = f"{len(times) - times.nunique():,} of {len(times):,} times come again"
        advice = "give a file with a column for each meter"
        raise sample.refuse(f"{again}, as where several meters stand one below the other: {advice}")
    if times.nunique() < 2:
        raise sample.refuse("less than two times: give a longer file")
    gaps = Counter((np.diff(times.unique().sort_values().asi8) / _per_minute(times)).tolist())
    usual, asked = gaps.most_common(1)[0][0], sample.hints.step_minutes
    if asked is not None and gaps[asked] > (1 - ENOUGH) * gaps.total():
        return asked
    known = ", ".join(map(str, STEPS_MINUTES[:-1]))
    resample = f"resample it to {known} or {STEPS_MINUTES[-1]} minutes"
    if asked is not None:
        advice = f"leave out --step, or {resample}"
        raise sample.refuse(f"--step {asked}, and a reading comes every {usual:g} minutes: {advice}")
    if usual not in STEPS_MINUTES:
        raise sample.refuse(f"a reading every {usual:g} minutes: {resample}")
    return int(usual)


def _per_minute(times: pd.DatetimeIndex) -> int:
    return 60 * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[times.unit]


def _measure(column: str, cells: pd.Series[str], site: Site, hints: Hints) -> tuple[Measure, str]:
    """Return what a column of loads holds, and why that is assumed."""
    named = next((UNITS[word.lower()] for word in reversed(WORD.findall(column)) if word.lower() in UNITS), None)
    rises = hints.kind is None and _only_rises(cells, site.step_minutes)
    unit: Unit = hints.unit or named or "kW"
    kind = hints.kind or ("register" if rises else "energy" if unit.endswith("h") else "power")
    why = ", as they only rise" if rises else ", by the name" if named and not hints.unit else ""
    try:
        return Measure(kind=kind, unit=unit), why
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise DataError(f"--kind {kind} --unit {unit}: {said}") from None


def _only_rises(cells: pd.Series[str], step_minutes: int) -> bool:
    """Tell whether a watch takes the numbers of a column for those of a register from the first to the last."""
    values = pd.to_numeric(cells.iloc[: 2 * SAMPLE_ROWS], errors="coerce").dropna()
    watch, doubt = LoadWatch(), None
    for step, value in enumerate(values.tolist()):
        doubt = watch.add(step, value, step_minutes)
    return doubt == Doubt("register", since_step=0)


def _phrase(measure: Measure) -> str:
    unit = measure.unit.removesuffix("h")
    return {
        "power": f"power in {unit}",
        "energy": f"the energy of each interval in {unit}h",
        "register": f"the register of a meter in {unit}h",
    }[measure.kind]


def _name_of(name: str) -> str:
    """Return the name of a site, after that of its file."""
    stem = re.sub(r"(\.(csv|tsv|txt|zip|gz|parquet|pq))+$", "", PurePath(name).name, flags=re.IGNORECASE)
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", stem).strip("-_")[:60] or "site"
    return f"{plain}-file" if plain in known_sites() else plain


def _site(name: str, fields: dict[str, Any]) -> Site:
    try:
        return in_its_country(Site(**fields))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        option = str(first["loc"][0]).replace("_", "-")
        said = first["msg"].removeprefix("Value error, ")
        raise DataError(f"{name}: --{option} {first['input']!r}: {said}") from None
    except ValueError as error:
        raise DataError(f"{name}: --country {fields['country']}: {str(error).partition(': ')[2]}") from None


def _how(first: str, form: Mapping[str, object], site: Site, *, aware: bool) -> str:
    """Say how times are written."""
    how = f"as in {first!r}" + (", the day first" if form.get("day_first") else "")
    if "time_format" in form:
        how = f"counted from 1970 on as in {first!r} ({form['time_format']})"
    clock = f"on the calendar of {site.time_zone}" if aware else f"by the clock of {site.time_zone}"
    return f"{how}, {clock}"


def _said(site: Site, hints: Hints, ignored: Mapping[str, str], how: str) -> Iterator[str]:
    """Yield what is assumed, one line each, with the options that say otherwise."""
    columns = " and ".join(map(repr, site.time_columns))
    yield f"times are in {columns}, {how} (--time-column, --day-first, --time-zone)"
    yield f"a reading comes every {site.step_minutes} minutes (--step)"
    loads = [column for column, field in site.columns.items() if field not in WEATHER_FIELDS]
    named = ", ".join(f"zone {zone} {column!r}" for zone, column in enumerate(loads[:SHOWN], 1))
    more = f" and {len(loads) - SHOWN} more" if len(loads) > SHOWN else ""
    yield f"loads: {named}{more} (--column)"
    weather = [column for column, field in site.columns.items() if field in WEATHER_FIELDS]
    if weather:
        yield f"weather: {_listed(weather)}"
    if ignored:
        shown = ", ".join(f"{column!r} ({why})" for column, why in list(ignored.items())[:SHOWN])
        more = f" and {len(ignored) - SHOWN} more" if len(ignored) > SHOWN else ""
        yield f"ignored: {shown}{more}"
    if hints.country is None:
        yield "no public holidays: give --country, such as ES"


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(map(repr, list(columns)[:SHOWN]))
    return f"{shown} and {len(columns) - SHOWN} more" if len(columns) > SHOWN else shown
