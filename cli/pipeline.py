"""`tetouan pipeline`: runs the steps of the workbench one after the other, and only those whose inputs have changed."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.outputs import whole
from cli.printing import print_whole, waiting
from cli.results import advised, summarised
from cli.steps import PARAMETERS, REPORT, STEPS, makers_of
from shared.runtime.clock import monotonic_s
from shared.runtime.release import code_sha256, machine, packages
from shared.runtime.settings import Refused, unwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cli.settings import CommandSettings
    from cli.steps import WorkbenchStep

__all__ = ["PipelineOptions", "StepOutcome", "StepState", "Workbench", "run_pipeline"]

STATE_FILE, LOGS, LOCK = "steps.json", "logs", ".lock"
REFUSAL = "tetouan: "


class StepState(StrEnum):
    """What has come of a step."""

    WELL = "well"
    ATTENTION = "needs attention"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class StepOutcome:
    """What has come of a step, and from which inputs.

    Attributes
    ----------
    inputs, results
        What tells its inputs, and the files that it wrote, from others.
    seconds
        How long it took.
    said, advice
        What its result says, and what to do where it is not well.
    """

    state: StepState
    inputs: str = ""
    results: str = ""
    seconds: float = 0.0
    said: str = ""
    advice: str = ""


@dataclass(frozen=True)
class PipelineOptions:
    """What to run: the readings, the folder of the results, and which steps.

    Attributes
    ----------
    only
        The names of the steps to run; empty: all.
    first
        The name of the step to begin with; None: the first.
    compared
        The algorithms to compare, between commas.
    """

    folder: Path
    data: str | None = None
    only: frozenset[str] = frozenset()
    first: str | None = None
    compared: str | None = None

    @property
    def chosen(self) -> tuple[WorkbenchStep, ...]:
        """The steps to run, in their order."""
        begun = [step.name for step in STEPS].index(self.first) if self.first else 0
        return tuple(step for step in STEPS[begun:] if not self.only or step.name in self.only)


class Workbench:
    """The steps over one folder, and what has come of them so far, kept in ``steps.json``."""

    def __init__(self, options: PipelineOptions, settings: CommandSettings) -> None:
        self.folder = options.folder
        self._options = options
        self._settings = settings
        self._program = [code_sha256(), packages(), machine()]
        self.outcomes = self._kept()

    def _kept(self) -> dict[str, StepOutcome]:
        """Return what is kept of an earlier run; what is not readable counts as nothing."""
        try:
            kept = json.loads((self.folder / STATE_FILE).read_text(encoding="utf-8"))
            return {name: StepOutcome(**{**one, "state": StepState(one["state"])}) for name, one in kept.items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def keep(self, step: WorkbenchStep, outcome: StepOutcome) -> None:
        """Take note of what has come of a step."""
        self.outcomes[step.name] = outcome
        told = {name: asdict(one) for name, one in self.outcomes.items()}
        with whole(self.folder / STATE_FILE) as draft:
            draft.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")

    def words(self, step: WorkbenchStep) -> list[str]:
        """Return the command of a step."""
        words = step.words(str(self.folder), self._values())
        return [*words, "--data", self._options.data] if step.name == "data" and self._options.data else words

    def _values(self) -> dict[str, str]:
        """Return the values of the parameters: the zone is that of the settings, of a guessed site its first."""
        found = self.result_of("data") or {}
        zones = found.get("zones") or self._settings.zones
        return PARAMETERS | {"zone": str(zones[0]), "compared": self._options.compared or PARAMETERS["compared"]}

    def lacking(self, step: WorkbenchStep) -> list[str]:
        """Return the names of the steps that have to run before a step can."""
        makers = makers_of(step)
        broken = [each.name for each in makers if self.state_of(each) in (StepState.FAILED, StepState.NOT_RUN)]
        missing = {file for file in step.reads if not (self.folder / file).exists()}
        return [each.name for each in makers if each.name in broken or missing & {each.result, *each.writes}]

    def state_of(self, step: WorkbenchStep) -> StepState | None:
        """Return what has come of a step; None where nobody has noted it."""
        outcome = self.outcomes.get(step.name)
        return outcome.state if outcome else None

    def is_unchanged(self, step: WorkbenchStep) -> bool:
        """Tell whether a step has run well on just these inputs, and its results are as it left them."""
        outcome = self.outcomes.get(step.name)
        if step.outside or outcome is None or outcome.state is not StepState.WELL:
            return False
        return (outcome.inputs, outcome.results) == (self.inputs_of(step), self.results_of(step))

    def results_of(self, step: WorkbenchStep) -> str:
        """Return what tells the files that a step writes from others."""
        told = {file: _checksum(self.folder / file) for file in (step.result, *step.writes)}
        return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def inputs_of(self, step: WorkbenchStep) -> str:
        """Return what tells the inputs of a step from others: files, command, program, machine, and settings."""
        settings = self._settings
        told = {
            "command": self.words(step),
            "files": {file: _checksum(self.folder / file) for file in step.reads},
            "program": self._program,
            "site": settings.chosen_site.model_dump(mode="json"),
            "zones": settings.zones,
            "prior": settings.prior and [str(settings.prior), _checksum(settings.prior)],
            "registry": settings.registry_uri,
        }
        return sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def result_of(self, name: str) -> dict[str, Any] | None:
        """Return the result of a step; None where there is none that can be read."""
        file = self.folder / next(step.result for step in STEPS if step.name == name)
        try:
            found = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def run(self, step: WorkbenchStep, tell: Callable[[str], None]) -> StepOutcome:
        """Run a step, and return what has come of it; ``tell`` is given each line that it says."""
        inputs, started_s = self.inputs_of(step), monotonic_s()
        (self.folder / step.result).unlink(missing_ok=True)  # what is read below is of this run
        code, last = self._command(step, tell)
        seconds = round(monotonic_s() - started_s, 1)
        result = (self.result_of(step.name) or {}) if code in (0, 1) else {}
        said = summarised(step.name, result) if result else ""
        if code == 0:
            return StepOutcome(StepState.WELL, inputs, self.results_of(step), seconds, said)
        advice = (advised(step.name, result) if result else "") or last
        state = StepState.ATTENTION if step.advisory else StepState.FAILED
        return StepOutcome(state, inputs, "", seconds, said, advice)

    def _command(self, step: WorkbenchStep, tell: Callable[[str], None]) -> tuple[int, str]:
        """Run the command of a step with its output in a log; returns the exit code and the last line that it said."""
        log = self.folder / LOGS / f"{step.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        printed = self.folder / step.result if step.printed else log.with_suffix(".out")
        last = ""
        command = [sys.executable, "-m", "cli", *self.words(step)]
        with (
            log.open("w", encoding="utf-8") as said,
            printed.open("w", encoding="utf-8") as output,
            subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, text=True) as process,
        ):
            assert process.stderr is not None  # noqa: S101 - it is a pipe; this tells the type checker
            for line in process.stderr:
                said.write(line)
                if words := line.strip():
                    last = words
                    tell(f"{step.name}: {words}")
        return process.returncode, last.removeprefix(REFUSAL)


def _checksum(file: Path) -> str | None:
    """Return what tells a file from others, or a folder by all its files; None where there is none."""
    if file.is_dir():
        found = {str(each.relative_to(file)): _checksum(each) for each in sorted(file.rglob("*")) if each.is_file()}
        return sha256(json.dumps(found).encode()).hexdigest()
    return sha256(file.read_bytes()).hexdigest() if file.is_file() else None


def run_pipeline(
    options: PipelineOptions, settings: CommandSettings, console: Console, *, dry_run: bool = False
) -> dict[str, Any]:
    """Run the chosen steps that have something to do, write the page, show a table and return what came of them.

    Raises ``Refused`` where the folder cannot be written to, or another pipeline works in it.
    """
    try:
        options.folder.mkdir(parents=True, exist_ok=True)
        with FileLock(options.folder / LOCK, timeout=0):
            return _run(options, settings, console, dry_run=dry_run)
    except Timeout:
        busy = f"another pipeline works in {options.folder}: wait for its end, or give another --folder"
        raise Refused(busy) from None
    except OSError as error:
        raise unwritable(options.folder, error) from None


def _run(options: PipelineOptions, settings: CommandSettings, console: Console, *, dry_run: bool) -> dict[str, Any]:
    pipeline = Workbench(options, settings)
    if dry_run:
        for line in _plan(pipeline, options.chosen):
            Console().print(line, soft_wrap=True, highlight=False, markup=False)
        return {"well": True, "steps": {}}
    ran: dict[str, str] = {}
    for number, step in enumerate(options.chosen, 1):
        if step.name == REPORT:
            continue
        head = f"{number}/{len(options.chosen)} {step.name}: {step.does}"
        ran[step.name] = _advance(pipeline, step, head, console)
    page = _write_page(pipeline, ran) if REPORT in {step.name for step in options.chosen} else None
    told = {step.name: _told(pipeline, step, ran) for step in STEPS if step.name != REPORT}
    print_whole(Console(), _table(told))
    if page:
        Console().print(f"{page}: the results, with links", soft_wrap=True, highlight=False, markup=False)
    failed = [name for name in ran if pipeline.outcomes[name].state in (StepState.FAILED, StepState.NOT_RUN)]
    return {"well": not failed, "steps": told}


def _plan(pipeline: Workbench, steps: tuple[WorkbenchStep, ...]) -> Iterator[str]:
    """Yield what would be done, and by which command; a step whose inputs come from one that runs would run, too."""
    running: set[str] = set()
    for step in steps:
        makers = {each.name for each in makers_of(step) if not each.outside}
        is_idle = step.name != REPORT and pipeline.is_unchanged(step) and not makers & running
        if not is_idle:
            running.add(step.name)
        yield f"{'unchanged' if is_idle else 'run':9}  {step.name:9}  tetouan {' '.join(pipeline.words(step))}"


def _advance(pipeline: Workbench, step: WorkbenchStep, head: str, console: Console) -> str:
    """Run a step where it has something to do; returns what was done."""
    if lacking := pipeline.lacking(step):
        advice = f"it needs {', '.join(lacking)}: mend that step, then run the pipeline again"
        pipeline.keep(step, StepOutcome(StepState.NOT_RUN, advice=advice))
        console.print(f"{head}: not run, {advice}", soft_wrap=True, highlight=False, markup=False)
        return "not run"
    if pipeline.is_unchanged(step):
        console.print(f"{head}: unchanged", soft_wrap=True, highlight=False, markup=False)
        return "unchanged"
    console.print(head, soft_wrap=True, highlight=False, markup=False)
    with waiting(console, head) as tell:
        outcome = pipeline.run(step, tell)
    pipeline.keep(step, outcome)
    if outcome.state is not StepState.WELL:
        console.print(f"  {outcome.state}: {outcome.advice}", soft_wrap=True, highlight=False, markup=False)
    return "run"


def _told(pipeline: Workbench, step: WorkbenchStep, ran: dict[str, str]) -> dict[str, Any]:
    """Return what is known of a step, also of one that another tool has run in the folder."""
    outcome, result = pipeline.outcomes.get(step.name), pipeline.result_of(step.name)
    if outcome is None:
        state = StepState.WELL if result else StepState.NOT_RUN
        outcome = StepOutcome(state, said=summarised(step.name, result) if result else "")
    return {
        "does": step.does,
        "state": str(outcome.state),
        "done": ran.get(step.name, "as it was"),
        "seconds": outcome.seconds,
        "said": outcome.said,
        "advice": outcome.advice,
        "files": [file for file in (*step.shown, step.result) if (pipeline.folder / file).exists()],
        "log": f"{LOGS}/{step.name}.log" if (pipeline.folder / LOGS / f"{step.name}.log").exists() else None,
    }


def _write_page(pipeline: Workbench, ran: dict[str, str]) -> Path:
    from cli.pages import page_of_pipeline  # noqa: PLC0415 - its templates take half a second

    file = pipeline.folder / "index.html"
    steps = {step.name: _told(pipeline, step, ran) for step in STEPS if step.name != REPORT}
    with whole(file) as draft:
        draft.write_text(page_of_pipeline(steps, pipeline.result_of("data") or {}), encoding="utf-8")
    return file


def _table(told: dict[str, dict[str, Any]]) -> Table:
    table = Table(box=SIMPLE)
    for head in ("step", "verdict", "", "seconds", "what it says, or what to do"):
        table.add_column(head, justify="right" if head == "seconds" else "left", no_wrap=True)
    for name, one in told.items():
        seconds = f"{one['seconds']:.0f}" if one["done"] == "run" else ""
        table.add_row(*map(Text, (name, one["state"], one["done"], seconds, one["advice"] or one["said"])))
    return table
