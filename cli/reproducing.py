"""`tetouan reproduce`: does the training of a registered version again, and compares what comes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.located import file_of
from cli.models import labelled_version, opened
from cli.outputs import whole
from cli.printing import print_whole
from cli.provision import settled, steps_shown, year_for
from cli.retraining import RESULT, RetrainingOrder, RetrainingResult
from shared.data.year import SYNTHETIC
from shared.runtime.registered import named_model
from shared.runtime.registry import CHAMPION
from shared.runtime.settings import PREFIX, Refused
from shared.training.record import TrainingRecord
from shared.training.reproduction import Retrained, compared
from shared.training.verdicts import AS_OF

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cli.settings import CommandSettings
    from shared.data.hints import Hints
    from shared.runtime.registry import ModelVersion, Registry
    from shared.training.reproduction import Reproduction

    Progress = Callable[[str, float], None]

__all__ = ["ReproduceOptions", "run_reproduce", "table_of"]

LAST_CHARACTERS = 400  # of what a process said that has failed
DIALECT = ("separator", "decimal")


@dataclass(frozen=True)
class ReproduceOptions:
    """Which versions, ``NAME/VERSION``; none: the champions of the first zone. And on which data."""

    labels: Sequence[str]
    data: str | None
    hints: Hints
    html_file: Path | None = None


def run_reproduce(options: ReproduceOptions, settings: CommandSettings, console: Console) -> dict[str, Any]:
    """Train each version again, show what differs, write the page, and return the result."""
    settings, year = settled(options.data or settings.data, settings, console, options.hints)
    chosen, dialect = options.data or settings.data, options.hints.dialect
    year = year or year_for(chosen, settings, console, dialect)
    data = SYNTHETIC if year.synthetic else str(file_of(year, chosen, settings))
    registry = opened(settings, console)
    versions = [labelled_version(registry, label) for label in options.labels] or _champions(registry, settings)
    found = []
    with steps_shown(console) as progress:
        for version in versions:
            order = _order(version, data, {name: getattr(dialect, name) for name in DIALECT}, settings)
            found.append(_reproduced(version, order, registry, settings, progress))
    shown = Console()
    for each in found:
        print_whole(shown, table_of(each))
        for line in lines_of(each):
            shown.print(line, soft_wrap=True, highlight=False, markup=False)
    if options.html_file:
        from cli.pages import page_of_reproductions  # noqa: PLC0415 - its templates take half a second

        with whole(options.html_file) as draft:
            draft.write_text(page_of_reproductions(found, year.label, synthetic=year.synthetic), encoding="utf-8")
    told = [each.to_json() for each in found]
    return {"data": year.label, "reproduced": all(each.succeeded for each in found), "versions": told}


def _champions(registry: Registry, settings: CommandSettings) -> list[ModelVersion]:
    """Return the champions of the first zone; raises ``Refused`` where there is none."""
    ending = f"{settings.site}-{settings.zones[0]}"
    names = [f"{kind}-{ending}" for kind in ("zone-demand", "weather-demand")]
    found = [version for name in names if (version := registry.champion(name)) is not None]
    if not found:
        raise Refused(f"{names[0]} has no {CHAMPION}: run `tetouan train`, or name a version of `tetouan models list`")
    return found


def _order(version: ModelVersion, data: str, dialect: dict[str, Any], settings: CommandSettings) -> RetrainingOrder:
    named = named_model(version.name)
    if named is None or AS_OF not in version.params:
        raise Refused(f"{version.label} is no model of this project, or does not say when its training ended")
    if named.site != settings.site:
        says = f"{version.label} is of the site {named.site}, and the settings say {settings.site}"
        raise Refused(f"{says}: set TETOUAN_SITE={named.site}")
    grid = settings.chosen_site.grid
    return RetrainingOrder(
        kind=named.kind,
        zone=named.zone,
        until=datetime.fromisoformat(version.params[AS_OF]) + grid.length,
        data=data,
        dialect=dialect,
        params=dict(version.params),
        scored=bool(version.metrics),
    )


def _reproduced(
    version: ModelVersion, order: RetrainingOrder, registry: Registry, settings: CommandSettings, progress: Progress
) -> Reproduction:
    try:
        folder = registry.fetch(version)
        record = TrainingRecord.read(folder)
        changed = record.changed_in(folder) if record else []
    except (OSError, ValueError) as error:
        raise Refused(f"the files of {version.label} cannot be used: {error}") from None
    return compared(version, record, _retrained(version.label, order, settings, progress), changed)


def _retrained(label: str, order: RetrainingOrder, settings: CommandSettings, progress: Progress) -> Retrained:
    """Let another process do the training again, with an empty state folder; raises ``Refused`` where it cannot."""
    with TemporaryDirectory() as folder:
        environment = {**os.environ, f"{PREFIX}STATE_DIR": str(Path(folder) / "state")}
        environment |= {f"{PREFIX}SITE": settings.site, f"{PREFIX}ZONES": str(order.zone)}
        if settings.sites is not None:
            environment[f"{PREFIX}SITES"] = str(settings.sites)
        with (
            (Path(folder) / "errors.txt").open("w+", encoding="utf-8") as errors,
            subprocess.Popen(
                [sys.executable, "-m", "cli.retraining", folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                text=True,
            ) as process,
        ):
            assert process.stdin is not None  # noqa: S101 - it is a pipe; this tells the type checker
            assert process.stdout is not None  # noqa: S101 - as above
            with process.stdin as pipe:
                pipe.write(order.model_dump_json())
            for line in process.stdout:
                progress(*json.loads(line))
        file = Path(folder) / RESULT
        if not file.exists():
            said = (Path(folder) / "errors.txt").read_text(encoding="utf-8").strip()[-LAST_CHARACTERS:]
            raise Refused(f"the training of {label} could not be done again, the process has ended: {said}")
        result = RetrainingResult.model_validate_json(file.read_bytes())
    if result.record is None:
        raise Refused(f"the training of {label} cannot be done again: {result.refusal}")
    return Retrained(result.params, result.metrics, result.record)


def table_of(found: Reproduction) -> Table:
    """Return what is not equal, for people; without a row where all is."""
    verdict = "reproduced" if found.succeeded else "NOT reproduced"
    table = Table(box=SIMPLE, title=f"{found.label}: {verdict}", title_justify="left")
    for head in ("what", "name", "registered", "now", "verdict"):
        table.add_column(head, no_wrap=True)
    for check in found.notable:
        table.add_row(*map(Text, (check.what, check.name, check.registered, check.now, check.verdict)))
    return table


def lines_of(found: Reproduction) -> list[str]:
    """Return what is said beneath the table: what is equal, and which difference is allowed and why."""
    equal = ", ".join(f"{count} {what}" for what, count in found.equal.items())
    return [f"equal: {equal}", f"allowed: {found.allowed:g}; {found.reason}"]
