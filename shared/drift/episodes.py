"""Episodes: what a detector finds within a day of its last finding is one event that grows, and then ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import isnan, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.contracts.messages import DriftEvent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared.contracts.messages import DriftKind, Severity

__all__ = ["QUIET", "Episodes", "Subject"]

QUIET = timedelta(hours=24)


@dataclass(frozen=True)
class Subject:
    """What is watched, and what the detector says when it finds something; the words are those of ``DriftEvent``."""

    site: str
    zone: int | None
    kind: DriftKind
    feature: str
    detector: str
    severity: Severity
    text: str


class Episodes:
    """The episodes of one detector, a fold over event time: the same detections give the same bytes.

    Attributes
    ----------
    open
        The episode that has not ended, as it was sent last.

    Examples
    --------
    >>> episodes = Episodes(Subject("tetouan", 2, "model", "zone_2_kw", "adwin_1h", "warning", "check the meter"))
    >>> found = datetime(2017, 10, 19, tzinfo=UTC)
    >>> (event,) = episodes.found(found, score=1.2, threshold=1.0)
    >>> event.id, event.ended
    ('tetouan-2-adwin_1h-2017-10-19T00:00:00Z', None)
    >>> (event,) = episodes.pass_to(found + timedelta(hours=30))
    >>> f"{event.ended:%Y-%m-%d %H:%M}"
    '2017-10-20 00:00'
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.open: DriftEvent | None = None
        self._ends: datetime | None = None  # unless something is found up to then

    def pass_to(self, time: datetime) -> list[DriftEvent]:
        """Move on to ``time``; return the episode that has ended before it, a day after its last detection."""
        if self.open is None or self._ends is None or time <= self._ends:
            return []
        ended = self.open.model_copy(update={"ended": self._ends})
        self.open = None
        return [ended]

    def found(self, time: datetime, score: float, threshold: float) -> list[DriftEvent]:
        """Take a detection; return what it ended, and the episode where it opened it or let its score grow."""
        changed = self.pass_to(time)
        score = round(score, 3)
        if self.open is None:
            self.open = self._opened(time, score, threshold)
            changed.append(self.open)
        elif score > self.open.score:
            self.open = self.open.model_copy(update={"score": score})
            changed.append(self.open)
        self._ends = time + QUIET
        return changed

    def state(self) -> dict[str, NDArray[Any]]:
        """Return start and end (seconds since 1970), score and threshold of the open episode, NaN without one, (4,)."""
        episode = (nan,) * 4
        if self.open is not None and self._ends is not None:
            episode = self.open.started.timestamp(), self._ends.timestamp(), self.open.score, self.open.threshold
        return {"open": np.array(episode)}

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""
        started_s, ends_s, score, threshold = state["open"].tolist()
        if isnan(started_s):
            self.open = self._ends = None
        else:
            self.open = self._opened(datetime.fromtimestamp(started_s, UTC), score, threshold)
            self._ends = datetime.fromtimestamp(ends_s, UTC)

    def _opened(self, time: datetime, score: float, threshold: float) -> DriftEvent:
        subject = self.subject
        where = subject.feature if subject.zone is None else subject.zone
        return DriftEvent(
            id=f"{subject.site}-{where}-{subject.detector}-{time:%Y-%m-%dT%H:%M:%SZ}",
            site=subject.site,
            zone=subject.zone,
            kind=subject.kind,
            feature=subject.feature,
            detector=subject.detector,
            score=score,
            threshold=threshold,
            severity=subject.severity,
            started=time,
            ended=None,
            report=None,
            text=subject.text,
        )
