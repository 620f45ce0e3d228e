"""The ingestor's pure core: raw bytes in, one of three outcomes out, the readings of each site in event-time order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from services.ingestor.ordering import Timeline
from services.ingestor.validation import Rejected, Valid, validate
from shared.contracts.messages import Flagged
from shared.data.cells import power_of
from shared.data.load_watch import LoadWatch
from shared.forecasting.state import resume_parts, states_of
from shared.sites.grid import Grid
from shared.sites.site import load_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from shared.contracts.messages import CleanReading
    from shared.data.load_watch import Doubt
    from shared.sites.site import Site

__all__ = ["Accepted", "Ingestor", "Merged", "Outcome", "Rejected", "Valid"]

WINDOW = timedelta(days=16)
AHEAD = timedelta(hours=1)
TOLERANCE = timedelta(minutes=10)  # of a second hour that has not begun: then the first one came twice
END_OF_TIME = datetime.max.replace(tzinfo=UTC)
MAX_UNUSED = 8  # values that a refusal lists


@dataclass(frozen=True, slots=True)
class Accepted:
    """A reading to publish."""

    reading: CleanReading


@dataclass(frozen=True, slots=True)
class Merged:
    """A reading that says no more than the one of its time that was published already: it is dropped."""

    reading: CleanReading


Outcome = Accepted | Rejected | Merged


class Ingestor:
    """Judges each raw record once; its state is what each site has published in the last 16 days.

    Parameters
    ----------
    sites : Iterable[Site]
        The known sites.
    max_gap : timedelta
        How long after a site's last reading the next one may be stamped. When six in a row come from beyond it, in
        order and no further apart, they are the new truth: the meter was away for long, or its clock was wrong.
    """

    def __init__(self, sites: Iterable[Site], max_gap: timedelta) -> None:
        self.sites = {site.name: site for site in sites}
        self._max_gap = max_gap
        self._timelines = {
            name: Timeline(
                WINDOW // site.grid.length, max_gap // site.grid.length, len(site.fields) + len(site.registers)
            )
            for name, site in self.sites.items()
        }
        self._watches = {name: [LoadWatch() for _ in _loads(site)] for name, site in self.sites.items()}
        self._doubts: dict[str, dict[str, Doubt]] = {name: {} for name in self.sites}
        self._recalled: dict[str, int] = {}  # the last step published of the records that were placed before

    def judge(self, raw: bytes, came: datetime) -> Outcome:
        """Return what becomes of the record; no bytes make it raise. See `read` and `place`."""
        valid = self.read(raw)
        return valid if isinstance(valid, Rejected) else self.place(valid, came)

    def read(self, raw: bytes) -> Valid | Rejected:
        """Return the reading in the bytes that a meter has sent, or why there is none; knows nothing of other ones."""
        return validate(raw, self.sites)

    def place(self, valid: Valid, came: datetime) -> Outcome:
        """Return what becomes of a reading beside those that were published.

        Parameters
        ----------
        valid : Valid
            One that was read. Where the clock shows its time twice it is of the second hour where the first one is
            over: where that time was published already, unless the reading only repeats it.
        came : datetime
            When it came at the latest, aware: no meter reads more than an hour ahead of that.
        """
        site, timeline = self.sites[valid.reading.site], self._timelines[valid.reading.site]
        reading = self._told_apart(valid, timeline.last, came)
        step = _step(reading)
        place, stamp = timeline.place(step), reading.time.isoformat()
        if place in ("next", "ahead") and reading.time - came > AHEAD:
            clocks = f"more than an hour after {came.isoformat()}, the later of the record's own time and our clock"
            advice = "check the clock of the meter, and the time zone of the site"
            return Rejected("in_the_future", site.time_column, f"{stamp} is {clocks}: {advice}")
        match place:
            case "next":
                reading = self._with_power(reading, valid.registers_kwh)
                timeline.publish(step, [*_values(reading, site), *valid.registers_kwh])
                self._watch(reading)
                return Accepted(reading)
            case "published":
                outcome = self._repeated(reading, valid.registers_kwh)
                timeline.complete(step, valid.registers_kwh)
                return outcome
            case "late":
                why = "later readings were published, and this time was not, or more than 16 days ago"
                return Rejected("too_late", site.time_column, f"{stamp}: {why}: send readings in order of their time")
            case "ahead":
                why = f"{stamp} is more than {self._max_gap.days} days after the last reading"
                advice = "check the meter's clock; after a real gap the sixth reading in a row is taken"
                return Rejected("too_far_ahead", site.time_column, f"{why}: {advice}")

    def _told_apart(self, valid: Valid, last: int | None, came: datetime) -> CleanReading:
        """Return the reading at the one of its times that it is of, where ``last`` is the last step before it."""
        if valid.again is None or last is None or valid.again - came > TOLERANCE:
            return valid.reading
        later = valid.reading.model_copy(update={"time": valid.again})
        first, second = _step(valid.reading), _step(later)
        if last < first:
            return valid.reading
        if second - last == 1:  # the first hour is over
            return later
        repeats = last == first or (
            self._timelines[later.site].is_published(first) and not self._unused(valid.reading, valid.registers_kwh)
        )
        return valid.reading if repeats else later

    def _with_power(self, reading: CleanReading, registers_kwh: Sequence[float | None]) -> CleanReading:
        """Return the reading with the powers that its registers tell beside those of the step before."""
        if not registers_kwh:
            return reading
        site, timeline, before = self.sites[reading.site], self._timelines[reading.site], _step(reading) - 1
        known = timeline.standing(before) if timeline.is_published(before) else [None] * len(registers_kwh)
        values, flags = dict(reading.values), dict(reading.flags)
        before_kwh = known[-len(registers_kwh) :]
        for field, now, then in zip(site.registers, registers_kwh, before_kwh, strict=True):
            values[field], flag = power_of(now, then, field, site)
            original = flags.pop(field).original
            if flag is not None:
                flags[field] = Flagged(flag=flag, original=original)
        return reading.model_copy(update={"values": values, "flags": flags})

    def _unused(
        self, reading: CleanReading, registers_kwh: Sequence[float | None]
    ) -> list[tuple[str, float, float | None]]:
        """Return field, value and what stands of each value that differs from the published reading of that time."""
        site = self.sites[reading.site]
        values = [*_values(reading, site), *registers_kwh]
        standing = self._timelines[reading.site].standing(_step(reading))
        named = zip((*site.fields, *site.registers), values, standing, strict=True)
        return [(field, value, stands) for field, value, stands in named if value is not None and value != stands]

    def _repeated(self, reading: CleanReading, registers_kwh: Sequence[float | None]) -> Outcome:
        """Return what becomes of a reading of a published time: no value of it is lost without a word."""
        columns = {field: column for column, field in self.sites[reading.site].columns.items()}
        unused = self._unused(reading, registers_kwh)
        if not unused:
            return Merged(reading)
        field, _, stands = unused[0]
        said = ", ".join(
            f"{field} {value} where {_shown(stands)} stands" for field, value, stands in unused[:MAX_UNUSED]
        )
        more = f" and {len(unused) - MAX_UNUSED} more" if len(unused) > MAX_UNUSED else ""
        why = f"{said}{more} at {reading.time.isoformat()}: the first message of a time counts"
        if stands is None:
            return Rejected("late_value", columns[field], f"{why}: send all values of a time in one message")
        return Rejected("contradicts", columns[field], f"{why}: see which of the two is right")

    def remember(self, reading: CleanReading) -> None:
        """Take note of a reading that was published before; one of an unknown site or out of order says nothing."""
        site = self.sites.get(reading.site)
        if site is not None and reading.step_minutes == site.step_minutes:
            unknown_kwh, timeline = [None] * len(site.registers), self._timelines[site.name]
            is_new = timeline.last is None or _step(reading) > timeline.last
            timeline.remember(_step(reading), [*_values(reading, site), *unknown_kwh])
            if is_new:
                self._watch(reading)

    def recall(self, valid: Valid) -> None:
        """Take note of a reading that was placed before, whatever its outcome; what it published is remembered.

        The clock of that time is not known, and nothing here depends on it. What its registers showed stands in no
        clean reading.
        """
        name = valid.reading.site
        timeline, last = self._timelines[name], self._recalled.get(name)
        step = _step(self._told_apart(valid, last, END_OF_TIME))
        timeline.place(step)
        timeline.complete(step, valid.registers_kwh)
        if timeline.is_published(step):
            self._recalled[name] = step if last is None else max(step, last)

    def doubts(self, name: str) -> Mapping[str, Doubt]:
        """Return what is suspected of the loads of a site, by field, as of its last reading."""
        return self._doubts[name]

    def _watch(self, reading: CleanReading) -> None:
        site, doubts = self.sites[reading.site], self._doubts[reading.site]
        for field, watch in zip(_loads(site), self._watches[reading.site], strict=True):
            value_kw = reading.values.get(field)
            doubt = None if value_kw is None else watch.add(_step(reading), value_kw, site.step_minutes)
            if doubt is not None:
                doubts[field] = doubt
            elif value_kw is not None:
                doubts.pop(field, None)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what is known of each site and what it belongs to, by the name of the site and of the array."""
        belongs = {f"{name}.site": np.array(_described(site)) for name, site in self.sites.items()}
        loads = {name: np.stack([watch.state() for watch in watches]) for name, watches in self._watches.items()}
        return belongs | {f"{name}.loads": array for name, array in loads.items()} | states_of(self._timelines)

    def changed(self, state: Mapping[str, NDArray[Any]]) -> Iterator[str]:
        """Yield, for each site that a state does not hold as the site is now, what is wrong with it."""
        for name, site in self.sites.items():
            described, held = _described(site), state.get(f"{name}.site")
            if held is None or str(held) != described:
                yield f"{name}.site is {held}, by the table of sites it is {described}"

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        resume_parts(self._timelines, state)
        self._watches = {name: [LoadWatch.of(load) for load in state[f"{name}.loads"]] for name in self.sites}
        last = {name: timeline.last for name, timeline in self._timelines.items()}
        self._recalled = {name: step for name, step in last.items() if step is not None}


def _described(site: Site) -> str:
    """Return what the numbers of a site's state depend on."""
    measures = (f"{field}:{measure.kind}:{measure.unit}" for field, measure in sorted(site.measures.items()))
    return f"{site.step_minutes} {site.time_zone} {' '.join([*site.fields, *measures])}"


def _loads(site: Site) -> tuple[str, ...]:
    return tuple(load_field(zone) for zone in site.load_zones)


def _values(reading: CleanReading, site: Site) -> list[float | None]:
    return [reading.values.get(field) for field in site.fields]


def _shown(value: float | None) -> str:
    return "null" if value is None else str(value)


def _step(reading: CleanReading) -> int:
    return Grid(reading.step_minutes).step_of(reading.time)
