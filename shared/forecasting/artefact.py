"""The state of a model as one file: arrays and numbers in NumPy's own format, nothing that could run."""

from __future__ import annotations

import json
import zlib
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.lib.npyio import NpzFile
from pydantic import TypeAdapter, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["HEADER", "checked", "headed", "parameters_of", "read", "write"]

HEADER = "header"
"""The array that says what the others are: JSON as bytes."""

# what numpy and zipfile raise on what is torn, damaged, or something else; a RuntimeError is an archive with a password
_BROKEN = (BadZipFile, EOFError, KeyError, OSError, RuntimeError, ValueError, zlib.error)

T = TypeVar("T")
State = dict[str, "NDArray[Any]"]


def headed(kind: str, version: int, parameters: Mapping[str, Any]) -> State:
    """Return the array by which a state begins: of which kind and version it is, and the parameters, as JSON."""
    header = json.dumps({"format": kind, "version": version, "parameters": parameters}, sort_keys=True)
    return {HEADER: np.frombuffer(header.encode(), dtype=np.uint8)}


def parameters_of(state: Mapping[str, NDArray[Any]], kind: str, version: int) -> dict[str, Any]:
    """Return the parameters in the header of a state; raises ``ValueError`` where it is of another kind or version."""
    try:
        header = json.loads(state[HEADER].tobytes()) if HEADER in state else None
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{HEADER} is none of a {kind} state") from error
    if not isinstance(header, dict) or not isinstance(parameters := header.get("parameters"), dict):
        raise ValueError(f"{HEADER} is none of a {kind} state")  # noqa: TRY004 - a file has no type
    form, found = header.get("format"), header.get("version")
    if form != kind:
        raise ValueError(f"{HEADER} is that of a {form!r}, not of a {kind} state")
    if found != version:
        raise ValueError(f"{HEADER} has format version {found!r}, this program reads {version}")
    return parameters


def checked(kind: type[T], parameters: Mapping[str, Any]) -> T:
    """Return the parameters of a header as a dataclass; raises ``ValueError`` that names one that does not fit it."""
    try:
        found: T = _adapter(kind).validate_python(parameters)  # type: ignore[arg-type]  # a class can be hashed
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = ".".join(map(str, first["loc"]))
        raise ValueError(f"header has parameters that this program cannot use: {name}: {first['msg']}") from error
    return found


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    """Return what checks a dataclass: making it takes a hundred times as long as its work."""
    return TypeAdapter(kind)


def write(path: Path, state: Mapping[str, NDArray[Any]]) -> None:
    """Write the arrays to one file (``.npz``)."""
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **state)


def read(path: Path, kind: str, of_state: Callable[[State], T], maker: str = "tetouan train") -> T:
    """Return what ``of_state`` makes of the arrays of a file.

    Raises ``ValueError`` that names the file, and ``maker``, the command that writes such files.
    """
    with path.open("rb") as file:
        try:
            state = _arrays_in(file)
        except _BROKEN as error:
            raise ValueError(f"{path} is no whole {kind} state: run `{maker}`") from error
    try:
        return of_state(state)
    except ValueError as error:
        raise ValueError(f"{path} is no {kind} state for this program ({error}): run `{maker}`") from error


def _arrays_in(file: BinaryIO) -> State:
    stored = np.load(file, allow_pickle=False)
    if not isinstance(stored, NpzFile):
        raise ValueError("one array, in place of an archive of them")  # noqa: TRY004 - as above
    with stored:
        return {name: stored[name] for name in stored.files}
