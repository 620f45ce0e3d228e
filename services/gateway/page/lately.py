"""What has become of the forecasts lately: since when a fallback or a bad score lasts, and how much worse it is."""

from __future__ import annotations

from statistics import NormalDist
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta

    from services.gateway.page.documents import Point
    from services.gateway.queries import StoredForecast, StoredScores

__all__ = ["mean_width_kw", "reserve_kw", "score_of", "streak", "worst_of"]

LEAST_COVERAGE = 0.1  # with less the bands say nothing of the errors


def streak(told: Iterable[tuple[datetime, bool]], looked_back: timedelta, *, is_all: bool) -> Mapping[str, Any]:
    """Return since when something has been so: ``begun``, or that it was so for ``longer_than`` what was looked at.

    Parameters
    ----------
    told
        Whether it was so, by falling time.
    looked_back
        For how long it was looked back.
    is_all
        Whether there is nothing before that.
    """
    begun = None
    for time, is_so in told:
        if not is_so:
            return {} if begun is None else {"begun": begun}
        begun = time
    if begun is None:
        return {}
    return {"begun": begun} if is_all else {"longer_than": looked_back}


def score_of(scores: StoredScores | None, lead_minutes: int | None, window_days: int) -> Mapping[str, Any]:
    """Return the scores of a lead group, None: the mean of all leads, over a window; empty where there are none."""
    found = () if scores is None else scores.scores
    wanted = lead_minutes, window_days
    return next((each for each in found if (each["lead_minutes"], each["window_days"]) == wanted), {})


def worst_of(scores: StoredScores | None) -> Mapping[str, Any] | None:
    """Return the largest error of all lead groups and windows, as ``Situation.red`` has it."""
    found = [each for each in (() if scores is None else scores.scores) if each["mape"] is not None]
    if not found:
        return None
    worst = max(found, key=_mape)
    return {"lead": worst["lead_minutes"], "window": worst["window_days"], "mape": worst["mape"]}


def mean_width_kw(forecast: StoredForecast) -> float | None:
    """Return how wide the widest band is in the mean of all leads; None where there is no band."""
    if not forecast.coverages:
        return None
    widest = max(range(len(forecast.coverages)), key=forecast.coverages.__getitem__)
    return float((forecast.kw[2 + 2 * widest] - forecast.kw[1 + 2 * widest]).mean())


def reserve_kw(peak: Point | None, coverage: float | None, nominal: float) -> float | None:
    """Return how much more the band of a peak would need on each side to hold ``nominal`` of the loads.

    An estimate that takes errors for normal: the half width of a band that holds a share of them is the quantile of
    (1 + share) / 2 times their standard deviation. None where the band holds enough, or nearly nothing.
    """
    if peak is None or peak.low_kw is None or peak.high_kw is None or coverage is None:
        return None
    if not LEAST_COVERAGE <= coverage < nominal:
        return None
    needed, held = (NormalDist().inv_cdf((1 + share) / 2) for share in (nominal, coverage))
    return (peak.high_kw - peak.low_kw) / 2 * (needed / held - 1)


def _mape(score: Mapping[str, Any]) -> float:
    mape: float = score["mape"]
    return mape
