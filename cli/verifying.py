"""`tetouan models verify`: whether the champions of the zones can be used, by the product's own checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.models import opened
from cli.printing import print_whole
from services.forecaster.asking import loaded, pairs_of, unpublished
from shared.runtime.settings import Refused
from shared.training.record import TrainingRecord
from shared.training.verdicts import headline_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cli.settings import CommandSettings
    from services.forecaster.asking import Pair
    from services.forecaster.issuing import ZoneModels
    from shared.runtime.registry import ModelVersion, Registry
    from shared.sites.site import Site

__all__ = ["ModelCheck", "checks_of", "run_verify"]

COVERAGE, NOMINAL, TOLERANCE = "coverage/mean", 0.9, 0.05


class ModelCheck(NamedTuple):
    """One check of a version: ``state`` is ``ok``, ``note`` or ``wrong``; ``found`` says what, and what to do."""

    version: str
    check: str
    state: str
    found: str


def run_verify(settings: CommandSettings, console: Console) -> dict[str, Any]:
    """Check the champions of the zones of the settings, show what was found and return it."""
    registry, site = opened(settings, console), settings.chosen_site
    alone = site.model_copy(update={"zones": settings.zones})
    pairs = pairs_of(alone, registry.champions(""))
    if lacking := [zone for zone in settings.zones if zone not in pairs]:
        raise Refused(f"zone {lacking[0]} of {site.name} has no champion: run `tetouan train`")
    found = [check for pair in pairs.values() for check in checks_of(pair, alone, registry)]
    table = Table(box=SIMPLE)
    for head in ("version", "check", "", "found"):
        table.add_column(head, no_wrap=True)
    for check in found:
        table.add_row(*map(Text, (check.version, check.check, check.state, check.found)))
    print_whole(Console(), table)
    return {"well": all(check.state != "wrong" for check in found), "checks": [check._asdict() for check in found]}


def checks_of(pair: Pair, site: Site, registry: Registry) -> Iterator[ModelCheck]:
    """Yield the checks of the models of a zone."""
    versions = {label: registry.get(*label.rsplit("/", 1)) for label in pair.labels}
    for label, version in versions.items():
        yield _record(label, version, registry)
        yield _score(label, version)
    both = " and ".join(pair.labels)
    try:
        models = loaded(pair, site, lambda label: registry.fetch(versions[label]))
    except ValueError as error:
        yield ModelCheck(both, "loaded", "wrong", str(error))
        return
    lacking = unpublished(models, site)
    yield ModelCheck(both, "loaded", "wrong" if lacking else "ok", lacking or "as a forecaster does")
    yield _forecast(pair.labels[0], models)


def _record(label: str, version: ModelVersion, registry: Registry) -> ModelCheck:
    """Compare the files of a version with what its training has recorded of them."""
    folder = registry.fetch(version)
    try:
        record = TrainingRecord.read(folder)
    except ValueError as error:
        return ModelCheck(label, "files", "wrong", f"{error}: run `tetouan train`")
    if record is None:
        return ModelCheck(label, "files", "note", "no record of the training: an older release has registered it")
    changed = record.changed_in(folder)
    if changed:
        why = f"{', '.join(changed)} is not as it was registered: run `tetouan train`"
        return ModelCheck(label, "files", "wrong", why)
    return ModelCheck(label, "files", "ok", f"{record.size_bytes:,} bytes, as registered")


def _score(label: str, version: ModelVersion) -> ModelCheck:
    """Look at the scores of a version: there are some, and its interval covers what it promises."""
    headline, covered = headline_of(version), version.metrics.get(COVERAGE)
    if headline is None:
        return ModelCheck(label, "score", "note", "registered without a score, as a demo does")
    if covered is None or abs(covered - NOMINAL) <= TOLERANCE:
        shown = "" if covered is None else f", its 90 % interval covers {100 * covered:.1f} %"
        return ModelCheck(label, "score", "ok", f"RMSE {headline:.1f} kW{shown}")
    advice = "look at the backtest before it is used"
    return ModelCheck(label, "score", "note", f"its 90 % interval covers {100 * covered:.1f} %: {advice}")


def _forecast(label: str, models: ZoneModels) -> ModelCheck:
    """Let the model forecast from where its training ended: finite at each lead, the median within its interval."""
    forecast = models.demand.predict()
    low_kw, high_kw = forecast.bounds_kw(NOMINAL)
    median_kw = forecast.median_kw
    good = np.isfinite(median_kw) & (low_kw <= median_kw) & (median_kw <= high_kw)
    if good.all():
        return ModelCheck(label, "forecast", "ok", f"{len(median_kw)} leads, each within its interval")
    why = f"no finite median within its interval at {int((~good).sum())} of {len(good)} leads: run `tetouan train`"
    return ModelCheck(label, "forecast", "wrong", why)
