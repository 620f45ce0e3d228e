"""The queue of readings that wait: first in, first out, whatever is added in between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.monitor.waiting import Waiting


@given(st.lists(st.booleans(), max_size=60))
def test_rows_leave_in_the_order_in_which_they_came(turns: list[bool]) -> None:
    """Some put, some taken, a state taken and resumed at every turn."""
    queue, expected, step = Waiting(3), list[tuple[int, list[float]]](), 1000
    for put in turns:
        if put:
            queue.put(step, [step / 2, -1.5])
            expected.append((step, [step / 2, -1.5]))
            step += 1
        elif expected:
            assert queue.take() == expected.pop(0)
        assert len(queue) == len(expected)
        if expected:
            assert (queue.first, queue.last) == (expected[0][0], expected[-1][0])
        state, queue = queue.state(), Waiting(3)
        queue.resume(state)


def test_a_state_is_a_row_a_reading() -> None:
    """Step first, then its numbers."""
    queue = Waiting(2)
    for step in range(5):
        queue.put(step, [step * 10.0])
    queue.take()
    assert queue.state().tolist() == [[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0]]
