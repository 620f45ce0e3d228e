"""Which steps of a site may still be published."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ingestor.ordering import Place, Timeline
from tests.unit.states import assert_same


def published(*steps: int, window: int = 10, max_gap: int = 5) -> Timeline:
    """Return a timeline after these steps."""
    timeline = Timeline(window, max_gap)
    for step in steps:
        timeline.publish(step)
    return timeline


@pytest.mark.parametrize("step", [-(10**12), -1, 0, 10**12])
def test_the_first_step_may_be_any(step: int) -> None:
    """Before the first reading there is nothing to be late or ahead of."""
    assert published().place(step) == "next"


@pytest.mark.parametrize(
    ("step", "place"),
    [
        (108, "next"),
        (112, "next"),
        (113, "ahead"),
        (10**12, "ahead"),
        (107, "published"),
        (103, "published"),
        (104, "late"),
        (99, "late"),
        (100, "published"),
        (98, "published"),
        (97, "late"),
        (-(10**12), "late"),
    ],
)
def test_a_step_has_its_place(step: int, place: Place) -> None:
    """After the last is next up to the largest gap; before it is published or late; older than the window is late."""
    assert published(97, 98, 100, 103, 107).place(step) == place


def test_a_step_goes_out_once_and_in_order() -> None:
    """Publishing what is not after the last step is a bug of the caller."""
    with pytest.raises(ValueError, match="step 7 is not after the last published step 7"):
        published(7, 7)


@pytest.mark.parametrize("gap", [9, 10, 11, 10**9])
def test_a_gap_as_long_as_the_window_forgets(gap: int) -> None:
    """What lies further back than the window is late, whatever was published then; memory stays bounded."""
    assert published(1, 1 + gap).place(1) == ("published" if gap < 10 else "late")


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.integers(-14, 7), max_size=60))
def test_it_agrees_with_a_set_of_what_was_published(jumps: list[int]) -> None:
    """Any walk has the places that a plain set of the published steps gives it."""
    timeline, seen = published(0), {0}
    for jump in jumps:
        last = max(seen)
        step = last + jump
        recent = step in seen and last - step < 10
        expected = ("next" if jump <= 5 else "ahead") if jump > 0 else ("published" if recent else "late")
        assert timeline.place(step) == expected
        if expected == "next":
            timeline.publish(step)
            seen.add(step)


def test_what_is_remembered_counts_as_published() -> None:
    """Steps that were published before are known again; one that is not after the last changes nothing."""
    timeline = published(97)
    for step in (99, 98, 103):
        timeline.remember(step)
    assert [timeline.place(step) for step in (97, 98, 99, 103, 104)] == [
        "published",
        "late",
        "published",
        "published",
        "next",
    ]


def test_the_values_of_a_published_step_stand() -> None:
    """The last lap of the window is known by its values; a step that was passed over has none."""
    timeline = Timeline(4, 9, fields=2)
    for step in range(100, 106):
        timeline.publish(step, (float(step), None))
    timeline.publish(107, (None, 0.0))
    assert timeline.standing(107) == [None, 0.0]
    assert timeline.standing(105) == [105.0, None]
    assert timeline.place(106) == "late"
    assert np.isnan(timeline.state()["values"][106 % 4]).all()


@settings(max_examples=100, derandomize=True, deadline=None)
@given(st.lists(st.integers(1, 14), min_size=1, max_size=30), st.integers(0, 30))
def test_what_is_remembered_is_what_was_published(jumps: list[int], known: int) -> None:
    """Whether one has published the steps or learns of them, even twice, the state is the same."""
    steps = list(itertools.accumulate(jumps))
    old, new = Timeline(10, 20, fields=1), Timeline(10, 20, fields=1)
    for step in steps:
        old.publish(step, (float(step),))
    for step in steps[:known] + steps:
        new.remember(step, (float(step),))
    assert_same(new.state(), old.state())


def test_the_last_reading_sent_again_ends_a_run_from_beyond_the_gap() -> None:
    """A meter that stands where it was says that those from beyond the gap are not in a row."""
    timeline = published(0)
    for step in range(100, 105):
        assert timeline.place(step) == "ahead"
    assert timeline.place(0) == "published"
    assert timeline.place(105) == "ahead"
