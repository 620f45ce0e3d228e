"""The state of a model as one file: arrays and numbers in NumPy's own format, nothing that could run."""

from __future__ import annotations

import json
import math
import os
import struct
from functools import cache
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import numpy as np
from numpy.lib import format as npy
from pydantic import TypeAdapter, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from zipfile import ZipInfo

    from numpy.typing import NDArray

__all__ = ["HEADER", "checked", "headed", "parameters_of", "read", "write"]

HEADER = "header"
"""The array that says what the others are: JSON as bytes."""

LARGEST_BYTES = 256 * 2**20
"""Of all arrays of a state together, and of its file; that of a zone takes three million."""

LARGEST_DIRECTORY_BYTES = 2**18
"""Of the directory of a file: room for some three thousand arrays, of which a state has a hundred."""

_SUFFIX = ".npy"
_METHODS = (ZIP_STORED, ZIP_DEFLATED)  # zipfile bounds what these unpack to at once, and not what others do
_END = struct.Struct("<4s4H2LH")  # the last record of an archive without a comment, as `write` makes them
_LOCATOR_BYTES = 20  # before that record, where the archive has a directory of ZIP64
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}  # those that `write` makes

# what values that nobody has checked lead to; not AttributeError and the like, which are bugs of this program
_UNUSABLE = (ArithmeticError, LookupError, MemoryError, RecursionError, TypeError, ValueError)

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
        # numpy and zipfile parse a stranger's bytes: what these can make them raise no list has ever named in full, and
        # what is missed would end a forecaster for all its sites, at each restart
        except Exception as error:
            raise ValueError(f"{path} is no whole {kind} state ({_said(error)}): run `{maker}`") from error
    try:
        return of_state(state)
    except _UNUSABLE as error:
        raise ValueError(f"{path} is no {kind} state for this program ({_said(error)}): run `{maker}`") from error


def _said(error: Exception) -> str:
    """Return what an error says in one line, at least of which kind it is."""
    return " ".join(str(error).split()) or type(error).__name__


def _arrays_in(file: BinaryIO) -> State:
    """Return all arrays of an archive; raises before any room is taken for what is too large."""
    _require_small(file)
    with ZipFile(file) as archive:
        members = archive.infolist()
        declared_bytes = sum(member.file_size for member in members)
        if declared_bytes > LARGEST_BYTES:
            raise ValueError(f"it declares {declared_bytes:,} bytes, where {LARGEST_BYTES:,} are the most")
        return {member.filename.removesuffix(_SUFFIX): _array_in(archive, member) for member in members}


def _require_small(file: BinaryIO) -> None:
    """Raise ``ValueError`` where an archive is too large to be opened, and ``BadZipFile`` where it has no plain end."""
    held_bytes = os.fstat(file.fileno()).st_size
    if held_bytes > LARGEST_BYTES:
        raise ValueError(f"it has {held_bytes:,} bytes, where {LARGEST_BYTES:,} are the most")
    file.seek(max(0, held_bytes - _LOCATOR_BYTES - _END.size))
    before, end = (tail := file.read())[: -_END.size], tail[-_END.size :]
    if len(end) < _END.size or not end.startswith(b"PK\x05\x06"):
        raise BadZipFile("File is not a zip file")
    *_, directory_bytes, _, comment_bytes = _END.unpack(end)
    if comment_bytes or before.startswith(b"PK\x06\x07"):
        raise BadZipFile("it has a comment or the directory of ZIP64, which states have not")
    if directory_bytes > LARGEST_DIRECTORY_BYTES:
        raise ValueError(f"its directory has {directory_bytes:,} bytes, where {LARGEST_DIRECTORY_BYTES:,} are the most")


def _array_in(archive: ZipFile, member: ZipInfo) -> NDArray[Any]:
    """Return one array, whose header has to agree with what follows it, and which holds no Python objects."""
    if member.compress_type not in _METHODS:
        raise ValueError(f"{member.filename} is packed by method {member.compress_type}: neither stored nor deflated")
    with archive.open(member) as stream:
        version = npy.read_magic(stream)
        if version not in _HEADERS:
            raise ValueError(f"{member.filename} is an array of format {version}")
        shape, _, dtype = _HEADERS[version](stream)
        if dtype.hasobject:
            raise ValueError(f"{member.filename} holds Python objects: nothing is unpickled")
        declared_bytes, held_bytes = math.prod(shape) * dtype.itemsize, member.file_size - stream.tell()
        if declared_bytes != held_bytes:
            raise ValueError(f"{member.filename} declares {declared_bytes:,} bytes and holds {held_bytes:,}")
        stream.seek(0)
        array: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
    return array
