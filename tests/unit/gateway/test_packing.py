"""The numbers of a forecast come back to the bit, and take few bytes."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from services.gateway.packing import HEAD, all_unpacked, packed, unpacked

SHAPES = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=20)


@given(arrays(np.float64, SHAPES, elements=st.floats(allow_nan=False, allow_infinity=False)))
def test_any_finite_numbers_come_back(numbers: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    """What is packed is unpacked as it was, however many digits it has."""
    assert np.array_equal(unpacked(packed(numbers)), numbers)


@given(arrays(np.int64, SHAPES, elements=st.integers(-(10**10), 10**10)), st.integers(0, 3))
def test_multiples_of_a_resolution_come_back(
    whole: np.ndarray[tuple[int, int], np.dtype[np.int64]], decimals: int
) -> None:
    """Numbers of few decimals come back as the very doubles that a message holds."""
    numbers = np.array([[float(f"{one}e-{decimals}") for one in row] for row in whole])
    assert np.array_equal(unpacked(packed(numbers)), numbers)


@given(st.lists(arrays(np.float64, SHAPES, elements=st.integers(-(10**6), 10**6).map(float)), max_size=8))
def test_many_of_any_shapes_come_back_in_their_order(
    forecasts: list[np.ndarray[tuple[int, int], np.dtype[np.float64]]],
) -> None:
    """Those of one shape and width are unpacked together, among others."""
    both = forecasts + [forecast / 8 for forecast in forecasts]
    for numbers, came in zip(both, all_unpacked([packed(each) for each in both]), strict=True):
        assert np.array_equal(came, numbers)


def test_no_leads_are_packed() -> None:
    """A forecast without a lead is one of no numbers."""
    assert unpacked(packed(np.zeros((5, 0)))).shape == (5, 0)


def test_a_forecast_takes_few_bytes() -> None:
    """Five rows of a smooth day with a tenth of a kilowatt take less than a third of their doubles."""
    day = np.round(15_000 + 3000 * np.sin(np.arange(144) / 23), 1)
    width = np.round(300 * np.sqrt(np.arange(1, 145)), 1)
    numbers = np.array([day, day - width, day + width, day - 1.3 * width, day + 1.3 * width]).round(1)
    assert len(packed(numbers)) < numbers.nbytes / 3


@pytest.mark.parametrize("raw", [b"", b"\x01", packed(np.zeros((1, 3)))[:-3]])
def test_other_bytes_are_refused(raw: bytes) -> None:
    """What was cut off is told."""
    with pytest.raises(ValueError, match="no packed numbers"):
        unpacked(raw)


def test_bytes_of_another_length_are_refused() -> None:
    """Two that together have as many bytes as they should are refused all the same."""
    head, plain = packed(np.zeros((1, 3)))[: HEAD.size], bytes(3)
    with pytest.raises(ValueError, match="not all of 1 rows, 3 leads, 1 bytes"):
        all_unpacked([head + zlib.compress(plain[:2]), head + zlib.compress(plain + b"\0")])
