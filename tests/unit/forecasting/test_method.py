"""The tunable constants: each is known by name, and none is out of its range."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from shared.forecasting.method import METHOD, WEATHER_METHOD, Constants, Method, WeatherMethod


@pytest.mark.parametrize("method", [METHOD, WEATHER_METHOD])
def test_constants_come_back_from_json(method: Constants) -> None:
    """What was written by name is the same method, tuples among it, whatever the defaults are by then."""
    other = method.changed({name: _other(value) for name, value in method.named().items() if name in _FREE})
    assert other != method
    assert type(method).of_named(json.loads(json.dumps(other.named()))) == other


_FREE = ("regression.half_lives_days", "guard.refused_minutes", "n_estimators", "half_life_days")


def _other(value: Any) -> Any:
    return tuple(7.0 for _ in value) if isinstance(value, tuple) else 2 * value


def test_a_number_is_replaced_in_its_group_alone() -> None:
    """A change by name is the one that `dataclasses.replace` makes; the original stays."""
    changed = METHOD.changed({"regression.clip_rms": 0.1})
    assert changed == replace(METHOD, regression=replace(METHOD.regression, clip_rms=0.1))
    assert Method() == METHOD != changed


@pytest.mark.parametrize("value", ["8", None, True, float("nan"), float("inf"), -1.0, (8.0,)])
def test_what_is_no_number_in_range_is_named(value: Any) -> None:
    """The message says which constant, its value, and what to use."""
    message = f"RegressionConstants.clip_rms is {value!r}: use a number above 0"
    with pytest.raises(ValueError, match=re.escape(message)):
        METHOD.changed({"regression.clip_rms": value})


@pytest.mark.parametrize("value", [(), (15.0, 0.0), 15.0, [15.0], ("15",)])
def test_memories_are_numbers(value: Any) -> None:
    """At least one memory, and each forgets."""
    message = f"RegressionConstants.half_lives_days is {value!r}: use numbers above 0"
    with pytest.raises(ValueError, match=re.escape(message)):
        METHOD.changed({"regression.half_lives_days": value})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"intervals.score_days": 56.0},
            "score_days is 56.0: use a number that is whole and above 0",
        ),
        ({"combination.largest_share": 1.0}, "largest_share is 1.0: use a number of at least 0 and below 1"),
        ({"guard.ratio": 1.0}, "GuardConstants.ratio is 1.0: use a number above 1"),
        ({"blend.day": 0.5}, "BlendConstants(day=0.5, week=0.1, mean=0.6) does not add up to 1"),
        ({"intervals.unrest_lowest": 4.0}, "IntervalConstants.unrest_lowest is 4.0: use at most 3.0"),
        ({"regression.ridges": (0.1,)}, "RegressionConstants.ridges is (0.1,): use one for each memory, 2"),
        ({"regression": 1.0}, "there is no constant regression"),
        ({"regression.colour": 1.0, "guard.size": 1.0}, "there is no constant guard.size, regression.colour"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], message: str) -> None:
    """What would only fail at some reading, or be no method at all, is refused at once."""
    with pytest.raises(ValueError, match=re.escape(message)):
        METHOD.changed(changes)


def test_a_group_is_no_number() -> None:
    """A group stands where a group belongs."""
    with pytest.raises(ValueError, match=r"Method\.regression is 3: use RegressionConstants"):
        Method(regression=3)  # type: ignore[arg-type]  # what it refuses


def test_a_method_lacks_and_adds_nothing() -> None:
    """Constants that are missing or unknown are named, whichever model they would be of."""
    written = METHOD.named()
    del written["shift.steadiness"]
    with pytest.raises(ValueError, match=r"the method lacks or adds n_estimators, shift\.steadiness"):
        Method.of_named({**written, "n_estimators": 3})
    with pytest.raises(ValueError, match="the method lacks or adds "):
        WeatherMethod.of_named({})
