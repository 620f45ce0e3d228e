"""The constants of the forecast, chosen on what came before the last fifth of the year, and checked against it.

``python -m benchmarks.choose [--only regression,blend,...] [--zones 1 2 3] [--json FILE]`` takes the year of the
settings (TETOUAN_DATA). One constant at a time takes the values of a small grid, the others as they are; each value is
run as a stream over the readings before the last 20 %, in every zone, and judged on rows 20-80 % of the year. A value
is chosen in place of the present one where it is better by more than noise, and in no zone worse by more; the
constants after it in its group are then chosen beside it. What is in the file is not run again: a run that was stopped
goes on where it was. Delete the file after a change of the code.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Column, Table
from threadpoolctl import threadpool_limits

from benchmarks.constants import GROUPS, methods_with
from benchmarks.criteria import CRITERIA, Validation
from cli.provision import steps_shown, year_for
from cli.settings import HistorySettings
from shared.runtime.settings import load
from shared.training.data import TrainingData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from benchmarks.constants import Constant, Methods
    from benchmarks.criteria import Criterion, Figures
    from shared.forecasting.method import Value

    Scores = Mapping[int, float]  # by zone
    Judge = Callable[[Mapping[Constant, Value]], Scores]

NOISE = 0.003
"""A difference below it, as a share, says nothing."""


@dataclass(frozen=True)
class Choice:
    """What each candidate for a constant was worth, by zone, and which one that makes the choice."""

    constant: str
    present: Value
    scores: Mapping[Value, Scores]

    def of(self, value: Value) -> float:
        """Return the score of a value over all zones, their geometric mean; infinite where it cannot be computed."""
        score = float(np.exp(np.mean(np.log(list(self.scores[value].values())))))
        return score if np.isfinite(score) else np.inf

    @property
    def best(self) -> Value:
        """The value with the lowest score among those that no zone loses by more than noise."""
        return min((value for value in self.scores if self._harmless(value)), key=self.of)

    @property
    def within_noise(self) -> bool:
        """Whether the present value is as good as the best one."""
        return self.of(self.present) * (1 - NOISE) <= self.of(self.best)

    @property
    def chosen(self) -> Value:
        """The present value where it is as good as the best one, else that."""
        return self.present if self.within_noise else self.best

    def _harmless(self, value: Value) -> bool:
        present = self.scores[self.present]
        return value == self.present or all(
            score <= present[zone] * (1 + NOISE) for zone, score in self.scores[value].items()
        )

    @property
    def verdict(self) -> str:
        """What to do about it."""
        if self.within_noise:
            return f"{self.constant} stays {_shown(self.present)}"
        gain = 1 - self.of(self.best) / self.of(self.present)
        return f"{self.constant} is {_shown(self.present)}: {_shown(self.best)} is {gain:.1%} better, more than noise"

    def to_json(self) -> dict[str, Any]:
        """Return the figures for machines."""
        candidates = [
            {"value": value, "score": self.of(value), "by_zone": dict(by_zone)}
            for value, by_zone in self.scores.items()
        ]
        chosen = {"present": self.present, "best": self.best, "chosen": self.chosen, "within_noise": self.within_noise}
        return {"constant": self.constant, "candidates": candidates, **chosen}


def choose(constants: Iterable[Constant], judge: Judge) -> list[Choice]:
    """Try the candidates for one constant after the other, each beside what was chosen for those before it."""
    setting: dict[Constant, Value] = {}
    choices = []
    for constant in constants:
        tried = dict.fromkeys((*constant.candidates, constant.value))
        scores = {value: judge({**setting, constant: value}) for value in tried}
        choices.append(Choice(constant.label, constant.value, scores))
        setting[constant] = choices[-1].chosen
    return choices


@dataclass
class Results:
    """What has been measured, in a file if there is one: by data, zone, criterion, and what all constants were."""

    data_sha256: str
    path: Path | None = None
    figures: dict[str, dict[str, Any]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.path and self.path.exists():
            self.figures = json.loads(self.path.read_text(encoding="utf-8"))["measured"]

    def figures_of(self, measure: str, zone: int, methods: Methods, run: Callable[[], Figures]) -> Figures:
        """Return what was measured with these constants; run it where it has not been."""
        constants = methods.named()
        name = json.dumps([self.data_sha256, measure, zone, constants])
        key = sha256(name.encode()).hexdigest()[:16]
        if key not in self.figures:
            self.figures[key] = {"measure": measure, "zone": zone, "constants": constants, "figures": run()}
            self.write({})
        found: Figures = self.figures[key]["figures"]
        return found

    def write(self, chosen: dict[str, Any]) -> None:
        """Write the file, whole or not at all."""
        if self.path:
            beside = self.path.with_name(self.path.name + ".new")
            beside.write_text(json.dumps({**chosen, "measured": self.figures}, indent=1) + "\n", encoding="utf-8")
            beside.replace(self.path)


def judge_of(
    criterion: Criterion, validations: Iterable[Validation], results: Results, show: Callable[[float], None], most: int
) -> Judge:
    """Return what judges a setting in all zones; ``show`` is told the share of at ``most`` so many settings."""
    zones = {validation.history.zone: validation for validation in validations}
    total, done = most * sum(map(criterion.readings, zones.values())), 0

    def tell(readings: int) -> None:
        nonlocal done
        done += readings
        show(min(1.0, done / total))

    def judge(setting: Mapping[Constant, Value]) -> Scores:
        methods, measure = methods_with(setting), criterion.measure
        return {
            zone: criterion.score(
                results.figures_of(measure.__name__, zone, methods, partial(measure, validation, methods, tell))
            )
            for zone, validation in zones.items()
        }

    return judge


def table(choices: Iterable[Choice], title: str) -> Table:
    """Return the figures for people: in percent of the present value's, by zone."""
    table = Table("constant", "value", Column("score", justify="right"), "by zone", "", title=title, box=SIMPLE)
    for choice in choices:
        for value in choice.scores:
            marks = ["present"] * (value == choice.present) + ["chosen"] * (value == choice.chosen)
            by_zone = (
                f"{choice.scores[value][zone] / present - 1:+.1%}"
                for zone, present in choice.scores[choice.present].items()
            )
            table.add_row(
                choice.constant, _shown(value), f"{choice.of(value):.1f}", " ".join(by_zone), ", ".join(marks)
            )
    return table


def _shown(value: Value) -> str:
    return " and ".join(f"{number:g}" for number in (value if isinstance(value, tuple) else (value,)))


def _groups(text: str) -> tuple[str, ...]:
    groups = tuple(text.split(","))
    if odd := sorted(set(groups) - set(GROUPS)):
        raise argparse.ArgumentTypeError(f"no group {', '.join(odd)}: choose some of {','.join(GROUPS)}")
    return groups


def main() -> None:
    """Print the tables, and write the JSON where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=_groups, default=tuple(GROUPS), help=f"some of {','.join(GROUPS)}")
    parser.add_argument("--zones", type=int, nargs="+", help="the zones whose load decides, all if none is named")
    parser.add_argument("--json", type=Path, help="write the figures to this file, and go on where it stopped")
    arguments = parser.parse_args()
    console, settings = Console(), load(HistorySettings)
    year = year_for(settings.data, settings, console)
    chosen_zones = dict.fromkeys(arguments.zones or year.site.load_zones)
    if odd := set(chosen_zones) - set(year.site.load_zones):
        parser.error(
            f"--zones: {year.site.name} has no zone {odd.pop()}, only {', '.join(map(str, year.site.load_zones))}"
        )
    histories = {zone: TrainingData.of(year, zone, year.test_start) for zone in year.site.load_zones}
    validations = [
        Validation.of(histories[zone], (other for name, other in histories.items() if name != zone))
        for zone in chosen_zones
    ]
    results = Results(year.sha256, arguments.json)
    found: dict[str, list[Choice]] = {}
    with threadpool_limits(1), steps_shown(console) as progress:
        for group in arguments.only:
            settings_tried = sum(len({*constant.candidates, constant.value}) for constant in GROUPS[group])
            show = partial(progress, f"{group}: {settings_tried} settings")
            found[group] = choose(GROUPS[group], judge_of(CRITERIA[group], validations, results, show, settings_tried))
    for group, choices in found.items():
        console.print(table(choices, f"{group}: {CRITERIA[group].title}, {year.label}"))
        console.print(*(choice.verdict for choice in choices), sep="\n", highlight=False)
    chosen = {group: [choice.to_json() for choice in choices] for group, choices in found.items()}
    results.write({"data": year.label, "synthetic": year.synthetic, "zones": list(chosen_zones), "chosen": chosen})


if __name__ == "__main__":
    main()
