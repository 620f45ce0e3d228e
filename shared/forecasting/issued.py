"""What was issued for each target of a zone, by lead: the day ahead as it came, the weeks behind it packed.

Rolling scores need every pair of their longest window twice: when its target comes due, and when the target leaves a
window. In between it is packed, without loss, to a sixth: from one origin to the next the forecasts of neighbouring
targets change alike, so the differences of their changes are small numbers, most of whose bytes are zero.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.forecasting.resolution import ABSENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    Rows = NDArray[np.int32]

__all__ = ["IssuedByTarget", "packed", "unpacked"]

_BLOCKS_A_DAY = 8
_LEVEL = 1  # of zlib: higher ones take four times as long for 3 % less
_NUMBERS = 3  # median, low and high end


class IssuedByTarget:
    """Median, low and high end of the 90 % interval that were issued for each target, by lead.

    They are multiples of the zone's resolution, ``ABSENT`` where nothing was issued. Targets lie in blocks of three
    hours. A block whose targets are all settled is packed; one that is asked for is unpacked, and packed again when
    something late was issued for it.

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
        blocks = -(-(leads + unsettled) // self._size) + 1
        self._ring = np.full((blocks * self._size, _NUMBERS, leads), ABSENT, np.int32)
        self._first_block = 0  # of those in the ring; blocks are counted from 1970
        self._packed: dict[int, bytes] = {}
        self._unpacked: dict[int, Rows] = {}
        self._used: set[int] = set()  # blocks that were asked for since the last settlement
        self._changed: set[int] = set()  # unpacked blocks that differ from what is packed

    def clear(self, next_step: int) -> None:
        """Forget all; ``next_step`` is the next target to be settled."""
        self._ring.fill(ABSENT)
        self._first_block = next_step // self._size
        self._packed.clear()
        self._unpacked.clear()
        self._used.clear()
        self._changed.clear()

    @property
    def oldest(self) -> int:
        """The first target for which something may have been issued."""
        return min(self._packed.keys() | self._changed, default=self._first_block) * self._size

    def of(self, target: int) -> Rows:
        """Return what was issued for a target, (3, leads); not to be changed."""
        block, row = divmod(target, self._size)
        issued: Rows = self._block(block)[row]
        return issued

    def rows(self, first: int, end: int) -> Rows:
        """Return what was issued for the targets from ``first`` to before ``end``, (targets, 3, leads)."""
        parts = [self._block(block)[rows] for block, rows in self._spans(first, end)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def place(self, origin: int, first: int, issued: Rows) -> None:
        """Keep a forecast, (3, leads), less its ``first`` leads."""
        end, ring_step = origin + 1 + self._leads, self._first_block * self._size
        for block, rows in self._spans(origin + 1 + first, min(end, ring_step)):
            _lay(self._opened(block), rows.start, issued[:, first : first + rows.stop - rows.start], first)
            first += rows.stop - rows.start
        while first < self._leads:
            row = (origin + 1 + first) % len(self._ring)
            count = min(self._leads - first, len(self._ring) - row)
            _lay(self._ring, row, issued[:, first : first + count], first)
            first += count

    def settle(self, settled: int, oldest: int) -> None:
        """Pack the blocks without a target after ``settled``; forget the targets before ``oldest``."""
        self._close()
        for block in range(self._first_block, (settled + 1) // self._size):
            rows = self._block(block)
            if (rows[:, 0] != ABSENT).any():
                self._packed[block] = packed(rows)
                rows.fill(ABSENT)
            self._first_block = block + 1
        for block in [block for block in self._packed if (block + 1) * self._size <= oldest]:
            del self._packed[block]
            self._unpacked.pop(block, None)

    def replace(self, first: int, rows: Rows) -> None:
        """Keep ``rows`` (targets, 3, leads) from the target ``first`` on instead of all that is kept: see `oldest`."""
        for block, span in self._spans(first, first + len(rows)):
            start = block * self._size + span.start - first
            kept = self._block(block) if block >= self._first_block else self._opened(block)
            kept[span] = rows[start : start + span.stop - span.start]

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold all that is known, by name."""
        self._close()
        blocks = sorted(self._packed)
        return {
            "first_block": np.array(self._first_block),
            "ring": self._ring.copy(),
            "packed_blocks": np.array(blocks, np.int64),
            "packed_bytes": np.array([len(self._packed[block]) for block in blocks], np.int64),
            "packed": np.frombuffer(b"".join(self._packed[block] for block in blocks), np.uint8),
        }

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        self.clear(int(state["first_block"]) * self._size)
        self._ring[:] = state["ring"]
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
        """Return the rows of a block, (targets, 3, leads); those of one that is packed are not to be changed."""
        if block >= self._first_block:
            row = block * self._size % len(self._ring)
            return self._ring[row : row + self._size]
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
    return zlib.compress(planes, _LEVEL)


def unpacked(raw: bytes, shape: tuple[int, int, int]) -> Rows:
    """Return the rows, of this shape, of which `packed` has made ``raw``."""
    targets, _, leads = shape
    planes = np.frombuffer(zlib.decompress(raw), np.uint8).reshape(-1, targets * _NUMBERS * leads)
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
