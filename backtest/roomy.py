"""An array that may be larger than the memory: then it lies in a temporary file."""

from __future__ import annotations

import mmap
import os
import tempfile
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from shared.data.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RoomyArray"]

IN_MEMORY_BYTES = 256 * 2**20
NUMBER_BYTES = 8


class RoomyArray:
    """Numbers, NaN at first, in memory up to 256 MB, else in a file that goes with the process.

    Parameters
    ----------
    shape
        What is written or read at a time should run along the last axis: it lies together.

    Attributes
    ----------
    values
        float64, of that shape.

    Raises
    ------
    DataError
        If there is no room for the file.
    """

    values: NDArray[np.float64]

    def __init__(self, shape: tuple[int, ...]) -> None:
        size_bytes = NUMBER_BYTES * prod(shape)
        self._map = None
        if size_bytes <= IN_MEMORY_BYTES:
            self.values = np.full(shape, np.nan)
            return
        self._map = _mapped(size_bytes)
        self.values = np.frombuffer(self._map, np.float64).reshape(shape)
        for row in self.values.reshape(-1, shape[-1]):
            row.fill(np.nan)
            self.let_go()

    def let_go(self) -> None:
        """Leave what has been written or read to the file: it takes memory of this process no longer."""
        if self._map is not None and hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


def _mapped(size_bytes: int) -> mmap.mmap:
    """Return the memory of a temporary file without a name, whose room on the disk is taken at once."""
    try:
        with tempfile.TemporaryFile(prefix="tetouan-") as file:
            if hasattr(os, "posix_fallocate"):  # else a disk that is full would end the process later
                os.posix_fallocate(file.fileno(), 0, size_bytes)
            else:
                file.truncate(size_bytes)
            return mmap.mmap(file.fileno(), size_bytes)
    except OSError as error:
        need = f"the forecasts need {size_bytes / 1e9:,.1f} GB in {tempfile.gettempdir()} ({error.strerror})"
        raise DataError(f"{need}: choose a later --from, or another place with TMPDIR") from None
