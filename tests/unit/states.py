"""States in tests: what makes two the same, and what must be refused of any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["assert_misfits_are_refused", "assert_same", "assert_writable"]

State = dict[str, "NDArray[Any]"]


class Stateful(Protocol):
    """What has a state."""

    def state(self) -> State:
        """Return its arrays."""

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned."""


def _bits(state: Mapping[str, NDArray[Any]]) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    return {name: (array.dtype.str, array.shape, array.tobytes()) for name, array in state.items()}


def assert_same(one: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]]) -> None:
    """Assert that two states are the same to the bit; names the arrays that are not."""
    ours, theirs = _bits(one), _bits(other)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def assert_writable(state: Mapping[str, NDArray[Any]]) -> None:
    """Assert that a file could hold it without pickle."""
    assert [name for name, array in state.items() if not isinstance(array, np.ndarray) or array.dtype.hasobject] == []


def _misfits(name: str, array: NDArray[Any]) -> Iterator[State]:
    """Return what is not this array: of one more axis, another kind, and an object."""
    yield {name: array[None]}
    yield {name: np.zeros(array.shape, complex)}
    yield {name: np.full(array.shape, None)}


def assert_misfits_are_refused(fresh: Stateful, state: State) -> None:
    """Assert that a core refuses the state with any array missing, foreign or misshapen, names it, and stays fresh."""
    blank = fresh.state()
    wrong = [(name, {**state, **misfit}) for name, array in state.items() for misfit in _misfits(name, array)]
    wrong += [(name, {other: array for other, array in state.items() if other != name}) for name in state]
    wrong += [("colour", {**state, "colour": np.zeros(1)})]
    for name, misfit in wrong:
        with pytest.raises(ValueError, match=rf"(^| ){name}"):
            fresh.resume(misfit)
    assert_same(fresh.state(), blank)
