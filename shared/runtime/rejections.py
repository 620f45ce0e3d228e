"""How many of the last records became dead letters: where most of them do, the service is not ready and says why."""

from __future__ import annotations

from collections import Counter, deque
from itertools import repeat
from typing import TYPE_CHECKING

import structlog

from shared.contracts import topics
from shared.contracts.messages import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import Gauge

    from shared.runtime.health import Health
    from shared.runtime.records import Outgoing, Record

__all__ = ["Rejections"]

WINDOW = 50  # records: few, so that a sender that was mended is seen soon
AT_LEAST = 10  # records, below which a share says nothing
LOOKS = 2  # in a row, so that one burst between two good readings makes nobody unready

log = structlog.get_logger()


class Rejections:
    """The share of dead letters among the last records of one service.

    Parameters
    ----------
    max_share
        Above it the service is not ready, 0..1; 1 is never exceeded.
    health
        Is told the share, the reason of most letters, and what the last of these says.
    share
        Shows the share.
    """

    def __init__(self, max_share: float, health: Health, share: Gauge) -> None:
        self._max_share = max_share
        self._health = health
        self._share = share
        self._last: deque[DeadLetter | None] = deque(maxlen=WINDOW)
        self._above = 0  # looks in a row

    def account(self, records: Sequence[Record], outgoing: Sequence[Outgoing]) -> None:
        """Note which of the records became dead letters."""
        letters = [DeadLetter.from_headers(out.headers) for out in outgoing if out.topic == topics.REJECTED.name]
        if not letters:
            self._last.extend(repeat(None, min(len(records), WINDOW)))
            return
        by_place = {(letter.topic, letter.partition, letter.offset): letter for letter in letters}
        self._last.extend(by_place.get((record.topic, record.partition, record.offset)) for record in records)

    def look(self) -> None:
        """Say how it stands; to be called every second or so."""
        letters = [letter for letter in self._last if letter is not None]
        share = len(letters) / max(len(self._last), 1)
        self._share.set(share)
        self._above = self._above + 1 if len(self._last) >= AT_LEAST and share > self._max_share else 0
        told = "records" in self._health.waiting_for
        if self._above >= LOOKS:
            why = self._health.waiting_for["records"] = self._said(letters, share)
            if not told:
                log.warning("most records are refused", why=why)
        elif told:
            del self._health.waiting_for["records"]
            log.info("records are accepted again", rejected_share=round(share, 2))

    def _said(self, letters: Sequence[DeadLetter], share: float) -> str:
        ((reason, count),) = Counter(letter.reason for letter in letters).most_common(1)
        last = next(letter for letter in reversed(letters) if letter.reason == reason)
        example = ": ".join(part for part in (last.field, last.value) if part)
        return (
            f"{share:.0%} of the last {len(self._last)} records are dead letters, above the "
            f"{self._max_share:.0%} of TETOUAN_MAX_REJECTED_SHARE; {count} of them {reason}, the last one at "
            f"{last.topic}-{last.partition} offset {last.offset}: {example or 'see `tetouan watch rejected`'}"
        )
