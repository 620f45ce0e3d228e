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
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Shape = tuple[int, int, int, int]

__all__ = ["all_unpacked", "packed", "unpacked"]

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
    (numbers,) = all_unpacked([raw])
    return numbers


def all_unpacked(many: Sequence[bytes]) -> list[NDArray[np.float64]]:
    """Return the numbers of each; those of one shape are unpacked together, as a call costs more than its numbers.

    Raises ``ValueError`` where :func:`packed` wrote no such.
    """
    of_shape: dict[Shape, list[int]] = {}
    plain: list[bytes] = []
    for place, raw in enumerate(many):
        try:
            of_shape.setdefault(HEAD.unpack_from(raw), []).append(place)
            plain.append(zlib.decompress(raw[HEAD.size :]))
        except (struct.error, zlib.error) as error:
            raise ValueError(f"{len(raw)} bytes are no packed numbers: {error}") from None
    numbers: dict[int, NDArray[np.float64]] = {}
    for shape, places in of_shape.items():
        numbers.update(zip(places, _numbers(shape, [plain[place] for place in places]), strict=True))
    return [numbers[place] for place in range(len(many))]


def _numbers(shape: Shape, plain: Sequence[bytes]) -> NDArray[np.float64]:
    """Return the numbers (forecasts, rows, leads) of forecasts of one shape."""
    decimals, width, rows, columns = shape
    if any(len(each) != width * rows * columns for each in plain):
        raise ValueError(f"{len(plain)} packed forecasts are not all of {rows} rows, {columns} leads, {width} bytes")
    together = b"".join(plain)
    if decimals == AS_IS:
        return np.frombuffer(together, "<f8").reshape(len(plain), rows, columns).astype(np.float64)
    planes = np.frombuffer(together, np.uint8).reshape(len(plain), width, rows, columns)
    zigzag = planes[:, 0].astype(np.int64)  # at most 2 ** 55, see LARGEST
    for byte in range(1, width):
        zigzag |= planes[:, byte].astype(np.int64) << 8 * byte
    steps = (zigzag >> 1) ^ -(zigzag & 1)
    whole = steps.cumsum(axis=2)
    whole[:, 1:] += whole[:, :1]
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
