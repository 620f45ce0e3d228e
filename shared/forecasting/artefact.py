"""The state of a forecaster as one file: arrays and numbers in NumPy's own format, nothing that could run."""

from __future__ import annotations

import json
import zlib
from dataclasses import fields
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["read", "restore", "write"]

_FORMAT, _VERSION = "zone-demand", 4
_HEADER = "header"

# what numpy, zipfile and json raise on a file that is torn, damaged, or something else
_BROKEN = (AttributeError, BadZipFile, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError, zlib.error)


def write(path: Path, parameters: Mapping[str, Any], parts: Mapping[str, Any]) -> None:
    """Write the parameters, as JSON, and the state of each part: its dataclass fields with ``init=False``."""
    header = json.dumps({"format": _FORMAT, "version": _VERSION, "parameters": parameters}, sort_keys=True)
    arrays = {_HEADER: np.frombuffer(header.encode(), dtype=np.uint8)}
    arrays |= {
        f"{name}.{state}": np.asarray(getattr(part, state)) for name, part in parts.items() for state in _states(part)
    }
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


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
    if version != _VERSION:
        raise ValueError(f"{path} has format version {version!r}, this program reads {_VERSION}: update it or fit anew")
    return parameters, arrays


def restore(path: Path, parts: Mapping[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    """Give the parts the state that was read from the file; raises ``ValueError`` where it does not fit them."""
    expected = {f"{name}.{state}": (part, state) for name, part in parts.items() for state in _states(part)}
    if odd := sorted(expected.keys() ^ arrays.keys()):
        raise ValueError(f"{path} lacks or adds {', '.join(odd)}: fit it anew or restore it from a backup")
    for name, (part, state) in expected.items():
        fresh, stored = getattr(part, state), arrays[name]
        blank = np.asarray(fresh)
        if stored.shape != blank.shape or stored.dtype.kind != blank.dtype.kind:
            raise ValueError(
                f"{path}: {name} is {stored.dtype} {stored.shape}, expected {blank.dtype} {blank.shape}: fit it anew",
            )
        setattr(part, state, stored.astype(blank.dtype, order="C") if isinstance(fresh, np.ndarray) else stored.item())


def _states(part: Any) -> list[str]:
    return [field.name for field in fields(part) if not field.init]
