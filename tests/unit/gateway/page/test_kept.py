"""What takes long to make is made once for all who ask within some seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest

from services.gateway.page.kept import KeptResult

NOON = datetime(2017, 10, 19, 12, tzinfo=UTC)


class Making:
    """Counts how often something is made, and takes so long."""

    def __init__(self, took: timedelta = timedelta(0)) -> None:
        self.now, self.took, self.count = NOON, took, 0

    def make(self) -> int:
        """Make it."""
        self.now += self.took
        self.count += 1
        return self.count


@pytest.mark.parametrize(("took_s", "kept_s"), [(0, 10), (1, 10), (6, 30)])
def test_it_is_kept_for_ten_seconds_or_five_times_as_long_as_it_took(took_s: int, kept_s: int) -> None:
    """Then it is made anew; also where the clock was set back."""
    making = Making(timedelta(seconds=took_s))
    kept = KeptResult(making.make, lambda: making.now)
    assert kept.get() == 1
    made = making.now
    making.now = made + timedelta(seconds=kept_s - 0.1)
    assert kept.get() == 1
    making.now = made + timedelta(seconds=kept_s)
    assert kept.get() == 2
    making.now = made - timedelta(hours=1)
    assert kept.get() == 3


def test_who_asks_while_it_is_made_anew_gets_the_old_one() -> None:
    """Nobody waits for the second one but who makes it."""
    now, asked, go_on = [NOON], Event(), Event()
    made: list[int] = []

    def make() -> int:
        made.append(len(made))
        if len(made) == 2:
            asked.set()
            assert go_on.wait(10)
        return made[-1]

    kept = KeptResult(make, lambda: now[0])
    assert kept.get() == 0
    now[0] += timedelta(minutes=1)
    other = Thread(target=kept.get)
    other.start()
    assert asked.wait(10)
    assert kept.get() == 0
    go_on.set()
    other.join(10)
    assert kept.get() == 1
    assert made == [0, 1]


def test_what_could_not_be_made_is_tried_again() -> None:
    """Whoever asked is told."""
    making = Making()

    def make() -> int:
        if making.make() == 1:
            raise ValueError("away")
        return making.count

    kept = KeptResult(make, lambda: making.now)
    with pytest.raises(ValueError, match="away"):
        kept.get()
    assert kept.get() == 2
