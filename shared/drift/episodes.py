"""Combines the detections of a detector into drift events: one ends 24 hours after its last detection."""

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
    """The fixed fields of the drift events of one detector; the names are those of ``DriftEvent``."""

    site: str
    zone: int | None
    kind: DriftKind
    feature: str
    detector: str
    severity: Severity
    text: str


class Episodes:
    """The drift events of one detector, a fold over event time: the same detections give the same bytes.

    Attributes
    ----------
    open
        The event that has not ended, as it was sent last; None where there is none.

    Examples
    --------
    >>> episodes = Episodes(Subject("tetouan", 2, "model", "zone_2_kw", "adwin_1h", "warning", "check the meter"))
    >>> time = datetime(2017, 10, 19, tzinfo=UTC)
    >>> (event,) = episodes.found(time, score=1.2, threshold=1.0)
    >>> event.id, event.ended
    ('tetouan-2-adwin_1h-2017-10-19T00:00:00Z', None)
    >>> (event,) = episodes.pass_to(time + timedelta(hours=30))
    >>> f"{event.ended:%Y-%m-%d %H:%M}"
    '2017-10-20 00:00'
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.open: DriftEvent | None = None
        self._ends: datetime | None = None  # the end of the open event, where no detection comes up to then

    def pass_to(self, time: datetime) -> list[DriftEvent]:
        """Advance to ``time``; return the event that ended before it, 24 hours after its last detection."""
        if self.open is None or self._ends is None or time <= self._ends:
            return []
        ended = self.open.model_copy(update={"ended": self._ends})
        self.open = None
        return [ended]

    def found(self, time: datetime, score: float, threshold: float) -> list[DriftEvent]:
        """Add a detection; return the event that it ended, and the open one where it is new or its score rose."""
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
        """Return start and end (s since 1970), score and threshold of the open event, shape (4,); NaN without one."""
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
