"""The training as a command, and as what a demo needs before its first forecast."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from rich.console import Console

from backtest.run import account_for
from cli.outputs import whole
from cli.printing import waiting
from cli.provision import require_loads, say_doubts, steps_shown, year_for, zones_for
from shared.data.year import DataError
from shared.runtime.registry import Registry
from shared.runtime.settings import Refused, unwritable
from shared.training.candidates import TooFewReadingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from cli.settings import CommandSettings, HistorySettings
    from shared.data.hints import Hints
    from shared.data.year import Year
    from shared.runtime.concerns import StateSettings

__all__ = ["TrainOptions", "ensure_models", "run_train", "run_train_prior"]

NO_MODEL_NEEDED = (
    "until then `tetouan forecast` and the services forecast without a fitted model, better with a prior "
    "(`tetouan train --prior`, TETOUAN_PRIOR)"
)
UNTOLD = "running forecasters are not told of it ({}): run this again with --if-missing once the brokers answer"
FIRST_START = "no models of these data yet: fitting them, once, takes about half a minute"


def ensure_models(year: Year, start: datetime, settings: CommandSettings, console: Console) -> None:
    """Make sure that models fitted on the readings before ``start`` are registered."""
    try:
        with waiting(console, "opening the model registry"):
            from shared.training.training import ensure  # noqa: PLC0415 - it takes seconds, and services start meanwhile

            registry = Registry(settings.registry_uri, settings.artifact_root)
        with _alone(settings, console), steps_shown(console, FIRST_START) as progress:
            report = ensure(year, start, settings.zones, registry, progress)
        for line in report.absent:
            console.print(line, soft_wrap=True, highlight=False)
    except TooFewReadingsError as error:
        raise Refused(f"{error}; {NO_MODEL_NEEDED}") from None
    except DataError as error:
        raise Refused(str(error)) from None


@contextmanager
def _alone(settings: StateSettings, console: Console) -> Iterator[None]:
    """Let one training run at a time beneath a state folder: who comes second finds the models of the first."""
    lock = FileLock(settings.state_dir / "training.lock")
    try:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout:
        console.print("another training uses this state folder: waiting for it", highlight=False)
        lock.acquire()
    except OSError as error:
        raise unwritable(settings.state_dir, error) from None
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class TrainOptions:
    """What to train on: readings before ``until`` (None: the first 80 %).

    Attributes
    ----------
    if_missing
        Whether champions that have seen just these readings are left as they are.
    accept_refused
        Whether to go on where many rows are no readings.
    """

    data: str | None
    until: datetime | None
    hints: Hints | None = None
    if_missing: bool = False
    accept_refused: bool = False


def run_train_prior(options: TrainOptions, file: Path, settings: HistorySettings, console: Console) -> dict[str, Any]:
    """Fit a prior and write it to the file; returns what it was trained on. No model is registered.

    It takes the zones of the settings; for a guessed site without such a setting, all loads.
    """
    year = year_for(options.data or settings.data, settings, console, options.hints)
    say_doubts(year, console)
    every = year.assumed and "zones" not in settings.model_fields_set
    zones = year.site.load_zones if every else zones_for(year, settings)
    require_loads(year, zones, accept_refused=options.accept_refused)
    from shared.training.priors import train_prior  # noqa: PLC0415 - it takes seconds, and --help need not wait

    end = options.until or year.test_start
    try:
        with steps_shown(console) as progress:
            if not options.accept_refused:
                account_for(year, zones[0], end, progress).require_few_refused(year.label)
            prior = train_prior(year, end, zones, progress)
    except DataError as error:
        raise Refused(str(error)) from None
    with whole(file) as draft:
        prior.save(draft)
    source, left = prior.source, [str(zone) for zone in year.site.load_zones if zone not in zones]
    other = f"; not of zones {', '.join(left)}, see TETOUAN_ZONES" if left else ""
    Console().print(f"{file}: a prior of {source}{other}", soft_wrap=True, highlight=False, markup=False)
    return {
        "data": year.label,
        "synthetic": year.synthetic,
        "site": source.site,
        "zones": list(source.zones),
        "from": source.begin.isoformat(),
        "until": source.until.isoformat(),
    }


def run_train(
    options: TrainOptions, settings: CommandSettings, console: Console, year: Year | None = None
) -> dict[str, Any]:
    """Fit, score, register and promote the models of the configured zones; returns the report as a dictionary.

    ``year`` is given if the readings were read already.
    """
    year = year or year_for(options.data or settings.data, settings, console, options.hints)
    say_doubts(year, console)
    settings.require_zones(year.site, year.label)
    require_loads(year, settings.zones, accept_refused=options.accept_refused)
    from shared.training.announcing import announce, events_of  # noqa: PLC0415 - as below
    from shared.training.training import train  # noqa: PLC0415 - it takes seconds, and services start meanwhile

    registry = Registry(settings.registry_uri, settings.artifact_root)
    end = options.until or year.test_start
    try:
        with _alone(settings, console), steps_shown(console) as progress:
            if not options.accept_refused:
                account_for(year, settings.zones[0], end, progress).require_few_refused(year.label)
            report = train(year, end, settings.zones, registry, progress, if_missing=options.if_missing)
    except TooFewReadingsError as error:
        raise Refused(f"{error}; {NO_MODEL_NEEDED}") from None
    except DataError as error:
        raise Refused(str(error)) from None
    for model in report.models:
        fate = "champion" if model.promoted else "registered"
        said = f"{year.label}  {model.version.label}: {fate}, {model.reason}"
        Console().print(said, soft_wrap=True, highlight=False, markup=False)
    for line in report.absent:
        Console().print(f"{year.label}  {line}", soft_wrap=True, highlight=False, markup=False)
    if fault := announce(events_of(report, year.site), settings).fault:
        console.print(UNTOLD.format(fault), soft_wrap=True, highlight=False, markup=False)
    return {
        "data": report.data,
        "synthetic": year.synthetic,
        "as_of": report.as_of.isoformat(),
        "data_end": report.data_end.isoformat(),
        "models": [
            {
                "model": model.version.label,
                "promoted": model.promoted,
                "reason": model.reason,
                "metrics": dict(model.version.metrics),
            }
            for model in report.models
        ],
        "absent": list(report.absent),
    }
