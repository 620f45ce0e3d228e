"""What a fold knows as plain arrays by dotted name: what a file can hold, and nothing that could run.

A part of a state gives its arrays by ``state()`` and takes them by ``resume(state)``; of a dataclass they are the
fields with ``init=False``. Before a part takes any, `refuse_misfit` compares all of them with those of a part that has
seen nothing, so that a state is taken as a whole or not at all.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = [
    "StatePart",
    "below",
    "copied",
    "fields_of",
    "give",
    "joined",
    "known",
    "refuse_misfit",
    "resume_parts",
    "states_of",
    "whole_number",
]

_NONE = int(np.iinfo(np.int64).min)


class StatePart(Protocol):
    """A fold, or a part of one."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Return copies of the arrays that hold all that is known, by name."""

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Go on from what :meth:`state` returned; names that it does not know are another's."""


def states_of(parts: Mapping[str, StatePart]) -> dict[str, NDArray[Any]]:
    """Return the arrays of all parts, each by the name of its part, a dot and its own."""
    return joined({name: part.state() for name, part in parts.items()})


def resume_parts(parts: Mapping[str, StatePart], state: Mapping[str, NDArray[Any]]) -> None:
    """Let each part go on from its arrays: what `states_of` returned.

    Raises ``ValueError`` that names the part that cannot use a value; those before it have taken theirs.
    """
    for name, part in parts.items():
        try:
            part.resume(below(state, name))
        except (OSError, OverflowError, ValueError) as error:  # the first two: a time that no calendar has
            raise ValueError(f"{name}: {error}") from error


def joined(parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    """Return the arrays of all parts, each by the name of its part, a dot and its own."""
    return {f"{part}.{name}": array for part, arrays in parts.items() for name, array in arrays.items()}


def below(state: Mapping[str, NDArray[Any]], part: str) -> dict[str, NDArray[Any]]:
    """Return the arrays of one part by their own names: what `joined` has put together."""
    prefix = f"{part}."
    return {name.removeprefix(prefix): array for name, array in state.items() if name.startswith(prefix)}


def refuse_misfit(state: Mapping[str, NDArray[Any]], blank: Mapping[str, NDArray[Any]]) -> None:
    """Compare a state with that of a fold that has seen nothing.

    Parameters
    ----------
    state
        The arrays to take.
    blank
        What is expected: an axis of length 0 may have any length, text may be longer.

    Raises
    ------
    ValueError
        If an array is missing or unknown, or one has another kind or shape; the message names it.
    """
    if odd := sorted(blank.keys() ^ state.keys()):
        raise ValueError(f"lacks or adds {', '.join(odd)}")
    for name, expected in blank.items():
        array = state[name]
        if not _fits(array, expected):
            raise ValueError(f"{name} is {array.dtype} {array.shape}, expected {expected.dtype} {expected.shape}")


def _fits(array: NDArray[Any], expected: NDArray[Any]) -> bool:
    narrower = array.dtype.itemsize <= expected.dtype.itemsize or expected.dtype.kind == "U"
    return (
        narrower
        and array.dtype.kind == expected.dtype.kind
        and array.ndim == expected.ndim
        and all(length in (size, 0) for size, length in zip(array.shape, expected.shape, strict=True))
    )


def fields_of(part: Any) -> dict[str, NDArray[Any]]:
    """Return the fields of a dataclass that are its state, those with ``init=False``: as they are, no copies."""
    kind: Any = type(part)
    return {name: np.asarray(getattr(part, name)) for name in _names_of(kind)}


@cache
def _names_of(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if not field.init)


def copied(state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return copies of the arrays of a state."""
    return {name: array.copy() for name, array in state.items()}


def give(part: Any, state: Mapping[str, NDArray[Any]]) -> None:
    """Set the fields of a dataclass to copies of what `fields_of` returned, of the types that they have."""
    for name, array in state.items():
        fresh = getattr(part, name)
        setattr(part, name, array.astype(fresh.dtype, order="C") if isinstance(fresh, np.ndarray) else array.item())


def whole_number(value: int | None) -> NDArray[np.int64]:
    """Return a number that may not be known, such as the step of the last reading, as an array, ()."""
    return np.array(_NONE if value is None else value, np.int64)


def known(number: NDArray[Any]) -> int | None:
    """Return what `whole_number` was given."""
    value = int(number)
    return None if value == _NONE else value
