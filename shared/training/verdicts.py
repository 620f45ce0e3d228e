"""Whether a registered version may take the place of another: by a better score on the same readings."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from shared.forecasting.digits import digits
from shared.runtime.registered import WEATHER_DEMAND, ZONE_DEMAND

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.runtime.registry import ModelVersion

__all__ = ["AS_OF", "COMPARABLE", "CRITERIA", "NotBetterError", "headline_of", "trained_together", "why_better"]

CRITERIA = {ZONE_DEMAND: "rmse_kw/mean", WEATHER_DEMAND: "rmse_kw/corrected"}
"""The score of each kind of model, lower is better, that decides a promotion."""

COMPARABLE = ("data_sha256", "data_source", "site_digest")
"""The tags without which scores of two versions are of different quantities."""

AS_OF, SCORED_UNTIL = "as_of", "test_until"
"""The parameters that say which readings a version was scored on: those after the one, up to the other."""


class NotBetterError(Exception):
    """A version may not take the place of another by its score; the text says why, and what to do."""


def headline_of(version: ModelVersion) -> float | None:
    """Return the score in kW that decides a promotion, None of a version without a finite one."""
    names = (criterion for kind, criterion in CRITERIA.items() if version.name.startswith(f"{kind}-"))
    scores = (version.metrics[name] for name in names if name in version.metrics)
    return next((score for score in scores if math.isfinite(score)), None)


def trained_together(one: ModelVersion, other: ModelVersion) -> bool:
    """Tell whether both were fitted on the same readings, as a training does with the models of a zone."""
    return _agree(one.tags, other.tags, (AS_OF, *COMPARABLE))


def _agree(one: Mapping[str, str], other: Mapping[str, str], names: Iterable[str]) -> bool:
    """Tell whether both have all of these, with the same values."""
    return all(name in one and one[name] == other.get(name) for name in names)


def why_better(challenger: ModelVersion, champion: ModelVersion) -> str:
    """Return by which scores a version is better than the champion of the same model.

    Raises
    ------
    NotBetterError
        If it is not, or if the two were not scored on the same readings.
    """
    ours, theirs = headline_of(challenger), headline_of(champion)
    if ours is None or theirs is None:
        unscored = challenger if ours is None else champion
        raise NotBetterError(f"{unscored.label} was registered without a score, as a demo does: {_train(challenger)}")
    if not _agree(challenger.tags, champion.tags, COMPARABLE):
        raise NotBetterError(f"{challenger.label} and {champion.label} were scored on other data: {_train(challenger)}")
    if not _agree(challenger.params, champion.params, (AS_OF, SCORED_UNTIL)):
        spans = " and ".join(f"{version.label} on {_span(version)}" for version in (challenger, champion))
        raise NotBetterError(f"they were not scored on the same readings, {spans}: {_train(challenger, champion)}")
    told = f"RMSE {digits(ours)} kW against {digits(theirs)} kW of {champion.label} on the same readings"
    if not ours < theirs:
        raise NotBetterError(f"{challenger.label} is not better, {told}")
    return f"{told}: better"


def _span(version: ModelVersion) -> str:
    after, until = (version.params.get(name, "?") for name in (AS_OF, SCORED_UNTIL))
    return f"those after {after} up to {until}"


def _train(*versions: ModelVersion) -> str:
    """Return the command that scores a version like these and the champion on the same readings."""
    seen = [datetime.fromisoformat(version.tags[AS_OF]) for version in versions if AS_OF in version.tags]
    until = f" --until {max(seen) + timedelta(minutes=1):%Y-%m-%dT%H:%M}" if seen else ""
    return f"`tetouan train{until}` on these data scores what it fits and the champion on the same readings"
