"""What the page says of the loads: their zones, their day, week and year, and what they go with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from backtest.charts import load_axis
from backtest.explore import charts, levels, patterns
from backtest.explore.part import PagePart, by_zone, extreme, of_zones, records, upper, zone_table
from backtest.explore.words import listed, named, share
from backtest.page import Chart

if TYPE_CHECKING:
    from backtest.explore.exploration import Exploration

__all__ = ["load_parts"]

MOST_HEAT_MAPS = 3
ABOUT_LEVELS = (
    "The mean of each day, and as a broad line the mean between two changes. The detector of the stream watches how "
    "far a day is from the same weekday of the four weeks before: it finds a season that begins fast as well as "
    "customers that come or go."
)
ABOUT_CLOCKS = (
    "The mean day of the week after a change of the clock against that of the week before, both in UTC. A load that "
    "follows the clock moves by as many minutes the other way. One that keeps to the sun does not, and none does "
    "whose times were written by a clock that its people live by."
)
ABOUT_PAST = "How a load goes with itself so many hours before: 1 is in step, 0 not at all, -1 against it."
ABOUT_WEATHER = (
    "A correlation is no cause: load and weather both follow the hour and the season. At the same hour is what is "
    "left of it when each value is taken less the mean of its hour of the day."
)
NO_WEATHER = "The file has no weather, so nothing is said of what the load makes of it."
ALONE = "There is one zone, so that none can be compared with another."
UNPAIRED = "No correlation with the weather: one of both is constant, or they never come together."
NO_COUNTRY = "No country is known, so no holidays are: give --country, such as ES."
NO_HOLIDAY = "No holiday of the file has three ordinary days of its weekday within four weeks."
NO_CLOCK = "Summer time: no clock of the site or its country is changed in the file, or too little is known around it."
TOO_SHORT = {
    "hour of the day": "fewer than three days",
    "weekday": "fewer than two weeks",
    "month": "fewer than 300 days",
}


def load_parts(found: Exploration) -> list[PagePart]:
    """Return what is said of the loads, of which there is one at least."""
    makers = (_zones, _day, _week, _year, _hours, _past, _weather, _holidays, _ramadan, _levels, _clocks)
    return [part for make in makers if (part := make(found)) is not None]


def _zones(found: Exploration) -> PagePart:
    frame, unit = found.frames["zones"], found.unit
    daily = patterns.daily(found.series)
    peaks = listed(
        f"{named(row['field'])} {unit.shown(row['peak_kw'])} {unit.name} at {row['peak']}" for row in records(frame)
    )
    finding = f"the peaks are {peaks}."
    how = f"The mean load of each day; one that lacks more than 4 of its hours has none. {upper(finding)}"
    drawn = [Chart("Mean load of each day", how, charts.lines(daily / unit.kw, "", load_axis("load", unit.name)))]
    if len(found.series.loads) > 1:
        sums = frame["field"] == patterns.SUM
        together, apart = frame.loc[sums, "peak_kw"].sum(), frame.loc[~sums, "peak_kw"].sum()
        finding += (
            f" The zones together peak at {share(together / apart)} of the sum of their own peaks." if apart > 0 else ""
        )
        of_sum = daily.div(daily.sum(axis=1, skipna=False), axis=0)
        axis = {
            "title": {"text": "share of the sum, %"},
            "rangemode": "tozero",
            "automargin": True,
            "hoverformat": ".1f",
        }
        how = (
            "What each zone has of the sum of a day: where one line falls and another rises, load has moved. "
            f"In the mean: {of_zones(of_sum.mean())}."
        )
        drawn.append(Chart("Share of each zone in the sum", how, charts.lines(100 * of_sum, "", axis)))
    lacks = () if len(drawn) > 1 else (ALONE,)
    return PagePart(
        "zones", "The zones beside each other", finding, tuple(drawn), {"The zones": zone_table(frame)}, open=lacks
    )


def _day(found: Exploration) -> PagePart:
    frame, unit = patterns.typical_day(found.series), found.unit
    highest = {name: extreme(of, "median_kw", highest=True)["minute"] for name, of in by_zone(frame)}
    busiest = listed(f"{name} at {minute // 60}:{minute % 60:02d}" for name, minute in highest.items())
    how = f"Half of the loads at a time of the day are above the line, 80 % in the band. The busiest times: {busiest}."
    chart = Chart("The typical day", how, charts.course(unit.scaled(frame), unit.name))
    return PagePart(
        "day", "The day", _explains(found, "hour of the day"), (chart,), open=_untold(found, "hour of the day")
    )


def _week(found: Exploration) -> PagePart:
    frame, unit = patterns.typical_week(found.series), found.unit
    lowest = []
    for name, of in by_zone(frame):
        means = of.groupby("weekday")[["mean_kw"]].mean().reset_index()
        row, mean_kw = extreme(means, "mean_kw", highest=False), means["mean_kw"].mean()
        below = f", {share(row['mean_kw'] / mean_kw - 1)} from the mean" if mean_kw else ""
        lowest.append(f"{name} is lowest on {patterns.WEEKDAYS[int(row['weekday'])]}{below}")
    how = f"The mean load of each hour of the week. {upper('; '.join(lowest))}."
    chart = Chart("The typical week", how, charts.week(unit.scaled(frame), unit.name))
    return PagePart("week", "The week", _explains(found, "weekday"), (chart,), open=_untold(found, "weekday"))


def _year(found: Exploration) -> PagePart:
    frame, unit = found.frames["months"], found.unit
    ends = {
        name: [extreme(of, "median_kw", highest=highest) for highest in (False, True)]
        for name, of in by_zone(frame.dropna(subset="median_kw"))
    }
    said = listed(
        f"{name} from {unit.shown(low['median_kw'])} in {low['month']} "
        f"to {unit.shown(high['median_kw'])} {unit.name} in {high['month']}"
        for name, (low, high) in ends.items()
    )
    how = f"Median of each month, and the band of 80 % of its loads. The medians go, {said}."
    chart = Chart("The months", how, charts.bands(unit.scaled(frame), "month", "", unit.name))
    tables = {"The months": zone_table(frame)}
    return PagePart("year", "The year", _explains(found, "month"), (chart,), tables, open=_untold(found, "month"))


def _hours(found: Exploration) -> PagePart:
    unit, drawn = found.unit, []
    for name in list(found.series.loads)[:MOST_HEAT_MAPS]:
        frame = patterns.heat(found.series, name)
        highest_kw, place = np.nanmax(frame.to_numpy()), int(np.nanargmax(frame.to_numpy()))
        day, hour = divmod(place, frame.shape[1])
        how = (
            f"Each column is a date, each row an hour: the brighter, the higher. The highest of {named(name)} is "
            f"{unit.shown(highest_kw)} {unit.name}, in the hour from {hour}:00 on {frame.index[day]:%Y-%m-%d}."
        )
        drawn.append(Chart(f"Load of {named(name)} by date and hour", how, charts.heat(frame / unit.kw, unit.name)))
    return PagePart("hours", "Every hour at one look", charts=tuple(drawn))


def _past(found: Exploration) -> PagePart:
    frame = found.frames["lagged"]
    lags = [str(name) for name in frame.columns[1:]]
    lacks = tuple(
        f"How the load goes with itself {lag} before: the file is too short, or the load constant."
        for lag in lags
        if frame[lag].isna().all()
    )
    heading = "The load and its own past"
    said = []
    for row in records(frame):
        known = [f"{row[lag]:z.2f} with {lag} before" for lag in lags if np.isfinite(row[lag])]
        said += [f"{named(row['field'])} {listed(known)}"] * bool(known)
    if not said:
        return PagePart("past", heading, open=lacks)
    finding = f"the correlations are {'; '.join(said)}."
    axis = {"title": {"text": "correlation"}, "automargin": True, "hoverformat": ".3f"}
    figure = charts.lines(patterns.autocorrelations(found.series), "hours before", axis)
    chart = Chart("Correlation of the load with its own past", f"{ABOUT_PAST} {upper(finding)}", figure)
    return PagePart(
        "past", heading, finding, (chart,), {"An hour, a day and a week before": zone_table(frame)}, open=lacks
    )


def _weather(found: Exploration) -> PagePart:
    heading, frame, unit = "The load and the weather", found.frames["weather_correlations"], found.unit
    if not found.series.weather:
        return PagePart("weather", heading, open=(NO_WEATHER,))
    known = frame.dropna(subset="pearson")
    if not len(known):
        return PagePart("weather", heading, open=(UNPAIRED,))
    sized = known.assign(size=known["pearson"].abs())
    best = {name: extreme(of, "size", highest=True) for name, of in by_zone(sized)}
    said = listed(f"{name} {row['pearson']:z.2f} with {named(row['weather'])}" for name, row in best.items())
    finding = f"the strongest correlations are {said}."
    how = f"Pearson's correlation of all columns at the same time, from -1 to 1. {upper(finding)}"
    drawn = [Chart("Correlations", how, charts.matrix(patterns.correlation_matrix(found.series)))]
    response = patterns.response(found.series)
    if len(response):
        coolest = {name: extreme(of, "median_kw", highest=False)["temperature_c"] for name, of in by_zone(response)}
        least = listed(f"{name} at {degrees:.0f} °C" for name, degrees in coolest.items())
        how = (
            "Median and the band of 80 % of the loads by temperature: a rise to the right speaks for cooling, one to "
            f"the left for heating. The load is lowest in {least}."
        )
        figure = charts.bands(unit.scaled(response), "temperature_c", "temperature, °C", unit.name)
        drawn.append(Chart("The load by temperature", how, figure))
    tables = {"Loads and weather": zone_table(frame.assign(weather=frame["weather"].map(named)))}
    return PagePart("weather", heading, finding, tuple(drawn), tables, (ABOUT_WEATHER,))


def _holidays(found: Exploration) -> PagePart:
    frame = found.frames["holidays"].dropna(subset="difference_ratio")
    if not len(frame):
        return PagePart("holidays", "Holidays", open=(NO_COUNTRY if found.year.site.country is None else NO_HOLIDAY,))
    lowest = extreme(frame, "difference_ratio", highest=False)
    finding = (
        f"on {frame['local_date'].nunique()} holidays the mean load differs from that of ordinary days by "
        f"{of_zones(frame.groupby('field', sort=False)['difference_ratio'].mean())}; it is lowest on "
        f"{lowest['local_date']}, {share(lowest['difference_ratio'])} in {named(lowest['field'])}."
    )
    how = f"The mean load of each holiday against the same weekday of the four weeks before and after. {upper(finding)}"
    chart = Chart("Holidays and ordinary days", how, charts.bars(frame))
    return PagePart("holidays", "Holidays", finding, (chart,), {"The holidays": zone_table(frame)})


def _ramadan(found: Exploration) -> PagePart | None:
    frame, unit = found.frames["fasting"], found.unit
    if not len(frame):
        return None
    means = frame.groupby("field", sort=False)[["ramadan_kw", "beside_kw"]].mean()
    differ = of_zones(means["ramadan_kw"] / means["beside_kw"] - 1)
    finding = f"the mean load in Ramadan differs from that of the four weeks on either side by {differ}."
    how = f"The mean day in Ramadan, and, dotted, in the four weeks before and after. {upper(finding)}"
    figure = charts.pairs(unit.scaled(frame), (("ramadan_kw", "Ramadan"), ("beside_kw", "beside")), unit.name)
    return PagePart(
        "ramadan", "Ramadan", finding, (Chart("The day in Ramadan", how, figure),), {"The hours": zone_table(frame)}
    )


def _levels(found: Exploration) -> PagePart:
    heading, frame, series, unit = "Changes of the level", found.frames["shifts"], found.series, found.unit
    if len(series.dates) < levels.FEWEST_DAYS:
        few = f"Changes of the level: the file has fewer than {levels.FEWEST_DAYS} days."
        return PagePart("levels", heading, open=(few,))
    daily = patterns.daily(series) / unit.kw
    if daily.notna().sum().max() < levels.FEWEST_DAYS:
        return PagePart(
            "levels", heading, open=(f"{heading}: fewer than {levels.FEWEST_DAYS} days are known well enough.",)
        )
    finding = "no change of the level of a load was found."
    sized = frame.dropna(subset="change_ratio")
    if len(sized):
        largest = extreme(sized.assign(size=sized["change_ratio"].abs()), "size", highest=True)
        finding = (
            f"{len(frame)} changes of the level were found, the largest on {largest['local_date']}: "
            f"{share(largest['change_ratio'])} in {named(largest['field'])} from the 14 days before to the 14 after."
        )
    since = {name: frame.loc[frame["field"] == name, "local_date"] for name in series.loads}
    steps = pd.DataFrame({name: levels.level_of(series, name, dates) for name, dates in since.items()}, daily.index)
    figure = charts.lines(daily, "", load_axis("load", unit.name), steps / unit.kw)
    chart = Chart(heading, f"{ABOUT_LEVELS} {upper(finding)}", figure)
    return PagePart("levels", heading, finding, (chart,), {"The changes": zone_table(frame)} if len(frame) else {})


def _clocks(found: Exploration) -> PagePart:
    heading = "Traces of summer time"
    rows = [
        {
            "clock": change.time_zone,
            "when": change.when,
            "forward_min": change.turned_minutes,
            "zone": named(name),
            "day_moved_min": moved,
            "follows_the_clock": "yes" if change.followed[name] else "no",
        }
        for change in found.clock_changes
        for name, moved in change.moved_minutes.items()
    ]
    if not rows:
        return PagePart("clock", heading, open=(NO_CLOCK,))
    follow = sum(row["follows_the_clock"] == "yes" for row in rows)
    farthest = max(abs(moved) for change in found.clock_changes for moved in change.moved_minutes.values())
    changes = len(found.clock_changes)
    finding = (
        f"changes of the clock of {rows[0]['clock']}: {changes}; in {follow} of {len(rows)} cases the day moves "
        f"with it in UTC, and by {farthest} minutes at most."
    )
    tables = {"Changes of the clock": pd.DataFrame(rows)}
    return PagePart("clock", heading, finding, tables=tables, remarks=(f"{ABOUT_CLOCKS} {upper(finding)}",))


def _explains(found: Exploration, name: str) -> str:
    """Return what share of the variance the groups of that name explain; nothing where that cannot be told."""
    told = of_zones(found.frames["explained"].set_index("field")[f"{name}_ratio"])
    return f"the {name} alone explains this share of the variance of the load: {told}." if told else ""


def _untold(found: Exploration, name: str) -> tuple[str, ...]:
    told = found.frames["explained"][f"{name}_ratio"].notna().any()
    return () if told else (f"What the {name} explains of the load: there are {TOO_SHORT[name]}, or it is constant.",)
