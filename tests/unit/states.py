"""States in tests: what makes two the same, and what must be refused of any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["assert_misfits_are_refused", "assert_numbered", "assert_same", "assert_writable", "resume", "state_of"]

State = dict[str, "NDArray[Any]"]


class Stateful(Protocol):
    """What has a state of several parts."""

    def parts(self) -> Mapping[str, int]:
        """Return the names of its parts."""

    def state(self, part: str) -> State:
        """Return the arrays of a part."""

    def resume(self, parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
        """Go on from what :meth:`state` returned."""


def state_of(core: Stateful) -> State:
    """Return copies of all arrays of a core, each by the name of its part, a slash and its own."""
    return {f"{part}/{name}": array.copy() for part in core.parts() for name, array in core.state(part).items()}


def resume(core: Stateful, state: Mapping[str, NDArray[Any]]) -> None:
    """Let a core go on from what `state_of` returned."""
    parts: dict[str, State] = {}
    for name, array in state.items():
        part, _, own = name.rpartition("/")
        parts.setdefault(part, {})[own] = array
    core.resume(parts)


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


def assert_numbered(core: Stateful, work: Callable[[], object], *changed: str) -> None:
    """Assert that some work changes these parts of a core and no other, and that their numbers alone go up."""
    numbers, arrays = dict(core.parts()), {part: _bits(core.state(part)) for part in core.parts()}
    work()
    after = core.parts()
    assert {part for part in after if _bits(core.state(part)) != arrays.get(part)} == set(changed)
    assert {part for part in after if part not in numbers or after[part] > numbers[part]} == set(changed)


def _misfits(name: str, array: NDArray[Any]) -> Iterator[State]:
    """Return what is not this array: of one more axis, another kind, and an object."""
    yield {name: array[None]}
    yield {name: np.zeros(array.shape, complex)}
    yield {name: np.full(array.shape, None)}


def assert_misfits_are_refused(fresh: Stateful, state: State) -> None:
    """Assert that a core refuses the state with any array missing, foreign or misshapen, names it, and stays fresh."""
    blank = state_of(fresh)
    wrong = [(name, {**state, **misfit}) for name, array in state.items() for misfit in _misfits(name, array)]
    wrong += [(name, {other: array for other, array in state.items() if other != name}) for name in state]
    wrong += [(name, {**state, name: np.zeros(1)}) for name in {f"{n.rpartition('/')[0]}/colour" for n in state}]
    for name, misfit in wrong:
        with pytest.raises(ValueError, match=rf"(^| ){name.rpartition('/')[2]}"):
            resume(fresh, misfit)
    assert_same(state_of(fresh), blank)
