"""The tunable constants of the forecasts: what ``python -m benchmarks.choose`` may change.

A model is given all of them and hands each of its parts its own group. They are kept in its state, so that a saved
model goes on with the constants that it was made with. What follows from its meaning, like a lag of a week, stands
where it is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import Field, dataclass, field, fields, replace
from math import inf
from typing import Any, Self

__all__ = [
    "METHOD",
    "WEATHER_METHOD",
    "BlendConstants",
    "CombinationConstants",
    "Constants",
    "GuardConstants",
    "IntervalConstants",
    "LadderConstants",
    "Method",
    "OutageConstants",
    "RegressionConstants",
    "ShiftConstants",
    "Value",
    "WeatherMethod",
]

Value = float | tuple[float, ...]
"""What a constant is: a number, or one for each of several alike."""

Range = Mapping[str, Any]


def _range(text: str, allows: Callable[[float], bool]) -> Range:
    return {"text": text, "allows": allows}


_POSITIVE = _range("above 0", lambda number: 0 < number < inf)
_NOT_NEGATIVE = _range("of at least 0", lambda number: 0 <= number < inf)
_SHARE = _range("from 0 to 1", lambda number: 0 <= number <= 1)
_PART = _range("of at least 0 and below 1", lambda number: 0 <= number < 1)
_SAMPLE = _range("above 0 and at most 1", lambda number: 0 < number <= 1)
_RATIO = _range("above 1", lambda number: 1 < number < inf)
_COUNT = _range("that is whole and above 0", lambda number: isinstance(number, int) and number > 0)
_WHOLE = _range("that is whole", lambda number: isinstance(number, int))
_ROUNDING = 1e-9
_WEEK_MINUTES = 10_080


def _is_within(value: object, within: Range) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(within["allows"](value))


def _wanted(one: Field[Any], value: object) -> str | None:
    """Return what to use instead of the value of a field; None where it is within its range."""
    if isinstance(one.default, Constants):
        return None if isinstance(value, type(one.default)) else type(one.default).__name__
    if isinstance(one.default, tuple):
        fits = isinstance(value, tuple) and value != () and all(_is_within(number, one.metadata) for number in value)
        return None if fits else f"numbers {one.metadata['text']}"
    return None if _is_within(value, one.metadata) else f"a number {one.metadata['text']}"


@dataclass(frozen=True)
class Constants:
    """Numbers, and groups of numbers, each within its range.

    Raises
    ------
    ValueError
        If a number is out of its range; the message names it and its value.
    """

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if wanted := _wanted(one, value):
                raise ValueError(f"{type(self).__name__}.{one.name} is {value!r}: use {wanted}")

    def named(self) -> dict[str, Value]:
        """Return every number by its name; in a group it is ``group.name``."""
        found: dict[str, Value] = {}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, Constants):
                found |= {f"{one.name}.{name}": number for name, number in value.named().items()}
            else:
                found[one.name] = value
        return found

    def changed(self, changes: Mapping[str, Value]) -> Self:
        """Return a copy with some other numbers, by the names of :meth:`named`.

        Raises ``ValueError`` that names what is unknown or out of its range.
        """
        if unknown := sorted(changes.keys() - self.named().keys()):
            raise ValueError(f"there is no constant {', '.join(unknown)}")
        groups: dict[str, dict[str, Value]] = {}
        own: dict[str, Any] = {}
        for name, value in changes.items():
            group, _, inner = name.partition(".")
            if inner:
                groups.setdefault(group, {})[inner] = value
            else:
                own[name] = value
        return replace(self, **own, **{name: getattr(self, name).changed(inner) for name, inner in groups.items()})

    @classmethod
    def of_named(cls, written: Mapping[str, Any]) -> Self:
        """Return what :meth:`named` was asked of; lists, as JSON writes them, stand for tuples.

        Raises ``ValueError`` that names each constant that is missing, unknown or out of its range.
        """
        default = cls()
        if odd := sorted(default.named().keys() ^ written.keys()):
            raise ValueError(f"the method lacks or adds {', '.join(odd)}")
        return default.changed(
            {name: tuple(value) if isinstance(value, list) else value for name, value in written.items()}
        )


@dataclass(frozen=True)
class RegressionConstants(Constants):
    """`shared.forecasting.regression`: one ridge regression in several memories, whose forecasts are averaged."""

    half_lives_days: tuple[float, ...] = field(default=(15.0, 960.0), metadata=_POSITIVE)
    """A day that is so old weighs half, in each memory."""
    ridges: tuple[float, ...] = field(default=(0.0, 0.002), metadata=_NOT_NEGATIVE)
    """What is added to the diagonal, as a share of it, in each memory."""
    ridge_of_one_day: float = field(default=80.0, metadata=_NOT_NEGATIVE)
    """The same after one day; it falls with the square of the days that a memory holds."""
    prior_of_one_day: float = field(default=300.0, metadata=_NOT_NEGATIVE)
    """The same where the weights shrink towards a prior: that is worth more of their trust than zero is."""
    prior_share: float = field(default=0.6, metadata=_SHARE)
    """They shrink towards this share of it: no zone is quite like the others."""
    windows: int = field(default=4, metadata=_COUNT)
    """There are weights for so many times of the day; a divisor of the steps of a day."""
    robust_errors: float = field(default=2.0, metadata=_POSITIVE)
    """A row from which the forecasts were so many times the usual error off weighs half."""
    usual_days: int = field(default=28, metadata=_COUNT)
    """The usual error is that of so many days learned."""
    clip_rms: float = field(default=8.0, metadata=_POSITIVE)
    """Load columns are cut off at so many times their root mean square."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.ridges) != len(self.half_lives_days):
            name, memories = type(self).__name__, len(self.half_lives_days)
            raise ValueError(f"{name}.ridges is {self.ridges!r}: use one for each memory, {memories}")


@dataclass(frozen=True)
class BlendConstants(Constants):
    """`shared.forecasting.history`: the shape of the day to come is a blend of three; the shares add up to 1."""

    day: float = field(default=0.3, metadata=_SHARE)
    """The share of the same time yesterday."""
    week: float = field(default=0.1, metadata=_SHARE)
    """The share of the same time last week."""
    mean: float = field(default=0.6, metadata=_SHARE)
    """The share of the mean of the same time on the last seven days."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if abs(self.day + self.week + self.mean - 1.0) > _ROUNDING:
            raise ValueError(f"{self} does not add up to 1: use shares that do")


@dataclass(frozen=True)
class CombinationConstants(Constants):
    """`shared.forecasting.combination`: the share of the day before in the forecast."""

    half_life_days: float = field(default=15.0, metadata=_POSITIVE)
    """An error that is so old weighs half."""
    largest_share: float = field(default=0.5, metadata=_PART)
    """The share is never larger: what the regression has said must be seen in what was sent."""


@dataclass(frozen=True)
class IntervalConstants(Constants):
    """`shared.forecasting.intervals`: how wide the intervals are."""

    scale_half_life_days: float = field(default=32.0, metadata=_POSITIVE)
    """An error that is so old weighs half in the usual size of the error in its block of the day."""
    score_days: int = field(default=56, metadata=_COUNT)
    """The quantiles are those of the scores of so many days."""
    unrest_half_life_days: float = field(default=0.5, metadata=_POSITIVE)
    """An error that is so old weighs half in how restless the last day was."""
    unrest_power: float = field(default=0.5, metadata=_NOT_NEGATIVE)
    """The width goes with this power of the unrest."""
    unrest_lowest: float = field(default=0.7, metadata=_POSITIVE)
    """The unrest counts as at least so much."""
    unrest_highest: float = field(default=3.0, metadata=_POSITIVE)
    """The unrest counts as at most so much."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.unrest_lowest > self.unrest_highest:
            name = type(self).__name__
            raise ValueError(f"{name}.unrest_lowest is {self.unrest_lowest}: use at most {self.unrest_highest}")


@dataclass(frozen=True)
class LadderConstants(Constants):
    """`shared.forecasting.ladder`, and `shared.forecasting.levels` on what can answer: which level does."""

    half_life_days: float = field(default=4.0, metadata=_POSITIVE)
    """An error that is so old weighs half in what a level has been worth lately."""
    better_ratio: float = field(default=0.7, metadata=_SHARE)
    """A lower level takes over where its root mean square error is below so much of the best one's."""
    largest_ratio: float = field(default=3.0, metadata=_RATIO)
    """A fitted forecast beyond so many times the largest load of the last days is not sent."""
    lenient_minutes: int = field(default=60, metadata=_COUNT)
    """For so long after the last good reading, forecasts count for what their level is worth."""
    weather_held_minutes: int = field(default=360, metadata=_COUNT)
    """For so long the last reading with weather stands in for those without."""


@dataclass(frozen=True)
class ShiftConstants(Constants):
    """`shared.forecasting.shift`: what makes a jump of the load a lasting shift."""

    confirm_minutes: int = field(default=480, metadata=_COUNT)
    """So long the ratio to the forecast of before must have been constant."""
    again_minutes: int = field(default=960, metadata=_COUNT)
    """So long where another shift was believed within ``known_days``: load is being switched to and fro."""
    return_minutes: int = field(default=30, metadata=_COUNT)
    """So long where the load is back on the level of before a shift."""
    same_level: float = field(default=0.06, metadata=_PART)
    """Levels that differ by no more than this share, for each day between them, are the same."""
    same_share: float = field(default=0.3, metadata=_SHARE)
    """Though after more than a day by no more than this share of the shift."""
    known_days: float = field(default=7, metadata=_NOT_NEGATIVE)
    """For so long the level of before a shift may come back."""
    distrust_days: float = field(default=14, metadata=_NOT_NEGATIVE)
    """For so long no shift is believed after the level of before has come back."""
    jump_errors: float = field(default=8.0, metadata=_POSITIVE)
    """A jump is more than so many times the usual error one step ahead."""
    jump_share: float = field(default=0.05, metadata=_PART)
    """A jump is more than this share of the forecast: its first reading may hold only a part of the shift."""
    smallest_share: float = field(default=0.12, metadata=_PART)
    """A shift is at least this share of the load."""
    steadiness: float = field(default=0.35, metadata=_POSITIVE)
    """How far a ratio may lie from the mean one, as a share of the shift."""
    largest_ratio: float = field(default=3.0, metadata=_RATIO)
    """A larger ratio, or a smaller one than its inverse, is more likely another unit."""
    new_share: float = field(default=0.5, metadata=_PART)
    """A shift is new by at least this share: the rest of it the load has done a week before as well."""
    crosses_zero: float = field(default=0.1, metadata=_PART)
    """A load that goes farther than this share of its largest to the other side of zero has no ratios."""


@dataclass(frozen=True)
class GuardConstants(Constants):
    """`shared.forecasting.guard`: which readings are too far from the forecast to be believed."""

    ratio: float = field(default=1.4, metadata=_RATIO)
    """A reading within this ratio of the forecast is believed."""
    errors: float = field(default=10.0, metadata=_NOT_NEGATIVE)
    """A reading within so many times the usual error one step ahead is believed."""
    refused_minutes: int = field(default=60, metadata=_COUNT)
    """After so long with readings refused, two at least, the next is the new truth."""
    drop_share: float = field(default=0.5, metadata=_SHARE)
    """How much of a drop its first reading makes in the forecast; the next one tells."""
    wild_ratio: float = field(default=3.0, metadata=_RATIO)
    """A reading beyond this ratio of the forecast is more likely in another unit than true."""
    wild_minutes: int = field(default=360, metadata=_COUNT)
    """After so long with readings refused, one beyond that ratio is the new truth, too."""


@dataclass(frozen=True)
class OutageConstants(Constants):
    """`shared.forecasting.outage`: which hours of a lost load are to be left out of what comes after them."""

    longest_minutes: int = field(default=4320, metadata=_COUNT)
    """What has been lost for longer is lost for good, where something is left of the load."""
    back_share: float = field(default=0.7, metadata=_SHARE)
    """An outage is over when so much of what was lost is back."""
    chance_power: float = field(default=1.0, metadata=_NOT_NEGATIVE)
    """What has been out for T lasts for h more with a chance of T / (T + h) to this power."""
    least_minutes: int = field(default=60, metadata=_COUNT)
    """For that, it has been out for so long at least."""
    same_hours_share: float = field(default=0.5, metadata=_SHARE)
    """What was out at the same hours of one of the last seven days, for more than this share of them, is a habit."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.longest_minutes > _WEEK_MINUTES:
            raise ValueError(
                f"{type(self).__name__}.longest_minutes is {self.longest_minutes}: use at most {_WEEK_MINUTES}, a week"
            )


@dataclass(frozen=True)
class Method(Constants):
    """The constants of ``zone-demand``, by the part that they belong to."""

    regression: RegressionConstants = RegressionConstants()
    blend: BlendConstants = BlendConstants()
    combination: CombinationConstants = CombinationConstants()
    intervals: IntervalConstants = IntervalConstants()
    ladder: LadderConstants = LadderConstants()
    shift: ShiftConstants = ShiftConstants()
    guard: GuardConstants = GuardConstants()
    outage: OutageConstants = OutageConstants()


@dataclass(frozen=True)
class WeatherMethod(Constants):
    """The constants of ``weather-demand``: how its trees are grown, and how its correction forgets.

    But for the last, they are those of ``sklearn.ensemble.GradientBoostingRegressor`` (J. H. Friedman, Greedy function
    approximation: a gradient boosting machine, Annals of Statistics, 2001). The defaults are those of the batch system
    that this project carries on, but for two that score the same, once corrected, before the last 20 % and grow on a
    thirtieth of the rows: a hundred trees for six hundred, each on a fifth of the rows (J. H. Friedman, Stochastic
    gradient boosting, 2002).
    """

    n_estimators: int = field(default=100, metadata=_COUNT)
    """How many trees there are."""
    learning_rate: float = field(default=0.1, metadata=_POSITIVE)
    """How much of what is left over each tree takes away."""
    max_depth: int = field(default=5, metadata=_COUNT)
    """How many splits lie between the root of a tree and a leaf."""
    subsample: float = field(default=0.2, metadata=_SAMPLE)
    """The share of the rows that each tree grows on."""
    random_state: int = field(default=42, metadata=_WHOLE)
    """The seed of which rows these are."""
    half_life_days: float = field(default=90.0, metadata=_POSITIVE)
    """A label that is so old weighs half in the correction."""


METHOD = Method()
"""Chosen by ``python -m benchmarks.choose`` on what came before the last fifth of the year."""

WEATHER_METHOD = WeatherMethod()
"""Chosen in the same way."""
