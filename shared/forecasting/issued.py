"""What was issued for each target of a zone, by lead: the day ahead as it came, the weeks behind it packed.

Rolling scores need every pair of their longest window twice: when its target comes due, and when the target leaves a
window. In between it is packed, without loss, to a sixth: from one origin to the next the forecasts of neighbouring
targets change alike, so the differences of their changes are small numbers, most of whose bytes are zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cramjam
import numpy as np
from numpy.lib.stride_tricks import as_strided

from shared.forecasting.resolution import ABSENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    Rows = NDArray[np.int32]

__all__ = ["IssuedByTarget", "packed", "unpacked"]

_BLOCKS_A_DAY = 8
_LEVEL = 1  # of zstd: higher ones take longer for 3 % less
_NUMBERS = 3  # median, low and high end


class IssuedByTarget:
    """Median, low and high end of the 90 % interval that were issued for each target, by lead.

    They are multiples of the zone's resolution, ``ABSENT`` where nothing was issued. Targets lie in blocks of three
    hours. A block whose targets are all settled is packed; one that is asked for is unpacked, and packed again when
    something late was issued for it. Forecasts of later targets lie as they came, one row an origin: so a forecast is
    one copy, and what was issued for a target is a diagonal.

    Parameters
    ----------
    leads
        How many steps a forecast reaches ahead.
    day
        Steps a day.
    unsettled
        How many targets up to the clock may be unsettled.
    """

    def __init__(self, leads: int, day: int, unsettled: int) -> None:
        self._leads = leads
        self._size = max(1, day // _BLOCKS_A_DAY)
        targets = self._size + unsettled  # that lie in no packed block, up to the clock
        self._origins = np.full((leads + targets, _NUMBERS, leads), ABSENT, np.int32)
        row, number, lead = self._origins.strides
        # the forecast of a target one lead further ahead stands a row before
        self._targets = as_strided(self._origins[leads - 1 :], (targets, _NUMBERS, leads), (row, number, lead - row))
        self._first_block = 0  # that is not packed; blocks are counted from 1970
        self._packed: dict[int, bytes] = {}
        self._unpacked: dict[int, Rows] = {}
        self._used: set[int] = set()  # blocks that were asked for since the last settlement
        self._changed: set[int] = set()  # unpacked blocks that differ from what is packed

    def clear(self, next_step: int) -> None:
        """Forget all; ``next_step`` is the next target to be settled."""
        self._origins.fill(ABSENT)
        self._first_block = next_step // self._size
        self._packed.clear()
        self._unpacked.clear()
        self._used.clear()
        self._changed.clear()

    @property
    def oldest(self) -> int:
        """The first target for which something may have been issued."""
        return min(self._packed.keys() | self._changed, default=self._first_block) * self._size

    @property
    def _first_origin(self) -> int:
        """The origin of the first row: the longest lead of the first target that is not packed."""
        return self._first_block * self._size - self._leads

    def has(self, origin: int) -> bool:
        """Tell whether the forecast of an origin has come; it is known by its last lead."""
        row = origin - self._first_origin
        issued = self._origins[row, 0] if row >= 0 else self.of(origin + self._leads)[0]
        return bool(issued[-1] != ABSENT)

    def of(self, target: int) -> Rows:
        """Return what was issued for a target up to the clock, (3, leads); not to be changed."""
        block, row = divmod(target, self._size)
        issued: Rows = self._block(block)[row]
        return issued

    def rows(self, first: int, end: int) -> Rows:
        """Return what was issued for the targets from ``first`` to before ``end``, (targets, 3, leads).

        They are not after the clock; the rows are not to be changed.
        """
        parts = [self._block(block)[rows] for block, rows in self._spans(first, end)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def place(self, origin: int, first: int, issued: Rows) -> None:
        """Keep a forecast, (3, leads), less its ``first`` leads, instead of what was kept of that origin."""
        row = origin - self._first_origin
        if row >= 0:
            self._origins[row] = issued
        packed_end = min(origin + 1 + self._leads, self._first_block * self._size)
        for block, rows in self._spans(origin + 1 + first, packed_end):
            _lay(self._opened(block), rows.start, issued[:, first : first + rows.stop - rows.start], first)
            first += rows.stop - rows.start

    def settle(self, settled: int, oldest: int) -> None:
        """Pack the blocks without a target after ``settled``; forget the targets before ``oldest``."""
        self._close()
        for _ in range(self._first_block, (settled + 1) // self._size):
            self._pack_first()
        for block in [block for block in self._packed if (block + 1) * self._size <= oldest]:
            del self._packed[block]
            self._unpacked.pop(block, None)

    def _pack_first(self) -> None:
        """Pack the first block that is not, and let go the rows whose targets are all packed."""
        rows = self._targets[: self._size]
        if (rows[:, 0] != ABSENT).any():
            self._packed[self._first_block] = packed(rows)
        self._origins[: -self._size] = self._origins[self._size :]
        self._origins[-self._size :] = ABSENT
        self._first_block += 1

    @property
    def largest(self) -> int:
        """The size of the largest number that is kept, 0 where there is none."""
        return max(int(np.abs(rows, where=rows != ABSENT, out=np.zeros_like(rows)).max()) for rows in self._kept())

    def change(self, anew: Callable[[Rows], Rows]) -> None:
        """Keep what ``anew`` returns instead of each of the numbers that are kept."""
        for rows in self._kept():
            rows[:] = anew(rows)

    def _kept(self) -> Iterator[Rows]:
        """Yield all that is kept, to be changed in place."""
        yield self._origins
        for block in self._packed.keys() | self._changed:
            yield self._opened(block)

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold all that is known, by name."""
        self._close()
        blocks = sorted(self._packed)
        return {
            "first_block": np.array(self._first_block),
            "origins": self._origins.copy(),
            "packed_blocks": np.array(blocks, np.int64),
            "packed_bytes": np.array([len(self._packed[block]) for block in blocks], np.int64),
            "packed": np.frombuffer(b"".join(self._packed[block] for block in blocks), np.uint8),
        }

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        self.clear(int(state["first_block"]) * self._size)
        self._origins[:] = state["origins"]
        ends = np.cumsum(state["packed_bytes"]).tolist()
        for block, start, end in zip(state["packed_blocks"].tolist(), [0, *ends], ends, strict=False):
            self._packed[block] = state["packed"][start:end].tobytes()

    def _spans(self, first: int, end: int) -> Iterator[tuple[int, slice]]:
        """Yield the blocks of the targets from ``first`` to before ``end``, each with its rows."""
        while first < end:
            block, row = divmod(first, self._size)
            count = min(self._size - row, end - first)
            yield block, slice(row, row + count)
            first += count

    def _block(self, block: int) -> Rows:
        """Return the rows of a block, (targets, 3, leads), of the last one up to the clock; not to be changed."""
        if block >= self._first_block:
            row = (block - self._first_block) * self._size
            return self._targets[row : row + self._size]
        self._used.add(block)
        if block not in self._unpacked:
            shape = (self._size, _NUMBERS, self._leads)
            known = self._packed.get(block)
            self._unpacked[block] = np.full(shape, ABSENT, np.int32) if known is None else unpacked(known, shape)
        return self._unpacked[block]

    def _opened(self, block: int) -> Rows:
        self._changed.add(block)
        return self._block(block)

    def _close(self) -> None:
        """Pack again what has changed, and let go what nobody has asked for lately."""
        for block in self._changed:
            self._packed[block] = packed(self._unpacked[block])
        self._changed.clear()
        self._unpacked = {block: rows for block, rows in self._unpacked.items() if block in self._used}
        self._used.clear()


def _lay(rows: Rows, row: int, issued: Rows, first: int) -> None:
    """Put the leads of one origin, (3, leads), where they belong: on a diagonal of targets and leads.

    ``row`` and ``first`` are those of the first lead; ``rows`` lie in one piece.
    """
    leads, count = rows.shape[2], issued.shape[1]
    flat, stride = rows.reshape(-1), _NUMBERS * leads + 1
    for number in range(_NUMBERS):
        start = (row * _NUMBERS + number) * leads + first
        flat[start : start + (count - 1) * stride + 1 : stride] = issued[number]


def packed(rows: Rows) -> bytes:
    """Return the rows, (targets, 3, leads), without loss in a sixth of the bytes.

    From one origin to the next the forecasts of neighbouring targets change alike: what differs is small, and most of
    its bytes are zero. All differences are taken modulo 2 ** 32, so that any numbers come back.
    """
    median, low, high = rows[:, :, ::-1].swapaxes(0, 1)  # by rising origin
    above = high - median
    parts = np.stack((median, above, median - low - above))  # an interval is nearly symmetric
    numbers = parts[:2].reshape(-1)
    for lag in _lags(rows.shape[2]):
        numbers[lag:] -= numbers[:-lag].copy()
    folded = (parts << 1) ^ (parts >> 31)  # small numbers of either sign have high bytes of zero
    numbers = folded.reshape(-1).view(np.uint32)
    width = -(-int(numbers.max()).bit_length() // 8) or 1  # bytes of the largest
    planes = b"".join((numbers >> 8 * place).astype(np.uint8).tobytes() for place in range(width))
    return bytes(cramjam.zstd.compress(planes, _LEVEL))


def unpacked(raw: bytes, shape: tuple[int, int, int]) -> Rows:
    """Return the rows, of this shape, of which `packed` has made ``raw``."""
    targets, _, leads = shape
    planes = np.frombuffer(memoryview(cramjam.zstd.decompress(raw)), np.uint8).reshape(-1, targets * _NUMBERS * leads)
    numbers = planes[0].astype(np.uint32)
    for place, plane in enumerate(planes[1:], 1):
        numbers |= plane.astype(np.uint32) << 8 * place
    parts = ((numbers >> 1) ^ -(numbers & 1)).view(np.int32)
    differences = parts[: 2 * targets * leads]
    for lag in reversed(_lags(leads)):
        differences = _summed(differences, lag)
    median, above = differences.reshape(2, targets, leads)
    lean = parts[2 * targets * leads :].reshape(targets, leads)
    rows = np.empty(shape, np.int32)
    rows[:, :, ::-1] = np.stack((median, median - above - lean, median + above), axis=1)
    return rows


def _lags(leads: int) -> tuple[int, int]:
    """Return how far those lie apart that differ by one origin, and by one target of the same origin."""
    return 1, leads - 1


def _summed(differences: NDArray[np.int32], lag: int) -> NDArray[np.int32]:
    """Undo the differences of numbers that lie ``lag`` apart."""
    room = np.zeros(-(-differences.size // lag) * lag, np.int32)
    room[: differences.size] = differences
    return room.reshape(-1, lag).cumsum(axis=0, dtype=np.int32).reshape(-1)[: differences.size]
