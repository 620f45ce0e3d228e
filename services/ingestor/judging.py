"""What becomes of the readings of one site, beside those that it has published: they go out in event-time order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from services.ingestor.ordering import Timeline
from services.ingestor.validation import Rejected, Valid
from shared.contracts.messages import Flagged
from shared.data.cells import power_of
from shared.data.limit_watch import LimitWatch
from shared.data.load_watch import LoadWatch
from shared.data.step_watch import FEWEST, STEP, StepDoubt, usual_gap
from shared.sites.site import load_field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.contracts.messages import CleanReading
    from shared.data.load_watch import Doubt
    from shared.sites.site import Site

__all__ = ["Accepted", "Merged", "Outcome", "Rejected", "SiteReadings", "Valid"]

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


class SiteReadings:
    """Judges each reading of a site once; its state is what the site has published in the last 16 days.

    Parameters
    ----------
    site : Site
        The site.
    max_gap : timedelta
        How long after the last reading the next one may be stamped. When six in a row come from beyond it, in order and
        no further apart, they are the new truth: the meter was away for long, or its clock was wrong.
    """

    def __init__(self, site: Site, max_gap: timedelta) -> None:
        self.site = site
        self.doubts: dict[str, Doubt | StepDoubt] = {}
        """What is suspected of the loads, of the limits and of the step, by field, as of the last reading."""
        self._grid = site.grid
        self._max_gap = max_gap
        self._fields = site.fields
        self._registers = site.registers
        self._loads = tuple(load_field(zone) for zone in site.load_zones)
        steps = WINDOW // self._grid.length, max_gap // self._grid.length
        self._timeline = Timeline(*steps, len(self._fields) + len(self._registers))
        self._watches = [LoadWatch() for _ in self._loads]
        self._limit_watches = {field: LimitWatch() for field in self._fields}
        self._some_refused = False  # of late, of any field
        self.changes = 0
        """How often the state may have changed, since it began or was resumed."""
        self._recalled: int | None = None  # the last step published of the records that were placed before

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
        self.changes += 1
        timeline, column = self._timeline, self.site.time_column
        last = timeline.last
        reading = self._told_apart(valid, last, came)
        step = self._grid.step_of(reading.time)
        place = timeline.place(step)
        if place in ("next", "ahead") and reading.time - came > AHEAD:
            clocks = f"more than an hour after {came.isoformat()}, the later of the record's own time and our clock"
            advice = "check the clock of the meter, and the time zone of the site"
            return Rejected("in_the_future", column, f"{reading.time.isoformat()} is {clocks}: {advice}")
        match place:
            case "next":
                reading = self._with_power(reading, step, valid.registers_kwh)
                timeline.publish(step, [*self._values(reading), *valid.registers_kwh])
                self._watch(reading, step, last)
                return Accepted(reading)
            case "published":
                outcome = self._repeated(reading, step, valid.registers_kwh)
                timeline.complete(step, valid.registers_kwh)
                return outcome
            case "late":
                why = "later readings were published, and this time was not, or more than 16 days ago"
                said = f"{reading.time.isoformat()}: {why}: send readings in order of their time"
                return Rejected("too_late", column, said)
            case "ahead":
                why = f"{reading.time.isoformat()} is more than {self._max_gap.days} days after the last reading"
                advice = "check the meter's clock; after a real gap the sixth reading in a row is taken"
                return Rejected("too_far_ahead", column, f"{why}: {advice}")

    def _told_apart(self, valid: Valid, last: int | None, came: datetime) -> CleanReading:
        """Return the reading at the one of its times that it is of, where ``last`` is the last step before it."""
        if valid.again is None or last is None or valid.again - came > TOLERANCE:
            return valid.reading
        later = valid.reading.model_copy(update={"time": valid.again})
        first, second = self._grid.step_of(valid.reading.time), self._grid.step_of(later.time)
        if last < first:
            return valid.reading
        if second - last == 1:  # the first hour is over
            return later
        repeats = last == first or (
            self._timeline.is_published(first) and not self._unused(valid.reading, first, valid.registers_kwh)
        )
        return valid.reading if repeats else later

    def _with_power(self, reading: CleanReading, step: int, registers_kwh: Sequence[float | None]) -> CleanReading:
        """Return the reading with the powers that its registers tell beside those of the step before."""
        if not registers_kwh:
            return reading
        timeline, before = self._timeline, step - 1
        known = timeline.standing(before) if timeline.is_published(before) else [None] * len(registers_kwh)
        values, flags = dict(reading.values), dict(reading.flags)
        before_kwh = known[-len(registers_kwh) :]
        for field, now, then in zip(self._registers, registers_kwh, before_kwh, strict=True):
            values[field], flag = power_of(now, then, field, self.site)
            original = flags.pop(field).original
            if flag is not None:
                flags[field] = Flagged(flag=flag, original=original)
        return reading.model_copy(update={"values": values, "flags": flags})

    def _unused(
        self, reading: CleanReading, step: int, registers_kwh: Sequence[float | None]
    ) -> list[tuple[str, float, float | None]]:
        """Return field, value and what stands of each value that differs from the published reading of that time."""
        values = [*self._values(reading), *registers_kwh]
        named = zip((*self._fields, *self._registers), values, self._timeline.standing(step), strict=True)
        return [(field, value, stands) for field, value, stands in named if value is not None and value != stands]

    def _repeated(self, reading: CleanReading, step: int, registers_kwh: Sequence[float | None]) -> Outcome:
        """Return what becomes of a reading of a published time: no value of it is lost without a word."""
        columns = {field: column for column, field in self.site.columns.items()}
        unused = self._unused(reading, step, registers_kwh)
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
        """Take note of a reading that was published before; one out of order says nothing."""
        self.changes += 1
        timeline, step = self._timeline, self._grid.step_of(reading.time)
        last = timeline.last
        is_new = last is None or step > last
        timeline.remember(step, [*self._values(reading), *[None] * len(self._registers)])
        if is_new:
            self._watch(reading, step, last)

    def recall(self, valid: Valid) -> None:
        """Take note of a reading that was placed before, whatever its outcome; what it published is remembered.

        The clock of that time is not known, and nothing here depends on it. What its registers showed stands in no
        clean reading.
        """
        self.changes += 1
        timeline, last = self._timeline, self._recalled
        step = self._grid.step_of(self._told_apart(valid, last, END_OF_TIME).time)
        timeline.place(step)
        timeline.complete(step, valid.registers_kwh)
        if timeline.is_published(step):
            self._recalled = step if last is None else max(step, last)

    def _watch(self, reading: CleanReading, step: int, last: int | None) -> None:
        """Look at a reading that was published, where ``last`` was the last one before it."""
        for field, watch in zip(self._loads, self._watches, strict=True):
            value_kw = reading.values.get(field)
            doubt = None if value_kw is None else watch.add(step, value_kw, self._grid.step_minutes)
            if doubt is not None:
                self.doubts[field] = doubt
            elif value_kw is not None:
                self.doubts.pop(field, None)
        if (last is not None and step - last > 1) or STEP in self.doubts:
            self._watch_step(step)
        if self._some_refused or any(flagged.flag == "outlier" for flagged in reading.flags.values()):
            self._watch_limits(reading, step)

    def _watch_step(self, step: int) -> None:
        """Look at the distances of the last readings; the step is in doubt while most are another one."""
        gap, told = usual_gap(self._timeline.gaps(FEWEST)), self.doubts.get(STEP)
        if gap in (None, 1):
            self.doubts.pop(STEP, None)
        elif not isinstance(told, StepDoubt) or told.usual_minutes != gap * self._grid.step_minutes:
            self.doubts[STEP] = StepDoubt(step, gap * self._grid.step_minutes)

    def _watch_limits(self, reading: CleanReading, step: int) -> None:
        for field, watch in self._limit_watches.items():
            flagged = reading.flags.get(field)
            if field not in self.site.limits or (flagged is not None and flagged.flag != "outlier"):
                continue
            if doubt := watch.add(step, self._grid.step_minutes, is_refused=flagged is not None):
                self.doubts[field] = doubt
            elif (told := self.doubts.get(field)) and told.kind == "limits":
                del self.doubts[field]
        self._some_refused = any(watch.share for watch in self._limit_watches.values())

    def _values(self, reading: CleanReading) -> list[float | None]:
        values = reading.values
        return [values.get(field) for field in self._fields]

    def described(self) -> str:
        """Return what the numbers of the state depend on."""
        site = self.site
        measures = (f"{field}:{measure.kind}:{measure.unit}" for field, measure in sorted(site.measures.items()))
        return f"{site.step_minutes} {site.time_zone} {' '.join([*site.fields, *measures])}"

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold all that is known, by name."""
        loads = np.stack([watch.state() for watch in self._watches])
        limits = np.stack([watch.state() for watch in self._limit_watches.values()])
        return {"site": np.array(self.described()), "loads": loads, "limits": limits, **self._timeline.state()}

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned; raises ``ValueError`` where a value cannot be used."""
        try:
            self._timeline.resume(state)
        except (OSError, OverflowError) as error:  # a time that no calendar has
            raise ValueError(str(error)) from error
        self._watches = [LoadWatch.of(load) for load in state["loads"]]
        self._limit_watches = dict(zip(self._fields, map(LimitWatch.of, state["limits"]), strict=True))
        self._some_refused = any(watch.share for watch in self._limit_watches.values())
        self._recalled = self._timeline.last


def _shown(value: float | None) -> str:
    return "null" if value is None else str(value)
