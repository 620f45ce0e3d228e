"""Fits the batch models of each zone, scores them on what follows, registers them, and promotes what is better."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from shared.forecasting.digits import digits
from shared.runtime.registry import ROLLED_BACK
from shared.training.candidates import CANDIDATES, Candidate
from shared.training.data import TrainingData
from shared.training.record import TrainingRecord
from shared.training.verdicts import COMPARABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from shared.data.year import Year
    from shared.runtime.registry import ModelVersion, Registry

    Progress = Callable[[str, float], None]

__all__ = ["Made", "Trained", "TrainingReport", "ensure", "train", "written"]

BY_HAND = "`tetouan models promote` promotes this one"


@dataclass(frozen=True)
class Trained:
    """One registered version, its scores on what follows, and whether it is now the champion, and why."""

    version: ModelVersion
    promoted: bool
    reason: str


@dataclass(frozen=True)
class TrainingReport:
    """What a training came to; readings up to ``as_of`` were fitted on, those to ``data_end`` scored on.

    ``absent`` says which models there are not, and why.
    """

    data: str
    as_of: datetime
    data_end: datetime
    models: tuple[Trained, ...]
    absent: tuple[str, ...]


def train(
    year: Year,
    until: datetime,
    zones: Sequence[int],
    registry: Registry,
    progress: Progress,
    *,
    if_missing: bool = False,
) -> TrainingReport:
    """Fit the models of each zone on readings before ``until``, score and register them, promote what is better.

    Parameters
    ----------
    if_missing
        Whether a champion that has seen just these readings is left as it is.
    progress
        Told what is being done and the share of it that is, 0..1.

    Raises
    ------
    DataError
        If the readings before ``until`` do not suffice.
    RegistryError
        If the registry cannot be used.
    """
    histories = [TrainingData.of(year, zone, until) for zone in zones]
    models = []
    for history in histories:
        kinds = _kinds(history)
        standing = {kind: _standing(kind, history, year, registry) if if_missing else None for kind in kinds}
        models += _completed(standing, history, year, registry, progress, scored=True)
    return _report(year, histories, models)


def ensure(year: Year, until: datetime, zones: Sequence[int], registry: Registry, progress: Progress) -> TrainingReport:
    """Return the versions of each zone that have seen this very year up to the last reading before ``until``.

    What is missing, or was written by a release whose states this one cannot read, is fitted and registered, but
    neither scored, since someone waits, nor promoted. Raises as `train` does.
    """
    histories = [TrainingData.of(year, zone, until) for zone in zones]
    models = []
    for history in histories:
        found = {kind: _found(kind, history, year, registry) for kind in _kinds(history)}
        models += _completed(found, history, year, registry, progress, scored=False)
    return _report(year, histories, models)


def _report(year: Year, histories: Sequence[TrainingData], models: Sequence[Trained]) -> TrainingReport:
    end = histories[0].time_of(int(histories[0].steps[-1]))
    absent = (line for history in histories for line in _absent(history))
    return TrainingReport(year.label, histories[0].as_of, end, tuple(models), tuple(absent))


def _kinds(history: TrainingData) -> list[type[Candidate]]:
    return [kind for kind in CANDIDATES if kind.lacking(history) is None]


def _absent(history: TrainingData) -> list[str]:
    reasons = {_name(kind, history): kind.lacking(history) for kind in CANDIDATES}
    return [f"no {name}: {reason}" for name, reason in reasons.items() if reason]


def _standing(kind: type[Candidate], history: TrainingData, year: Year, registry: Registry) -> Trained | None:
    """Return the champion where it has seen just these readings, or a rollback to it has left one that has.

    None where it cannot be used.
    """
    champion = registry.champion(_name(kind, history))
    if champion is None:
        return None
    if all(champion.tags.get(tag) == value for tag, value in _tags(history, year).items()):
        reason = "it has seen just these readings"
    elif (left := _rolled_back(champion.name, history, year, registry)) is not None:
        reason = f"{left.label}, which has seen just these readings, was rolled back"
    else:
        return None
    return Trained(champion, promoted=True, reason=reason) if _usable(kind, champion, registry) else None


def _rolled_back(name: str, history: TrainingData, year: Year, registry: Registry) -> ModelVersion | None:
    """Return a version that has seen just these readings and that a rollback has left."""
    return registry.find(name, {**_tags(history, year), **ROLLED_BACK})


def _found(kind: type[Candidate], history: TrainingData, year: Year, registry: Registry) -> Trained | None:
    version = registry.find(_name(kind, history), _tags(history, year))
    if version is None or not _usable(kind, version, registry):
        return None
    return Trained(version, promoted=False, reason="it has seen just these readings")


def _usable(kind: type[Candidate], version: ModelVersion, registry: Registry) -> bool:
    """Tell whether the files are there, whole, and of a release that this one can read."""
    try:
        kind.load(registry.fetch(version))
    except (OSError, ValueError):
        return False
    return True


def _name(kind: type[Candidate], history: TrainingData) -> str:
    return f"{kind.kind}-{history.site.name}-{history.zone}"


def _tags(history: TrainingData, year: Year) -> dict[str, str]:
    return {**history.identity(year), "site": history.site.name, "zone": str(history.zone)}


def _completed(
    standing: Mapping[type[Candidate], Trained | None],
    history: TrainingData,
    year: Year,
    registry: Registry,
    progress: Progress,
    *,
    scored: bool,
) -> list[Trained]:
    """Return the models of each kind, fitted and registered where there was none.

    Nothing is registered before all are fitted, and ``zone-demand`` last: a forecaster that finds it, and no
    ``weather-demand``, goes on without.
    """
    challengers = {
        kind: kind.fit(history, partial(progress, f"{_name(kind, history)}: fitting"))
        for kind, trained in standing.items()
        if trained is None
    }
    entered = {
        kind: _enter(challengers[kind], history, year, registry, progress, scored=scored)
        for kind in reversed(challengers)
    }
    return [trained or entered[kind] for kind, trained in standing.items()]


def _enter(
    challenger: Candidate, history: TrainingData, year: Year, registry: Registry, progress: Progress, *, scored: bool
) -> Trained:
    """Register what was fitted, and make it the champion where it is scored and better."""
    kind = type(challenger)
    name = _name(kind, history)
    with TemporaryDirectory() as folder:
        progress_of = partial(progress, f"{name}: scoring") if scored else None
        made = written(challenger, history, year, Path(folder), progress_of)
        version = registry.register(
            name,
            Path(folder),
            params=made.params,
            metrics=made.metrics,
            tags={**_tags(history, year), **made.record.tags},
            signature=challenger.signature,
            run_name=f"{name} until {history.as_of:%Y-%m-%d %H:%M}",
        )
    left = _rolled_back(name, history, year, registry)
    if not scored:
        promoted, reason = False, "not scored"
    elif left is not None:
        promoted, reason = False, f"{left.label}, fitted on just these readings, was rolled back: {BY_HAND}"
    else:
        promoted, reason = _judge(kind, version, history, registry, progress)
    if promoted:
        registry.promote(version)
    elif scored:
        registry.challenge(version)
    return Trained(version, promoted, reason)


@dataclass(frozen=True)
class Made:
    """What is known of a fitted model: parameters, scores, and the record of its training."""

    params: Mapping[str, object]
    metrics: Mapping[str, float]
    record: TrainingRecord


def written(
    fitted: Candidate, history: TrainingData, year: Year, folder: Path, progress: Callable[[float], None] | None
) -> Made:
    """Write a model as it was fitted, with the record of its training; without ``progress`` it is not scored."""
    fitted.save(folder)  # as it stands at ``as_of``: scoring folds the state on
    record = TrainingRecord.of(history, year, folder)
    record.write(folder)
    params = {**fitted.parameters, **_split(history)}
    return Made(params, {} if progress is None else fitted.score(history, progress), record)


def _split(history: TrainingData) -> dict[str, str]:
    step, end = history.first_step, int(history.steps[-1])
    return {
        "train_from": history.time_of(step).isoformat(),
        "as_of": history.as_of.isoformat(),
        "test_until": history.time_of(end).isoformat(),
    }


def _judge(
    kind: type[Candidate], challenger: ModelVersion, history: TrainingData, registry: Registry, progress: Progress
) -> tuple[bool, str]:
    """Tell whether the challenger is to be the champion, and why."""
    champion = registry.champion(challenger.name)
    if champion is None:
        return True, _first_champion(challenger)
    if any(champion.tags.get(tag) != challenger.tags[tag] for tag in COMPARABLE):
        invented = challenger.tags["data_source"] == "synthetic" != champion.tags.get("data_source")
        return not invented, f"{champion.label} was fitted on {_other(champion, challenger)}"
    if datetime.fromisoformat(champion.tags["as_of"]) > history.as_of:
        return False, f"{champion.label} has seen readings up to {champion.tags['as_of']}, so they cannot be compared"
    if kind.criterion not in challenger.metrics:
        return False, f"nothing to compare with {champion.label} on"
    return _compare(kind, challenger, champion, history, registry, progress)


def _first_champion(challenger: ModelVersion) -> str:
    before = int(challenger.version) - 1
    if not before:
        return "it is the first version"
    return f"none of the {before} versions before it was promoted: a demo registers its models and does not score them"


def _other(champion: ModelVersion, challenger: ModelVersion) -> str:
    """Return what a champion was fitted on that cannot be compared."""
    if all(champion.tags.get(tag) == challenger.tags[tag] for tag in ("data_sha256", "data_source")):
        return "these data, read by another table of the site"
    return f"other data ({champion.tags.get('data_source')})"


def _compare(
    kind: type[Candidate],
    challenger: ModelVersion,
    champion: ModelVersion,
    history: TrainingData,
    registry: Registry,
    progress: Progress,
) -> tuple[bool, str]:
    """Score the champion on what follows, folded on up to there; equals of the same age change nothing."""
    try:
        incumbent = kind.load(registry.fetch(champion))
    except (OSError, ValueError) as error:
        return True, f"{champion.label} cannot be used any more ({error})"
    ours = challenger.metrics[kind.criterion]
    scores = incumbent.score(history, lambda share: progress(f"{champion.label}: scoring", share))
    if kind.criterion not in scores:
        return True, f"{champion.label} says nothing of these readings"
    theirs = scores[kind.criterion]
    same = ours == theirs and champion.tags["as_of"] == challenger.tags["as_of"]
    verdict = "nothing new" if same else "not worse" if ours <= theirs else "worse"
    told = f"{kind.criterion} {digits(ours)} kW against {digits(theirs)} kW of {champion.label}"
    return ours <= theirs and not same, f"{told}: {verdict}"
