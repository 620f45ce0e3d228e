"""Services that are killed in the middle of their work: what they have said in the end is what they say undisturbed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from harness.rows import divided, in_turn, troubled_year
from harness.streaming import NAMES
from tests.integration.faults import Fault, rig
from tests.integration.outcome import Fact, Share, compare, compare_states
from tests.integration.undisturbed import Undisturbed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from harness.brokers import Broker
    from harness.rows import RawRecord
    from shared.data.year import Year

DAYS = 2
# A fault at a named point begins with a SIGKILL in the middle of the work. Nearly all of the time is the start of
# processes, so that services are hit together, and the one that starts fastest is hit twice.
FAULTS = (
    (Fault("ingestor", "before_commit"), Fault("forecaster", "after_send"), Fault("monitor", "in_restore")),
    (Fault("ingestor", "in_snapshot"),),
)


@pytest.fixture(scope="module")
def parts(year: Year) -> list[Sequence[RawRecord]]:
    """The rows, a part for each set of faults."""
    return divided(in_turn({year.site.name: troubled_year(year, DAYS)}, 1), len(FAULTS))


@pytest.fixture(scope="module")
def undisturbed(state_dir: Path, parts: list[Sequence[RawRecord]]) -> Undisturbed:
    """What becomes of them where nothing happens."""
    return Undisturbed(state_dir, parts)


@pytest.mark.real_kafka
def test_services_killed_at_their_work_end_as_undisturbed(
    real_broker: Broker,
    state_dir: Path,
    parts: list[Sequence[RawRecord]],
    undisturbed: Undisturbed,
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    """Killed, each dies at a named point when it is back: nothing lost, different or doubled, states to the bit."""
    wrong: list[str] = []
    before: set[Fact] = set()
    with rig(real_broker, tmp_path, state_dir, free_port) as running:
        for rows, expected, faults in zip(parts, undisturbed.parts, FAULTS, strict=True):
            found = running.part_with_all_at_once(rows, faults)
            unlike = compare(expected, found, before)
            hit = ", ".join(map(str, faults))
            wrong += [f"{hit}: {each}" for each in unlike if each.wrong or (each.once and each.doubled)]
            before.update(said for facts in found.values() for said in facts)
        states = running.states()
    wrong += compare_states(undisturbed.states(states), undisturbed.resumed(states))
    assert {share.service for share in states} == set(NAMES)
    assert not wrong


def test_the_troubled_rows_have_every_outcome(parts: list[Sequence[RawRecord]], undisturbed: Undisturbed) -> None:
    """Accepted, repeated, late, unreadable and too far ahead: the ingestor's whole state is at stake."""
    outcome = undisturbed.whole
    reasons = {fact.body.partition(b'"reason": "')[2].partition(b'"')[0] for fact in outcome["readings.rejected.v1"]}
    merged = sum(map(len, parts)) - len(outcome["readings.clean.v1"]) - len(outcome["readings.rejected.v1"])
    assert merged > 0
    assert {b"too_late", b"too_far_ahead"} < reasons
    assert len(outcome["forecasts.v1"]) == len(outcome["readings.clean.v1"])
    assert len(outcome["scores.v1"]) == DAYS * 24 + 1


FACTS = [Fact("a", b'{"x": [1, 2]}'), Fact("b", b'{"x": [3]}'), Fact("c", b'{"x": []}')]


@pytest.mark.parametrize(
    ("found", "says"),
    [
        ([*FACTS, FACTS[0]], "0 lost, 0 different, 0 added, 1 doubled"),
        (FACTS[:2], "1 lost, 0 different, 0 added, 0 doubled; c is lost"),
        ([FACTS[0], Fact("b", b'{"x": [4]}'), FACTS[2]], "0 lost, 1 different, 0 added, 0 doubled; b: x[0] is 4, und"),
        ([*FACTS, Fact("d", b"{}")], "0 lost, 0 different, 1 added, 0 doubled; d was never said undisturbed"),
        ([*FACTS, Fact("b", b'{"x": [4]}')], "0 lost, 0 different, 1 added, 0 doubled; b was never said undisturbed"),
        ([FACTS[1], FACTS[0], FACTS[2]], "0 lost, 0 different, 0 added, 0 doubled, in another order"),
    ],
)
def test_the_comparison_tells_what_differs(found: list[Fact], says: str) -> None:
    """Only identical repeats are not wrong; the line names the first difference."""
    (difference,) = compare({"t": FACTS}, {"t": found})
    assert str(difference).startswith(f"t: {says}")
    assert difference.wrong == (found[:3] != FACTS or len(set(found)) > 3)


def test_what_was_said_before_is_doubled() -> None:
    """A record of an earlier part that comes again is an identical repeat."""
    (difference,) = compare({"t": FACTS[1:]}, {"t": FACTS}, before={FACTS[0]})
    assert (difference.wrong, difference.doubled) == (False, 1)


def test_states_are_compared_to_the_bit() -> None:
    """A sign of zero is a difference, a NaN is none; what is missing, surplus or misshapen is named."""
    expected = {"a": np.array([0.0, np.nan]), "b": np.zeros(2), "c": np.zeros(1)}
    found = {"a": np.array([-0.0, np.nan]), "b": np.zeros(3), "d": np.zeros(1)}
    share = Share("s", (0, 1))
    assert compare_states({share: expected}, {share: dict(expected)}) == []
    assert compare_states({share: expected}, {share: found}) == [
        "s 0,1: a: 1 of 2 differ, first at [0]: -0.0 is 0.0 undisturbed",
        "s 0,1: b is float64(3,), undisturbed float64(2,)",
        "s 0,1: c is there only undisturbed",
        "s 0,1: d is there only disturbed",
    ]


def test_sites_are_compared_each_with_itself() -> None:
    """Records of two sites may come in any order among each other, those of one may not."""
    one, other = ([Fact(name, b"{}", site) for name in "ab"] for site in ("one", "other"))
    assert not any(each.wrong for each in compare({"t": one + other}, {"t": [other[0], *one, other[1]]}))
    (_, wrong) = compare({"t": one + other}, {"t": [*one, other[1], other[0]]})
    assert str(wrong).startswith("t other: 0 lost, 0 different, 0 added, 0 doubled, in another order")
