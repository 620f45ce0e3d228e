"""The steps of the workbench, from the readings to a report: what each runs, reads and writes.

It is the one description of them: `tetouan pipeline` runs it, and `python -m deploy.stages` writes ``dvc.yaml`` and
``params.yaml`` from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from backtest.compare.algorithms import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["PARAMETERS", "REPORT", "STEPS", "Plot", "WorkbenchStep", "makers_of"]

PARAMETERS = {
    "zone": "2",
    "compared": ",".join((*(algorithm.key for algorithm in ALGORITHMS), "naive", "stream")),
}
"""What the commands of the steps are given, by name, with its default."""

REPORT = "report"
"""The step that the pipeline does itself: the page of all results."""


class Plot(NamedTuple):
    """A table that a chart is drawn of: its file, and the columns along both axes."""

    file: str
    x: str
    y: str


@dataclass(frozen=True)
class WorkbenchStep:
    """A step: a command of this project.

    Attributes
    ----------
    does
        What it does, in a few words.
    command
        The words after ``tetouan``: ``{folder}`` stands for the folder of the results, other names for parameters.
    result
        The JSON with its result, a file in that folder as all that follow.
    reads, writes
        A step needs those steps whose ``result`` or ``writes`` it reads.
    shown
        Those of ``writes`` that people open.
    printed
        Whether the result is what the command prints.
    outside
        Whether the result depends on what lies outside of the folder: then the step is run each time.
    advisory
        Whether the pipeline succeeds though the step fails.
    stage
        Its name in ``dvc.yaml``; None where it is none.
    plots
        For ``dvc plots``.
    """

    name: str
    does: str
    command: str
    result: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    printed: bool = False
    outside: bool = False
    advisory: bool = False
    stage: str | None = None
    plots: tuple[Plot, ...] = ()

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of the parameters that its command is given."""
        return tuple(name for name in PARAMETERS if f"{{{name}}}" in self.command)

    def words(self, folder: str, values: Mapping[str, str]) -> list[str]:
        """Return its command, with the folder of the results and the values of the parameters in it."""
        return [word.format(folder=folder, **values) for word in self.command.split()]


STEPS = (
    WorkbenchStep(
        "doctor",
        "checks the machine",
        "doctor --json",
        "doctor.json",
        printed=True,
        outside=True,
        advisory=True,
    ),
    WorkbenchStep(
        "data",
        "finds the readings, or downloads the published year",
        "data --out {folder}/readings --json {folder}/data.json",
        "data.json",
        writes=("readings",),
        outside=True,
        stage="fetch",
    ),
    WorkbenchStep(
        "clean",
        "judges each row as the ingestor does",
        "clean --data {folder}/readings --out {folder}/clean.csv --rows {folder}/rows.csv --json {folder}/clean.json",
        "clean.json",
        reads=("readings",),
        writes=("clean.csv", "rows.csv"),
        shown=("clean.csv", "rows.csv"),
        stage="clean",
    ),
    WorkbenchStep(
        "eda",
        "says what the readings hold, before anything is fitted on them",
        "eda --data {folder}/clean.csv --json {folder}/eda.json --html {folder}/eda.html",
        "eda.json",
        reads=("clean.csv",),
        writes=("eda.html",),
        shown=("eda.html",),
    ),
    WorkbenchStep(
        "train",
        "fits, scores, registers and promotes the models of the zones",
        "train --data {folder}/clean.csv --if-missing --json {folder}/train.json",
        "train.json",
        reads=("clean.csv",),
        outside=True,
        stage="train",
    ),
    WorkbenchStep(
        "compare",
        "compares the forecast with other algorithms",
        "compare --data {folder}/clean.csv --zone {zone} --only {compared} --json {folder}/compare.json "
        "--csv {folder}/compare.csv --html {folder}/compare.html",
        "compare.json",
        reads=("clean.csv",),
        writes=("compare.csv", "compare.html"),
        shown=("compare.html", "compare.csv"),
        stage="compare",
    ),
    WorkbenchStep(
        "register",
        "lists the registered versions",
        "models list --json",
        "models.json",
        reads=("train.json",),
        printed=True,
        outside=True,
    ),
    WorkbenchStep(
        "verify",
        "checks the champions as a forecaster does before it runs them",
        "models verify --json {folder}/verify.json",
        "verify.json",
        reads=("train.json", "models.json"),
        outside=True,
    ),
    WorkbenchStep(
        "backtest",
        "runs the forecaster over the last 20 % of the readings, and scores each lead",
        "backtest --data {folder}/clean.csv --zone {zone} --json {folder}/backtest.json --csv {folder}/tables "
        "--html {folder}/backtest.html",
        "backtest.json",
        reads=("clean.csv",),
        writes=("backtest.html", "tables"),
        shown=("backtest.html",),
        stage="backtest",
        plots=(
            Plot("tables/leads.csv", "lead_minutes", "rmse_kw"),
            Plot("tables/leads.csv", "lead_minutes", "coverage_ratio"),
        ),
    ),
    WorkbenchStep(
        "reproduce",
        "trains the champions again, and compares to the last bit",
        "reproduce --data {folder}/clean.csv --json {folder}/reproduce.json --html {folder}/reproduce.html",
        "reproduce.json",
        reads=("clean.csv", "models.json", "verify.json"),
        writes=("reproduce.html",),
        shown=("reproduce.html",),
    ),
    WorkbenchStep(
        REPORT,
        "writes the page that links all of this",
        f"pipeline --folder {{folder}} --only {REPORT}",
        "index.html",
        reads=("data.json", "clean.json", "train.json", "compare.json", "backtest.json"),
        stage="report",
    ),
)
"""In the order in which they run."""


def makers_of(step: WorkbenchStep) -> tuple[WorkbenchStep, ...]:
    """Return the steps that write what a step reads."""
    return tuple(each for each in STEPS if {each.result, *each.writes} & set(step.reads))
