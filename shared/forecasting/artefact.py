"""The state of a forecaster as one file: arrays and numbers in NumPy's own format, nothing that could run."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from shared.forecasting.state import below, fields_of, give, joined, refuse_misfit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["VERSION", "gather", "read", "restore", "write"]

_FORMAT, VERSION = "zone-demand", 5
_HEADER = "header"

# what numpy, zipfile and json raise on a file that is torn, damaged, or something else
_BROKEN = (AttributeError, BadZipFile, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError, zlib.error)


def write(path: Path, parameters: Mapping[str, Any], parts: Mapping[str, Any]) -> None:
    """Write the parameters, as JSON, and the state of each part: its dataclass fields with ``init=False``."""
    header = json.dumps({"format": _FORMAT, "version": VERSION, "parameters": parameters}, sort_keys=True)
    arrays = {_HEADER: np.frombuffer(header.encode(), dtype=np.uint8)}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays, **gather(parts))


def gather(parts: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """Return the state of each part, its dataclass fields with ``init=False``, as ``part.field``; a copy."""
    return joined({name: fields_of(part) for name, part in parts.items()})


def read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the parameters and the arrays of a file; raises ``ValueError`` that names it and says what to do."""
    with path.open("rb") as file:
        try:
            with np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in stored.files}
            header = json.loads(arrays.pop(_HEADER).tobytes())
            form, version, parameters = header["format"], header["version"], dict(header["parameters"])
        except _BROKEN as error:
            raise ValueError(f"{path} is no whole {_FORMAT} state: fit it anew or restore it from a backup") from error
    if form != _FORMAT:
        raise ValueError(f"{path} holds a {form!r}, not a {_FORMAT} state: choose another file")
    if version != VERSION:
        raise ValueError(f"{path} has format version {version!r}, this program reads {VERSION}: update it or fit anew")
    return parameters, arrays


def restore(path: object, parts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Give the parts the state that `gather` returned; raises ``ValueError``, naming ``path``, where it is none."""
    try:
        refuse_misfit(arrays, gather(parts))
    except ValueError as error:
        raise ValueError(f"{path}: {error}: fit it anew or restore it from a backup") from None
    for name, part in parts.items():
        give(part, below(arrays, name))
