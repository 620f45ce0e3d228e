"""The laws of every detector, and what each of ours finds."""

from __future__ import annotations

from copy import deepcopy
from math import inf, nan
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift import ADWIN, PageHinkley

from shared.drift.detectors import AdaptiveWindow, MeanShift, forecast_error_detectors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.drift.detectors import Detector

EVERY = pytest.mark.parametrize("name", list(forecast_error_detectors()))
QUIET_DAYS = 60


def noise(hours: int, seed: int = 3) -> list[float]:
    """Return hours of what a well-behaved forecast leaves: a standard normal error."""
    return [float(value) for value in np.random.default_rng(seed).normal(size=hours)]


def detector(name: str) -> Detector:
    """Return a detector that has seen nothing."""
    return forecast_error_detectors()[name]


def detections(one: Detector, values: Iterable[float]) -> list[int]:
    """Return the positions at which a change is detected."""
    return [n for n, value in enumerate(values) if one.update(value)]


Levels = list[tuple[float, int]]
LEVELS = st.lists(st.tuples(st.floats(-10, 10), st.integers(1, 40)), min_size=2, max_size=8)


def stepped(levels: Levels, seed: int) -> list[float]:
    """Return noise about one level after the other, each for its hours, clipped to +/-10."""
    random = np.random.default_rng(seed)
    parts = [np.clip(level + random.normal(size=hours), -10, 10) for level, hours in levels]
    return [float(value) for value in np.concatenate(parts)]


@EVERY
class TestEveryDetector:
    """What holds for each of them."""

    def test_a_quiet_stretch_has_no_change(self, name: str) -> None:
        """Two months of standard normal errors are no change."""
        assert detections(detector(name), noise(24 * QUIET_DAYS)) == []

    @pytest.mark.parametrize("shift", [3.0, -3.0])
    def test_a_shift_is_found_in_either_direction(self, name: str, shift: float) -> None:
        """Three standard deviations up or down are found within a day, and not before they come."""
        quiet = noise(24 * 14)
        shifted = [value + shift for value in noise(24, seed=4)]
        (found,) = detections(detector(name), quiet + shifted)[:1]
        assert len(quiet) <= found < len(quiet) + 24

    @pytest.mark.parametrize("poison", [nan, inf, -inf])
    def test_what_is_not_finite_changes_nothing(self, name: str, poison: float) -> None:
        """With NaN and infinities among them the same numbers are found at the same score."""
        values = noise(24 * 7) + [4.0] * 24
        clean, poisoned = detector(name), detector(name)
        found = [(clean.update(value), clean.score) for value in values]
        for value, expected in zip(values, found, strict=True):
            assert poisoned.update(poison) is False
            assert (poisoned.update(value), poisoned.score) == expected

    def test_nothing_seen_scores_nothing(self, name: str) -> None:
        """Before the first number, and after a NaN alone, the score is 0."""
        one = detector(name)
        assert one.score == 0.0
        one.update(nan)
        assert one.score == 0.0

    @given(LEVELS, st.integers(0, 99))
    @settings(max_examples=60, deadline=None)
    def test_a_detection_scores_no_less_than_its_threshold(self, name: str, levels: Levels, seed: int) -> None:
        """Whatever levels follow each other, no event says that it stayed below its own threshold."""
        one = detector(name)
        for value in stepped(levels, seed):
            assert not one.update(value) or one.score >= one.threshold

    def test_after_a_detection_it_starts_anew(self, name: str) -> None:
        """What follows a detection is judged as by a detector that has seen nothing."""
        used, follow = detector(name), noise(24 * 7, seed=5) + [5.0] * 24
        assert any(used.update(value) for value in noise(24 * 7) + [5.0] * 24)
        assert detections(used, follow) == detections(detector(name), follow)

    def test_no_single_hour_is_a_change(self, name: str) -> None:
        """One hour at the limit of +/-10 is an outlier; the mean has not changed."""
        values = noise(24 * 21)
        for hour, extreme in ((200, 10.0), (400, -10.0)):
            values[hour] = extreme
        assert detections(detector(name), values) == []

    def test_a_copy_goes_on_alone(self, name: str) -> None:
        """A state can be copied: the copy comes to the same, and does not move the original."""
        one = detector(name)
        detections(one, noise(24 * 7))
        score = one.score
        assert detections(deepcopy(one), [5.0] * 24) == detections(deepcopy(one), [5.0] * 24) != []
        assert one.score == score


def test_a_quiet_year_does_not_make_the_mean_shift_touchier() -> None:
    """A drift within ``delta`` is tolerated after a year as at its start; with River's forgetting it is not."""
    year = [0.0] * 8760 + [0.4] * 240
    assert detections(MeanShift(delta=0.5), year) == []
    assert detections(MeanShift(delta=0.5, alpha=1 - 1e-4), year) != []


def test_the_window_names_the_strength_of_the_cut() -> None:
    """The larger the change, the larger the score."""
    scores = []
    for shift in (1.0, 2.0):
        window = AdaptiveWindow(delta=1e-9)
        detections(window, noise(200))
        for value in noise(12, seed=4):
            window.update(value + shift)
        scores.append(window.score)
    assert 0 < scores[0] < scores[1]


@pytest.mark.parametrize("alpha", [1.0, 1 - 1e-4])
@given(LEVELS, st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_mean_shift_is_rivers_page_hinkley(alpha: float, levels: Levels, seed: int) -> None:
    """It detects at the same numbers, and its sums are River's to the bit."""
    ours = MeanShift(delta=0.5, threshold=12.0, min_instances=12, alpha=alpha)
    theirs = PageHinkley(min_instances=12, delta=0.5, threshold=12.0, alpha=alpha)
    for value in stepped(levels, seed):
        theirs.update(value)  # type: ignore[no-untyped-call]  # River annotates only in part
        assert ours.update(value) == theirs.drift_detected
        assert ours.state()["sums"].tolist() == [
            theirs._x_mean.n,  # noqa: SLF001 - River publishes no statistic
            theirs._x_mean.get(),  # noqa: SLF001 - see above
            theirs._sum_increase,  # noqa: SLF001 - see above
            theirs._sum_decrease,  # noqa: SLF001 - see above
            theirs._min_increase,  # noqa: SLF001 - see above
            theirs._max_decrease,  # noqa: SLF001 - see above
        ]


@pytest.mark.parametrize("clock", [1, 8])
@given(LEVELS, st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_adaptive_window_is_rivers_adwin(clock: int, levels: Levels, seed: int) -> None:
    """It detects at the same numbers, and begins anew after each."""
    ours, theirs = AdaptiveWindow(clock=clock), ADWIN(delta=0.02, clock=clock)  # type: ignore[no-untyped-call]  # as above
    for value in stepped(levels, seed):
        theirs.update(value)  # type: ignore[no-untyped-call]  # River annotates only in part
        assert ours.update(value) == theirs.drift_detected
