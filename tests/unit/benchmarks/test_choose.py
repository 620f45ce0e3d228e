"""A constant is chosen by its scores in all zones, changed only for more than noise, and never measured twice."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import pytest

from benchmarks.choose import Choice, Results, _groups, choose, judge_of, table
from benchmarks.constants import METHODS, Constant, Methods
from benchmarks.criteria import Criterion, Validation
from tests.unit.benchmarks.histories import history_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from benchmarks.criteria import Figures
    from benchmarks.streaming import Tell
    from shared.forecasting.method import Value


def test_each_is_chosen_beside_what_was_chosen_before() -> None:
    """What is better by more than noise is taken on for the next ones; what is better by less is left."""
    first = Constant(("demand.guard.errors",), (10.0, 2.0, 3.0))
    second = Constant(("demand.shift.jump_errors",), (8.0, 2.0, 3.0))
    seen: list[dict[str, Value]] = []

    def judge(setting: Mapping[Constant, Value]) -> dict[int, float]:
        named = {constant.label: value for constant, value in setting.items()}
        seen.append(named)
        better = 0.1 * (named[first.label] == 2.0) + 0.001 * (named.get(second.label) == 3.0)
        return {1: 100 * (1 - better), 2: 9 * (1 - better)}

    one, other = choose((first, second), judge)
    assert (one.best, one.chosen) == (2.0, 2.0)
    assert (other.best, other.chosen) == (3.0, 8.0)
    assert all(named[first.label] == 2.0 for named in seen if second.label in named)
    assert len(seen) == 6


@pytest.mark.parametrize(("score", "stays"), [(99.8, True), (99.0, False), (float("nan"), True)])
def test_the_verdict_is_plain(score: float, *, stays: bool) -> None:
    """Less than noise below, or nothing to compare with, the present value stays; and the table marks what is what."""
    choice = Choice("memory", 1.0, {1.0: {1: 100.0, 2: 50.0}, (2.0, 3.0): {1: score, 2: score / 2}})
    assert choice.within_noise is stays
    assert choice.chosen == (1.0 if stays else (2.0, 3.0))
    assert ("stays 1" in choice.verdict) is stays
    assert ("2 and 3 is 1.0% better" in choice.verdict) is not stays
    marks = list(table([choice], "memories").columns[-1].cells)
    assert marks == (["present, chosen", ""] if stays else ["present", "chosen"])
    assert choice.to_json()["within_noise"] is stays


def test_zones_count_by_their_shares() -> None:
    """A percent of a small zone weighs as much as a percent of a large one."""
    choice = Choice("memory", 1.0, {1.0: {1: 1000.0, 2: 10.0}, 2.0: {1: 1010.0, 2: 10 / 1.01}})
    assert choice.of(1.0) == pytest.approx(choice.of(2.0)) == pytest.approx(100.0)


def test_no_zone_pays_for_another() -> None:
    """A value that one zone loses by more than noise is not chosen, whatever the others gain; the next best one is."""
    scores: dict[Value, dict[int, float]] = {
        1.0: {1: 100.0, 2: 100.0},
        2.0: {1: 80.0, 2: 101.0},
        3.0: {1: 99.0, 2: 100.1},
    }
    assert Choice("memory", 1.0, scores).chosen == 3.0


def test_what_is_in_the_file_is_not_run_again(tmp_path: Path) -> None:
    """A run that starts anew measures only what is missing, and anew what is under another constant."""
    path = tmp_path / "choose.json"
    runs: list[int] = []

    def run() -> Figures:
        runs.append(1)
        return {"rmse_kw": 7.0}

    Results("data", path).figures_of("streamed", 2, METHODS, run)
    again = Results("data", path)
    assert again.figures_of("streamed", 2, METHODS, run) == {"rmse_kw": 7.0}
    assert len(runs) == 1
    again.figures_of("streamed", 3, METHODS, run)
    Results("other data", path).figures_of("streamed", 2, METHODS, run)
    again.figures_of("streamed", 2, METHODS.changed({"demand.guard.ratio": 1.6}), run)
    assert len(runs) == 4


def test_a_setting_is_judged_in_every_zone() -> None:
    """The criterion is measured with the constants as the setting says; the progress reaches the whole."""
    history = history_of(4, seen_days=4)
    shown: list[float] = []
    constant = Constant(("demand.guard.errors",), (10.0, 2.0))

    def measure(_: Validation, methods: Methods, tell: Tell) -> Figures:
        tell(10)
        return {"rmse_kw": methods.demand.guard.errors}

    criterion = Criterion(measure, lambda _: 10, lambda figures: 3 * figures["rmse_kw"], "held")
    judge = judge_of(criterion, [Validation.of(history)], Results("data"), shown.append, 2)
    assert judge({constant: 2.0}) == {2: 6.0}
    assert shown == [0.5]


def test_an_unknown_group_is_named() -> None:
    """The message says which groups there are."""
    assert _groups("guard,blend") == ("guard", "blend")
    with pytest.raises(argparse.ArgumentTypeError, match=r"no group gard: choose some of regression,prior"):
        _groups("gard")
