"""What an ingestor says of each row of a file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from services.ingestor.ingestor import Ingestor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.ingestor.judging import Outcome
    from shared.data.year import Year

__all__ = ["END_OF_TIME", "JUDGED", "numbered_outcomes"]

JUDGED = 5000
"""Rows between two words of progress."""
END_OF_TIME = datetime(9000, 1, 1, tzinfo=UTC)
"""After every reading of a file."""
MAX_GAP = timedelta(days=30)


def numbered_outcomes(year: Year, start: datetime, until: datetime) -> Iterator[tuple[int, Outcome]]:
    """Yield the line of each row in [start, until) and what an ingestor says of it."""
    # whatever the clock of this machine says, the rows are history
    ingestor = Ingestor([year.site], MAX_GAP)
    return ((line, ingestor.judge(raw, END_OF_TIME)) for _, line, raw in year.numbered_messages(start, until))
