"""Snapshots of tasks: a small share of what the process takes, in turn, and none is starved."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import pytest

from shared.runtime.keeping import SHARE, Budget, Keeper
from shared.runtime.metrics import PipelineMetrics, new_registry

if TYPE_CHECKING:
    from shared.runtime.task import Task

LEAST_S = 0.001  # what the smallest snapshot takes


class Clock:
    """CPU seconds of a process that takes what it is told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Return them."""
        return self.now_s


@dataclass
class State:
    """A state whose snapshot takes ``cost_s``, and is thought to take ``expected_s``."""

    clock: Clock
    cost_s: float
    expected_s: float = 0.0
    is_kept: bool = True
    fails: bool = False
    kept: int = 0
    asked: int = 0

    def expected_cpu_s(self) -> float:
        """Return what it is thought to take."""
        self.asked += 1
        return self.expected_s

    async def keep(self, _copy: object) -> float:
        """Take what it takes."""
        self.clock.now_s += self.cost_s
        self.is_kept = self.is_kept or not self.fails
        self.kept += 1
        return self.cost_s


@dataclass
class Fake:
    """As much of a task as is looked after."""

    number: int
    state: State
    open: bool = True
    silent: bool = False

    async def snapshot(self) -> object:
        """Return something to be written."""
        if self.silent:
            await asyncio.get_running_loop().create_future()
        return object()


class Setting:
    """Some tasks of a process whose CPU is counted, and who keeps them."""

    def __init__(self, *costs_s: float, is_kept: bool = True) -> None:
        self.clock = Clock()
        self.tasks = [Fake(number, State(self.clock, cost_s, cost_s, is_kept)) for number, cost_s in enumerate(costs_s)]
        self.registry = new_registry()
        tasks = [cast("Task", task) for task in self.tasks]
        self.keeper = Keeper(tasks, 10.0, PipelineMetrics(self.registry), self.clock)

    @property
    def spent_s(self) -> float:
        """What snapshots have taken by now."""
        return self.registry.get_sample_value("tetouan_snapshot_cpu_seconds_total") or 0.0

    @property
    def kept(self) -> list[int]:
        """How often each task was kept."""
        return [task.state.kept for task in self.tasks]

    def run(self, busy_s: float, looks: int) -> None:
        """Let the process take so much between two looks, so often."""
        for _ in range(looks):
            self.clock.now_s += busy_s
            asyncio.run(self.keeper.look())


def test_a_share_is_earned_before_it_is_spent() -> None:
    """Nothing can be spent at the start; later the share of what the process has taken, and no more."""
    clock = Clock()
    budget = Budget(0.04, clock)
    assert budget.earned_s == 0.0
    clock.now_s += 10.0
    assert budget.earned_s == pytest.approx(0.4)
    budget.spend(0.4)
    assert budget.earned_s == pytest.approx(0.0)


def test_what_was_not_needed_is_not_saved_up() -> None:
    """After a quiet hour one spending is covered, and the next has to be earned anew."""
    clock = Clock()
    budget = Budget(0.04, clock)
    clock.now_s += 1000.0
    budget.spend(0.1)
    assert budget.earned_s == pytest.approx(0.0)


def test_what_was_spent_too_much_is_earned_before_anything_else() -> None:
    """One that took more than was earned puts the next off until the share holds."""
    clock = Clock()
    budget = Budget(0.04, clock)
    clock.now_s += 1.0
    budget.spend(0.1)
    assert budget.earned_s == pytest.approx(-0.06)
    clock.now_s += 1.5
    assert budget.earned_s == pytest.approx(0.0)


@pytest.mark.parametrize("costs_s", [[0.02] * 4, [0.001, 0.3], [0.05, 0.0005, 0.004]])
def test_over_any_stretch_snapshots_take_their_share_and_one_more_at_most(costs_s: list[float]) -> None:
    """Whenever one begins to count, they have taken the share and at most one snapshot."""
    setting = Setting(*costs_s)
    seen = [(setting.clock.now_s, setting.spent_s)]
    for _ in range(2000):
        setting.run(0.05, 1)
        seen.append((setting.clock.now_s, setting.spent_s))
    for since in range(0, 2000, 50):
        taken_s, spent_s = seen[-1][0] - seen[since][0], seen[-1][1] - seen[since][1]
        assert spent_s <= SHARE * taken_s + max(costs_s) + LEAST_S
    assert setting.spent_s > 0.5 * SHARE * (seen[-1][0] - seen[0][0])  # the share is used, too


def test_tasks_are_kept_in_turn_whatever_each_takes() -> None:
    """A large state is waited for, and is kept as often as the small ones."""
    setting = Setting(0.001, 0.4, 0.001)
    setting.run(0.5, 500)
    assert min(setting.kept) >= 20
    assert max(setting.kept) - min(setting.kept) <= 1


def test_what_a_snapshot_takes_is_not_asked_for_in_vain() -> None:
    """As long as it is not earned nobody looks through the parts of a state again."""
    setting = Setting(0.4)
    setting.run(0.05, 1000)
    state = setting.tasks[0].state
    assert state.kept > 3
    assert state.asked <= 2 * (state.kept + 1)


def test_a_snapshot_that_takes_more_than_expected_is_paid_for_afterwards() -> None:
    """A day's end that nobody has foreseen puts the next snapshots off."""
    setting = Setting(0.5)
    setting.tasks[0].state.expected_s = 0.001
    setting.run(0.1, 1)
    assert setting.kept == [1]
    setting.run(0.1, 110)
    assert setting.kept == [1]
    setting.run(0.1, 20)
    assert setting.kept == [2]


def test_the_first_snapshot_of_a_state_is_written_at_once() -> None:
    """What was rebuilt is kept before anything is earned, and the others do not wait for it."""
    setting = Setting(2.0, 2.0, is_kept=False)
    for task in setting.tasks:
        task.state.expected_s = 0.0
    setting.run(0.0, 2)
    assert setting.kept == [1, 1]


def test_a_place_that_cannot_be_written_costs_no_more_than_the_share() -> None:
    """A first snapshot that fails is not tried again before it is earned."""
    setting = Setting(1.0, is_kept=False)
    setting.tasks[0].state.expected_s, setting.tasks[0].state.fails = 0.0, True
    setting.run(0.5, 90)
    assert setting.kept == [2]


def test_a_task_that_is_not_open_is_passed_over() -> None:
    """What is being restored is not kept, and holds nobody up."""
    setting = Setting(0.001, 0.001)
    setting.tasks[0].open = False
    setting.run(1.0, 3)
    assert setting.kept == [0, 3]


def test_at_the_end_all_are_kept_whatever_that_takes() -> None:
    """A stop keeps each state, though nothing is earned."""
    setting = Setting(5.0, 5.0)
    asyncio.run(setting.keeper.keep_last(10.0))
    assert setting.kept == [1, 1]


def test_at_the_end_a_state_that_takes_too_long_is_left() -> None:
    """A stop goes on, as the group has to be left; what was kept before it stays."""
    setting = Setting(5.0, 5.0)
    setting.tasks[1].silent = True
    asyncio.run(setting.keeper.keep_last(0.05))
    assert setting.kept == [1, 0]
