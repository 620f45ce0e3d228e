"""Windows by time of day: how much of a step belongs to the morning, to noon, to the evening and to the night.

What a deviation means for the hours to come is another thing at dawn than in the evening. So there is a set of weights
for each of a few times of day, and a forecast is a mean of the two sets nearest to its origin. The share of window k at
a distance of x widths from its centre is sin^2(pi/2 max(0, 1 - |x|)): the shares of a step sum to one, and change
smoothly, so that a forecast does not jump from one origin to the next. The time of day is that of the site's clock
without summer time: the windows never move, and what one site has learned of the morning is of use at any longitude.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Windows", "windows"]


class Windows(NamedTuple):
    """The windows of a day, whose centres are spread evenly over it, the first at midnight on the site's clock."""

    share: NDArray[np.float64]  # (day, windows), by step of the day in UTC; not 0 for two of them at most
    steps: NDArray[np.int64]  # (windows, steps): the steps of the day (UTC) with a share in each


@lru_cache(maxsize=32)
def windows(day: int, count: int, ahead_steps: int = 0) -> Windows:
    """Return the windows of a day of so many steps, where the clock is so many ahead of UTC.

    Raises
    ------
    ValueError
        If there are fewer than two of them, or the steps cannot be spread evenly over them.
    """
    if count < 2 or day % count:
        raise ValueError(f"windows is {count}: use a divisor of {day}, the steps of a day, from 2 on")
    width = day // count
    step, centre = np.arange(day), width * np.arange(count) - ahead_steps
    apart = np.abs((step[:, None] - centre + day // 2) % day - day // 2)
    share = np.sin(np.pi / 2.0 * np.maximum(0.0, 1.0 - apart / width)) ** 2
    steps = np.sort((centre[:, None] + np.arange(1 - width, width)) % day, axis=1)
    return Windows(share, steps)
