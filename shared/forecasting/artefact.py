"""The state of a model as one file: arrays and numbers in NumPy's own format, nothing that could run."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any, TypeVar
from zipfile import BadZipFile

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["HEADER", "headed", "parameters_of", "read", "write"]

HEADER = "header"
"""The array that says what the others are: JSON as bytes."""

# what numpy, zipfile and json raise on what is torn, damaged, or something else
_BROKEN = (AttributeError, BadZipFile, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError, zlib.error)

T = TypeVar("T")
State = dict[str, "NDArray[Any]"]


def headed(kind: str, version: int, parameters: Mapping[str, Any]) -> State:
    """Return the array by which a state begins: of which kind and version it is, and the parameters, as JSON."""
    header = json.dumps({"format": kind, "version": version, "parameters": parameters}, sort_keys=True)
    return {HEADER: np.frombuffer(header.encode(), dtype=np.uint8)}


def parameters_of(state: Mapping[str, NDArray[Any]], kind: str, version: int) -> dict[str, Any]:
    """Return the parameters in the header of a state; raises ``ValueError`` where it is of another kind or version."""
    try:
        header = json.loads(state[HEADER].tobytes())
        form, found, parameters = header["format"], header["version"], dict(header["parameters"])
    except _BROKEN as error:
        raise ValueError(f"{HEADER} is none of a {kind} state") from error
    if form != kind:
        raise ValueError(f"{HEADER} is that of a {form!r}, not of a {kind} state")
    if found != version:
        raise ValueError(f"{HEADER} has format version {found!r}, this program reads {version}")
    return parameters


def write(path: Path, state: Mapping[str, NDArray[Any]]) -> None:
    """Write the arrays to one file (``.npz``)."""
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **state)


def read(path: Path, kind: str, of_state: Callable[[State], T]) -> T:
    """Return what ``of_state`` makes of the arrays of a file; raises ``ValueError`` that names it and what to do."""
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as stored:
                state = {name: stored[name] for name in stored.files}
        except _BROKEN as error:
            raise ValueError(f"{path} is no whole {kind} state: run `tetouan train`") from error
    try:
        return of_state(state)
    except ValueError as error:
        raise ValueError(f"{path} is no {kind} state for this program ({error}): run `tetouan train`") from error
