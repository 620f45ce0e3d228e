"""One site of a forecaster: its models, how far they have come, and its forecasts; a fold over its readings.

Its models can change between two readings: those that take over fold the last readings of the site, and answer from the
next one on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from services.forecaster.in_force import InForce
from services.forecaster.issuing import Issuer
from services.forecaster.recent import RecentReadings, Rows
from services.forecaster.state import described, large_state_of, moving_state_of
from shared.forecasting.state import below, joined
from shared.forecasting.weather import COLUMNS
from shared.sites.site import load_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta

    from numpy.typing import NDArray

    from services.forecaster.issue import Issue
    from services.forecaster.issuing import ZoneModels
    from shared.contracts.messages import CleanReading
    from shared.sites.site import Site

__all__ = ["Answers", "Planned", "Refusal", "SiteForecasts"]

State = dict[str, "NDArray[Any]"]

Refusal = tuple[str, str | None, str]
"""Reason, field and value of a dead letter."""

ANNOUNCED, RECENT = "announced", "recent"


@dataclass(frozen=True)
class Planned:
    """Models that take a zone over at a step, as it was written.

    ``models`` are None where the zone began cold, or where they are not to be had: ``gone`` says why.
    """

    zone: int
    step: int
    models: ZoneModels | None
    gone: str | None = None


@dataclass(frozen=True)
class Answers:
    """What some readings have come to.

    Attributes
    ----------
    issues
        The forecasts.
    lacking
        How many steps lack between what the state held at the start and the first reading that is answered; the models
        fill them with their own forecasts.
    in_force
        Of each zone whose first forecast by its models is among them, which models these are.
    took_over
        The models that have taken over.
    too_old
        Those that could not, as the readings that they have not seen reach too far back.
    """

    issues: list[Issue]
    lacking: int
    in_force: list[InForce]
    took_over: list[ZoneModels]
    too_old: list[ZoneModels]


class SiteForecasts:
    """The forecasts of one site.

    Parameters
    ----------
    site
        Its readings alone are handed in.
    zones
        The models of its zones, which go on learning.
    coverages
        The intervals that the messages carry.
    max_gap
        How much later than the last one a reading may be, and how much later than the last one of a model that takes
        over.
    announced
        The zones of which it is written which models are in force.
    """

    def __init__(
        self,
        site: Site,
        zones: tuple[ZoneModels, ...],
        coverages: tuple[float, ...],
        max_gap: timedelta,
        announced: Iterable[int] = (),
    ) -> None:
        self.site = site
        self.zones = zones
        self.table = np.array(described(site))
        """What the numbers of its state depend on, to be kept with it."""
        self._loads = [load_field(zone) for zone in site.zones]
        self._weather = COLUMNS if site.weather else ()
        self._coverages = coverages
        self._issuer = Issuer(site, zones, coverages)
        self._recent = RecentReadings(site, max_gap)
        self._max_gap = max_gap
        as_of = min((zone.as_of for zone in zones if zone.as_of is not None), default=None)
        self._as_of, self._newest = as_of, as_of
        self._answers = False
        self.changes = 0
        """How often a reading was folded, since the site began or was resumed."""
        self._days_before = -self._days
        self._announced = set(announced)
        self._planned: list[Planned] = []
        self._in_force: list[InForce] = []
        self._took_over: list[ZoneModels] = []
        self._too_old: list[ZoneModels] = []

    def admit(self, reading: CleanReading) -> Refusal | None:
        """Take note of a reading that is to be folded next; returns why it is not, where no state can take it."""
        newest = self._newest
        if newest is not None and reading.time - newest > self._max_gap:
            advice = f"more than {self._max_gap.days} days after {newest.isoformat()}: run `tetouan train`"
            return "too_far_ahead", "time", f"{reading.time.isoformat()} is {advice}"
        self._newest = reading.time if newest is None else max(newest, reading.time)
        return None

    def plan(self, changes: Iterable[Planned]) -> None:
        """Let these take over, each at its step; rising."""
        self._planned += changes

    def catch_up(self, wanted: Iterable[ZoneModels]) -> Iterator[None]:
        """Let the models that are to take over fold what the site has had since the last reading that they have seen.

        It pauses after each day of readings; what is left when they take over, they fold then, with the same result.
        """
        for models in (*wanted, *(change.models for change in self._planned)):
            if models is not None:
                yield from self._caught_up(models)

    def fold(self, readings: Sequence[CleanReading]) -> list[ZoneModels]:
        """Fold readings that were answered before; returns the models that have taken over."""
        self.changes += 1
        self._advance(readings, {}, announce=False)
        self._as_of = self._newest
        took_over, self._took_over = self._took_over, []
        return took_over

    def answer(self, readings: Sequence[CleanReading], wanted: Mapping[int, ZoneModels] | None = None) -> Answers:
        """Answer each reading that the state does not hold yet with a forecast of each zone.

        The models of ``wanted``, by zone, take over before the first new reading that they have not seen: they are the
        site's own, and go on learning.
        """
        self.changes += 1
        issues = self._advance(readings, dict(wanted or {}), announce=True)
        lacking = 0
        if issues and not self._answers:
            self._answers = True
            if self._as_of is not None:
                lacking = (issues[0].origin - self._as_of) // self.site.grid.length - 1
        answers = Answers(issues, lacking, self._in_force, self._took_over, self._too_old)
        self._in_force, self._took_over, self._too_old = [], [], []
        return answers

    def _advance(
        self, readings: Sequence[CleanReading], wanted: dict[int, ZoneModels], *, announce: bool
    ) -> list[Issue]:
        rows = Rows.of(self.site.grid, self._loads, readings, self._weather)
        origins = [reading.time for reading in readings]
        issues: list[Issue] = []
        begin = 0
        if self._planned or wanted:
            for row, step in enumerate(rows.steps.tolist()):
                if due := self._due(step, wanted):
                    issues += self._take(origins[begin:row], rows[begin:row], announce=announce)
                    begin = row
                    for models, written in due:
                        self._run(models, written=written)
        if begin:
            origins, rows = origins[begin:], rows[begin:]
        return issues + self._take(origins, rows, announce=announce)

    def _due(self, step: int, wanted: dict[int, ZoneModels]) -> list[tuple[ZoneModels, bool]]:
        """Return the models that take over before the reading of a step, and whether that is written already."""
        due = []
        while self._planned and self._planned[0].step <= step:
            if (models := self._planned.pop(0).models) is not None:
                due.append((models, True))
        planned = {change.zone for change in self._planned}
        newest = self._recent.last_step
        if newest is None or step > newest:
            for zone in wanted.keys() - planned:
                seen = wanted[zone].demand.last_step
                if seen is None or seen < step:
                    due.append((wanted.pop(zone), False))
        return due

    def _take(self, origins: Sequence[datetime], rows: Rows, *, announce: bool) -> list[Issue]:
        if not origins:
            return []
        self._recent.add(rows)
        issues = self._issuer.answer_rows(origins, rows)
        if announce and len(self._announced) < len(self.zones):
            self._announce(issues)
        return issues

    def _announce(self, issues: Sequence[Issue]) -> None:
        for issue in issues:
            if issue.zone not in self._announced:
                self._announced.add(issue.zone)
                (models,) = (models for models in self.zones if models.zone == issue.zone)
                self._in_force.append(InForce(issue.zone, issue.origin, models.names, models.digest))

    def _run(self, models: ZoneModels, *, written: bool) -> None:
        """Let models take a zone over: they fold what the site has had since the last reading that they have seen."""
        seen = models.demand.last_step
        if seen is not None and not self._recent.follows(seen):
            self._too_old.append(models)
            return
        for _ in self._caught_up(models):
            pass
        days = self.days + 1
        self.zones = tuple(models if running.zone == models.zone else running for running in self.zones)
        self._days_before = days - self._days
        self._issuer = Issuer(self.site, self.zones, self._coverages)
        self._announced.discard(models.zone)
        if written:
            self._announced.add(models.zone)
        self._took_over.append(models)

    def _caught_up(self, models: ZoneModels) -> Iterator[None]:
        """Fold what the site has had since the last reading that the models have seen; pauses after each day of it."""
        seen = models.demand.last_step
        if seen is None or not self._recent.follows(seen):
            return
        alone = Issuer(self.site, (models,), self._coverages)
        column = self.site.zones.index(models.zone)
        for rows in self._recent.after(seen).parts(self.site.grid.day):
            origins = [self.site.grid.time_of(step) for step in rows.steps.tolist()]
            alone.answer_rows(origins, rows.of_zone(column))
            yield

    @property
    def as_of(self) -> datetime | None:
        """The time of the last reading that was folded before any was answered; None where there was none."""
        return self._as_of

    @property
    def last_step(self) -> int | None:
        """The step of the newest reading that it was given, None before the first."""
        return self._recent.last_step

    @property
    def days(self) -> int:
        """How often what `large_state` returns has changed, since the site began or was resumed.

        That is at a day's end, when a shift of the load is found, and when other models take over; what readings of
        today change of it, `moving_state` returns too.
        """
        return self._days_before + self._days

    @property
    def _days(self) -> int:
        return self._recent.days + sum(models.demand.days for models in self.zones)

    def large_state(self) -> State:
        """Return the part of the state that hardly changes but at a day's end as arrays by name: no copies.

        It may be older than `moving_state`, as long as `days` was the same.
        """
        return {**joined({RECENT: self._recent.large_state()}), **large_state_of(self.zones)}

    def moving_state(self) -> State:
        """Return all other state, and what readings of today have changed, as arrays by name: no copies."""
        own = {ANNOUNCED: np.array(sorted(self._announced), np.int64)}
        return {**own, **joined({RECENT: self._recent.moving_state()}), **moving_state_of(self.zones)}

    def resume(self, large: State, moving: State) -> None:
        """Go on from what `large_state` and `moving_state` returned, less that of the models, which it was made of.

        Raises ``ValueError`` that names what does not fit.
        """
        try:
            self._recent.resume(below(large, RECENT), below(moving, RECENT))
        except ValueError as error:
            raise ValueError(f"{RECENT}: {error}") from error
        announced = moving.get(ANNOUNCED)
        if announced is None or not self._are_zones(announced.tolist()):
            raise ValueError(f"{ANNOUNCED} does not name zones of the site")
        self._announced = set(announced.tolist())

    def _are_zones(self, numbers: Any) -> bool:
        return isinstance(numbers, list) and set(numbers) <= set(self.site.zones)
