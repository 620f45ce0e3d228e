"""Numbers in multiples of the resolution: one alone is counted as many are."""

from __future__ import annotations

from math import nan

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from shared.forecasting.resolution import ABSENT, Resolution

EXPONENTS = st.integers(-12, 3)


@given(st.one_of(st.floats(-1e15, 1e15), st.just(nan)), EXPONENTS)
@example(0.25, -1)
@example(0.35, -1)
@example(-1e12, -12)
def test_one_number_is_counted_as_one_of_many(kw: float, exponent: int) -> None:
    """Half a multiple, what is too large, and what is no number included."""
    resolution = Resolution(exponent)
    assert resolution.multiple(kw) == int(resolution.multiples([kw])[0])


@given(st.one_of(st.integers(-(2**30), 2**30), st.just(ABSENT)), EXPONENTS)
def test_one_multiple_is_as_many_kw_as_one_of_many(multiple: int, exponent: int) -> None:
    """To the last bit; what is absent is NaN."""
    resolution = Resolution(exponent)
    assert np.array_equal([resolution.kw_of(multiple)], resolution.to_kw([multiple]), equal_nan=True)


@given(st.lists(st.floats(-1e15, 1e15), min_size=1), EXPONENTS)
def test_numbers_that_can_be_counted_are_counted_without_a_limit(kw: list[float], exponent: int) -> None:
    """In a resolution that covers them it makes no difference."""
    numbers = np.array(kw)
    resolution = Resolution(exponent).covering(float(np.abs(numbers).max()))
    assert np.array_equal(resolution.multiples_within(numbers), resolution.multiples(numbers))
