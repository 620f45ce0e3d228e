"""What the times of readings say against the step that the table of their site tells."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from shared.sites.site import Site

__all__ = ["FEWEST", "STEP", "StepDoubt", "usual_gap"]

STEP = "step_minutes"
"""What is in doubt, by its name in the table."""

FEWEST = 48  # gaps: of fewer nobody can tell what is usual


@dataclass(frozen=True, slots=True)
class StepDoubt:
    """The readings of a site come at another distance than its table says.

    Attributes
    ----------
    since_step
        The step of the reading with which that was noticed.
    usual_minutes
        The distance of most of them.
    """

    since_step: int
    usual_minutes: float
    kind: Literal["step"] = "step"

    def text(self, field: str, site: Site, _since: datetime) -> str:
        """Say what is seen, and what to set."""
        return (
            f"{site.name}: its table says {field} = {site.step_minutes}, and most of the readings come every "
            f"{self.usual_minutes:g} minutes: set {field} in the table (TETOUAN_SITES), or give readings as it says"
        )


def usual_gap(gaps: Iterable[int]) -> int | None:
    """Return the gap that most have; None where there is none, or there are fewer than ``FEWEST``.

    Examples
    --------
    >>> usual_gap([3] * 40 + [6] * 8)
    3
    """
    counted = Counter(gaps)
    if counted.total() < FEWEST:
        return None
    gap, count = counted.most_common(1)[0]
    return gap if 2 * count > counted.total() else None
