"""The constants of the forecast that are chosen, and what each might be as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.forecasting.method import METHOD, WEATHER_METHOD, Constants, Method, WeatherMethod

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.forecasting.method import Value

__all__ = ["GROUPS", "METHODS", "Constant", "Methods", "methods_with"]


@dataclass(frozen=True)
class Methods(Constants):
    """The constants of both models."""

    demand: Method = METHOD
    weather: WeatherMethod = WEATHER_METHOD


METHODS = Methods()


@dataclass(frozen=True)
class Constant:
    """One constant, or several that are chosen together.

    Attributes
    ----------
    names
        Its name in `Methods`, or one for each number of a value.
    candidates
        A small grid around the present value.
    """

    names: tuple[str, ...]
    candidates: tuple[Value, ...]

    @property
    def label(self) -> str:
        """Its name for people."""
        return ", ".join(self.names)

    @property
    def value(self) -> Value:
        """What it is now."""
        present = METHODS.named()
        held = tuple(present[name] for name in self.names)
        return held[0] if len(held) == 1 else held  # type: ignore[return-value]  # none of several is itself several

    def numbers(self, value: Value) -> dict[str, Value]:
        """Return what each of its names stands for where it is this value."""
        parts = value if len(self.names) > 1 and isinstance(value, tuple) else (value,)
        return dict(zip(self.names, parts, strict=True))


def methods_with(setting: Mapping[Constant, Value]) -> Methods:
    """Return the constants of both models with these instead of the present ones."""
    changes: dict[str, Value] = {}
    for constant, value in setting.items():
        changes |= constant.numbers(value)
    return METHODS.changed(changes)


def _of(name: str, *candidates: Value) -> Constant:
    return Constant((name,), candidates)


GROUPS: dict[str, tuple[Constant, ...]] = {
    "regression": (
        _of(
            "demand.regression.half_lives_days",
            *((15.0, 120.0), (15.0, 240.0), (15.0, 960.0), (30.0, 240.0), (30.0, 960.0), (60.0, 960.0)),
        ),
        _of(
            "demand.regression.ridges",
            (0.0, 0.002),
            (0.005, 0.005),
            (0.05, 0.002),
            (0.1, 0.002),
            (0.05, 0.005),
            (0.05, 0.001),
        ),
        _of("demand.regression.ridge_of_one_day", 20.0, 40.0, 80.0, 160.0),
        _of("demand.regression.windows", 2, 3, 4, 6, 8),
        _of("demand.regression.robust_errors", 1.0, 1.5, 2.0, 3.0, 1000.0),
        _of("demand.regression.clip_rms", 5.0, 8.0, 13.0),
    ),
    "prior": (
        _of("demand.regression.prior_share", 0.4, 0.5, 0.6, 0.7, 0.8, 1.0),
        _of("demand.regression.prior_of_one_day", 40.0, 80.0, 160.0, 300.0, 600.0),
    ),
    "blend": (
        Constant(
            ("demand.blend.day", "demand.blend.week", "demand.blend.mean"),
            (
                *((0.25, 0.25, 0.5), (0.4, 0.2, 0.4), (0.0, 0.5, 0.5), (0.3, 0.1, 0.6), (0.2, 0.1, 0.7)),
                *((0.0, 0.0, 1.0), (0.2, 0.0, 0.8), (0.3, 0.0, 0.7), (0.4, 0.0, 0.6), (0.5, 0.0, 0.5)),
            ),
        ),
    ),
    "combination": (
        _of("demand.combination.half_life_days", 8, 15, 30, 60),
        _of("demand.combination.largest_share", 0.0, 0.3, 0.5, 0.8),
    ),
    "intervals": (
        _of("demand.intervals.scale_half_life_days", 20, 28, 32, 40, 56),
        _of("demand.intervals.score_days", 21, 28, 42, 56, 84),
        _of("demand.intervals.unrest_half_life_days", 0.25, 0.5, 1, 2),
        _of("demand.intervals.unrest_power", 0.2, 0.3, 0.4, 0.5, 0.6, 0.8),
        Constant(
            ("demand.intervals.unrest_lowest", "demand.intervals.unrest_highest"),
            ((0.5, 3.0), (0.7, 2.0), (0.7, 3.0), (0.8, 3.0), (0.7, 4.5), (1.0, 3.0)),
        ),
    ),
    "ladder": (
        _of("demand.ladder.half_life_days", 2, 4, 8),
        _of("demand.ladder.better_ratio", 0.5, 0.6, 0.7, 0.8, 0.9),
    ),
    "shift": (
        _of("demand.shift.confirm_minutes", 240, 360, 480, 720),
        _of("demand.shift.again_minutes", 480, 720, 960, 1200),
        _of("demand.shift.distrust_days", 0, 7, 14, 28),
        _of("demand.shift.jump_errors", 5.0, 8.0, 12.0),
        _of("demand.shift.steadiness", 0.25, 0.35, 0.5),
        _of("demand.shift.smallest_share", 0.08, 0.12, 0.18),
        _of("demand.shift.new_share", 0.3, 0.5, 0.7),
        _of("demand.shift.same_share", 0.0, 0.3, 0.5),
    ),
    "guard": (
        _of("demand.guard.ratio", 1.25, 1.4, 1.6),
        _of("demand.guard.errors", 6.0, 10.0, 15.0),
        _of("demand.guard.drop_share", 0.0, 0.5, 1.0),
    ),
    "outage": (
        _of("demand.outage.longest_minutes", 1440, 2880, 4320, 5760),
        _of("demand.outage.back_share", 0.3, 0.5, 0.7),
        _of("demand.outage.same_hours_share", 0.3, 0.5, 0.8),
    ),
    "duration": (
        _of("demand.outage.chance_power", 0.5, 0.75, 1.0, 1.5, 2.0),
        _of("demand.outage.least_minutes", 20, 60, 180),
    ),
    "weather": (
        _of("weather.n_estimators", 50, 100, 200, 400),
        _of("weather.half_life_days", 45.0, 90.0, 180.0),
    ),
}
"""All that is chosen, by what it belongs to. What follows from its meaning, like a lag of a week, is not among them."""
