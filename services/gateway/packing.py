"""The numbers of a forecast as few bytes, and back to the bit.

Forecasts are multiples of the resolution of their zone, and a number is close to that of the lead before. So what is
kept are whole numbers: the changes of the median from lead to lead, and those of the distance of each bound from it.
Their low bytes stand together, and so do their high ones, which are mostly zero: zlib makes a fifth of that.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["packed", "unpacked"]

HEAD = struct.Struct("<BBII")  # decimals or AS_IS, bytes a number, rows, columns
AS_IS = 255
MOST_DECIMALS = 6
LARGEST = 2.0**52  # below it doubles tell neighbouring whole numbers apart
LEVEL = 6


def packed(arrays: NDArray[np.float64]) -> bytes:
    """Return rows of numbers as bytes.

    Parameters
    ----------
    arrays
        Finite numbers (rows, leads): the median first, then what lies around it.
    """
    rows, columns = arrays.shape
    largest = float(np.abs(arrays).max(initial=0.0))
    for decimals in range(MOST_DECIMALS + 1):
        if largest >= LARGEST / 10.0**decimals:
            break
        scaled = np.rint(arrays * 10.0**decimals)
        if np.array_equal(scaled / 10.0**decimals, arrays):
            planes = _planes(_zigzag(_changes(scaled.astype(np.int64))))
            return HEAD.pack(decimals, len(planes), rows, columns) + zlib.compress(planes.tobytes(), LEVEL)
    return HEAD.pack(AS_IS, 8, rows, columns) + zlib.compress(arrays.astype("<f8").tobytes(), LEVEL)


def unpacked(raw: bytes) -> NDArray[np.float64]:
    """Return the numbers (rows, leads) that :func:`packed` was given; raises ``ValueError`` where it wrote no such."""
    try:
        decimals, width, rows, columns = HEAD.unpack_from(raw)
        plain = zlib.decompress(raw[HEAD.size :])
    except (struct.error, zlib.error) as error:
        raise ValueError(f"{len(raw)} bytes are no packed numbers: {error}") from None
    if decimals == AS_IS:
        return np.frombuffer(plain, "<f8").reshape(rows, columns).astype(np.float64)
    planes = np.frombuffer(plain, np.uint8).reshape(width, rows, columns)
    zigzag = planes[0].astype(np.int64)  # at most 2 ** 55, see LARGEST
    for byte in range(1, width):
        zigzag |= planes[byte].astype(np.int64) << 8 * byte
    steps = (zigzag >> 1) ^ -(zigzag & 1)
    whole = steps.cumsum(axis=1)
    whole[1:] += whole[0]
    numbers: NDArray[np.float64] = whole / 10.0**decimals
    return numbers


def _changes(whole: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the change of the first row, and of what the others lie off it, from column to column."""
    off = whole.copy()
    off[1:] -= whole[:1]
    return np.diff(off, axis=1, prepend=0)


def _zigzag(signed: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Return small numbers for small ones of either sign: 0, -1, 1, -2 become 0, 1, 2, 3."""
    return ((signed << 1) ^ (signed >> 63)).astype(np.uint64)


def _planes(numbers: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Return the bytes (byte, rows, columns), lowest first, as many as the largest number needs."""
    width = max(1, (int(numbers.max(initial=0)).bit_length() + 7) // 8)
    by_byte = numbers.astype("<u8").view(np.uint8).reshape(*numbers.shape, 8)
    return np.ascontiguousarray(np.moveaxis(by_byte[..., :width], -1, 0))
