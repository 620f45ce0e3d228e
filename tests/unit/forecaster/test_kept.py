"""A state that is kept part by part as it changes: it is that of the core at every reading."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from services.forecaster.app import LARGE, ForecasterCore
from services.forecaster.issuing import ZoneModels
from shared.contracts.messages import CleanReading, Flagged
from shared.runtime.health import Health
from shared.runtime.metrics import new_registry
from shared.sites.site import Site
from tests.unit.forecaster.conftest import START
from tests.unit.forecaster.test_app import shared
from tests.unit.forecaster.test_many_sites import records_of
from tests.unit.forecaster.test_takeovers import Setting, library, of, run, second
from tests.unit.states import assert_same, state_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from tests.unit.forecaster.library import Library

__all__ = ["library", "second"]  # fixtures

DAYS = 25
OUTAGE = range(22 * 24 + 20, 23 * 24 + 2)  # hours, over midnight: it ends in the day after
HOURLY = Site(
    name="hourly",
    step_minutes=60,
    country="ES",
    time_zone="Europe/Madrid",  # puts its clock forward on the 25th of the month
    time_column="t",
    columns={"A": "zone_1_kw"},
)


class Kept:
    """What the runtime has kept of a core by now: each part as it was when its number last changed."""

    def __init__(self) -> None:
        self.parts: dict[str, dict[str, NDArray[Any]]] = {}
        self.numbers: dict[str, int] = {}

    def keep(self, core: ForecasterCore) -> list[str]:
        """Keep what has changed; returns which parts these are."""
        numbers = core.parts()
        changed = [part for part, number in numbers.items() if self.numbers.get(part) != number]
        for part in changed:
            self.parts[part] = {name: array.copy() for name, array in core.state(part).items()}
        self.numbers = dict(numbers)
        return changed

    def taken_up(self, fresh: ForecasterCore) -> ForecasterCore:
        """Let a core go on from it."""
        fresh.resume(self.parts)
        self.numbers = dict(fresh.parts())
        return fresh


def hourly() -> Iterator[CleanReading]:
    """Yield some weeks of a load that falls out, is missing, and shifts for good."""
    noise = np.random.default_rng(7).normal(0, 30, DAYS * 24)
    for n, off_kw in enumerate(noise.tolist()):
        if n in range(300, 340):
            continue
        load_kw = (3_000 + 800 * float(np.sin(2 * np.pi * n / 24)) + off_kw) * (1.3 if n >= 18 * 24 + 5 else 1.0)
        if n in OUTAGE:
            load_kw *= 0.4
        missing = n in range(400, 404)
        yield CleanReading(
            site="hourly",
            time=START + timedelta(hours=n),
            step_minutes=60,
            values={"zone_1_kw": None if missing else load_kw},
            flags={"zone_1_kw": Flagged(flag="missing")} if missing else {},
        )


def assert_kept(core: ForecasterCore, fresh: ForecasterCore, kept: Kept) -> list[str]:
    """Assert that what is kept is the state to the bit; returns which parts had to be written."""
    changed = kept.keep(core)
    fresh.resume(kept.parts)
    assert_same(state_of(fresh), state_of(core))
    return changed


def test_at_every_reading_what_is_kept_is_the_state() -> None:
    """Across days, gaps, an outage, a changed clock and a shift; the large part is written about once a day."""
    core, kept = ForecasterCore(shared(Health(), new_registry(), HOURLY)), Kept()
    core.adopt(HOURLY, (ZoneModels.begun_cold(HOURLY, 1),))
    fresh, wrote = ForecasterCore(core.shared), Counter[str]()
    records = records_of(hourly())
    for n, record in enumerate(records):
        (core.handle if n % 50 else core.restore)([record])
        wrote.update(assert_kept(core, fresh, kept))
        if n % 100 == 99:
            core = kept.taken_up(ForecasterCore(core.shared))
    assert wrote["hourly"] == len(records)
    assert wrote["hourly" + LARGE] < 3 * DAYS


def test_so_it_is_where_other_models_take_over(library: Library, reading: Callable[..., CleanReading]) -> None:
    """In the middle of a day and at its end, of the same version twice."""
    setting, kept = Setting.of(library), Kept()
    core, fresh = setting.core(), setting.core()
    records, wrote = of("tetouan", [reading(n) for n in range(160)]), Counter[str]()
    for first in range(0, 160, 4):
        if version := {60: "2", 120: "1", 144: "2"}.get(first):
            setting.promote("tetouan", 2, version)
        run(core, records[first : first + 4])
        wrote.update(assert_kept(core, fresh, kept))
    assert wrote["tetouan"] == 40
    assert 4 <= wrote["tetouan" + LARGE] <= 6
