"""The constants of the forecast: where each stands, what it might be as well, and how to try that."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from shared.forecasting import combination, fold, history, intervals, ladder, model, regression, shift, weather
from shared.forecasting.boosting import Boosting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["GROUPS", "Constant", "Value", "patched", "values"]

Value = float | tuple[float, ...]
"""What a constant is: a number, or some that are chosen together."""


@dataclass(frozen=True, eq=False)
class Constant:
    """One constant, or several of one place that are chosen together.

    Attributes
    ----------
    label
        Its name for people.
    place
        Where it is looked up when it is used: the names of a module, or the defaults of a function.
    names
        Its names there: one, or one for each number of a value.
    candidates
        A small grid around the present value.
    """

    label: str
    place: dict[str, Any]
    names: tuple[str, ...]
    candidates: tuple[Value, ...]

    @property
    def value(self) -> Value:
        """What it is now."""
        held = tuple(self.place[name] for name in self.names)
        return held if len(held) > 1 else held[0]

    def put(self, value: Value) -> None:
        """Let it be something else."""
        parts = value if len(self.names) > 1 and isinstance(value, tuple) else (value,)
        self.place.update(zip(self.names, parts, strict=True))


@contextmanager
def patched(setting: Mapping[Constant, Value]) -> Iterator[None]:
    """Let these constants be something else meanwhile: what is built and run meanwhile goes by it."""
    before = {constant: constant.value for constant in setting}
    try:
        for constant, value in setting.items():
            constant.put(value)
        yield
    finally:
        for constant, value in before.items():
            constant.put(value)


def values() -> dict[str, Value]:
    """Return what all of them are now, by group and label."""
    return {f"{group}: {one.label}": one.value for group, constants in GROUPS.items() for one in constants}


def _of(place: dict[str, Any], name: str, *candidates: Value) -> Constant:
    return Constant(name, place, (name,), candidates)


_REGRESSION, _INTERVALS, _LADDER, _SHIFT = vars(regression), vars(intervals), vars(ladder), vars(shift)
_TREES = cast("dict[str, Any]", Boosting.__init__.__kwdefaults__)  # it has defaults
_BLEND = ("_BLEND_DAY", "_BLEND_WEEK", "_BLEND_MEAN")

GROUPS: dict[str, tuple[Constant, ...]] = {
    "regression": (
        _of(
            vars(model),
            "HALF_LIVES_DAYS",
            *((15.0, 120.0), (15.0, 240.0), (15.0, 960.0), (30.0, 240.0), (30.0, 960.0), (60.0, 960.0), (60.0,)),
        ),
        _of(_REGRESSION, "_RIDGE", 0.002, 0.005, 0.0125),
        _of(_REGRESSION, "_RIDGE_OF_ONE_DAY", 10.0, 20.0, 40.0, 90.0, 270.0),
        _of(_REGRESSION, "_CLIP_RMS", 5.0, 8.0, 13.0),
    ),
    "blend": (
        Constant(
            "_BLEND_DAY, _BLEND_WEEK, _BLEND_MEAN",
            vars(history),
            _BLEND,
            (
                *((0.25, 0.25, 0.5), (0.4, 0.2, 0.4), (0.0, 0.5, 0.5), (0.3, 0.1, 0.6), (0.2, 0.1, 0.7)),
                *((0.0, 0.0, 1.0), (0.2, 0.0, 0.8), (0.3, 0.0, 0.7), (0.4, 0.0, 0.6), (0.5, 0.0, 0.5)),
            ),
        ),
    ),
    "combination": (
        _of(vars(combination), "_HALF_LIFE_DAYS", 8, 15, 30, 60),
        _of(vars(combination), "_LARGEST_SHARE", 0.0, 0.3, 0.5, 0.8),
    ),
    "intervals": (
        _of(_INTERVALS, "_SCALE_HALF_LIFE_DAYS", 20, 28, 40, 56),
        _of(_INTERVALS, "_SCORE_DAYS", 21, 28, 42, 56, 84),
        _of(_INTERVALS, "_UNREST_HALF_LIFE_DAYS", 0.25, 0.5, 1, 2),
        _of(_INTERVALS, "_UNREST_POWER", 0.2, 0.3, 0.4, 0.5, 0.6, 0.8),
        _of(_INTERVALS, "_UNREST_LIMITS", (0.5, 3.0), (0.8, 2.0), (0.8, 3.0), (0.8, 4.5), (1.0, 3.0)),
    ),
    "ladder": (
        _of(_LADDER, "_HALF_LIFE_DAYS", 2, 4, 8),
        _of(_LADDER, "_BETTER", 0.5**2, 0.6**2, 0.7**2, 0.8**2, 0.9**2),
    ),
    "shift": (
        _of(_SHIFT, "_CONFIRM_MINUTES", 240, 360, 480, 720),
        _of(_SHIFT, "_DISTRUST_DAYS", 0, 7, 14, 28),
        _of(_SHIFT, "_JUMP_ERRORS", 5.0, 8.0, 12.0),
        _of(_SHIFT, "_STEADINESS", 0.25, 0.35, 0.5),
        _of(_SHIFT, "_SMALLEST_SHARE", 0.08, 0.12, 0.18),
    ),
    "guard": (
        _of(vars(fold), "_GUARD_RATIO", 1.25, 1.4, 1.6),
        _of(vars(fold), "_GUARD_ERRORS", 6.0, 10.0, 15.0),
    ),
    "weather": (
        _of(_TREES, "n_estimators", 50, 100, 200, 400),
        _of(vars(weather), "_HALF_LIFE_DAYS", 45.0, 90.0, 180.0),
    ),
}
"""All that is chosen, by what it belongs to. What follows from its meaning, like a lag of a week, is not among them."""
