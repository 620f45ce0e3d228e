"""Output files: each appears whole or not at all, and a place that cannot be written is refused before the work."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["output_file", "output_folder", "require_different", "whole", "whole_files"]

DRAFTS = ".tetouan-draft-"
DEVICES = (Path("/dev"), Path("/dev/fd"))


def output_file(text: str) -> Path:
    """Return the path of a file that can be written; nothing is made or changed yet.

    Raises ``typer.BadParameter`` where it cannot.
    """
    file = Path(text).expanduser()
    try:
        if file.is_dir():
            raise typer.BadParameter(f"{text!r} is a folder: name a file in it")
        _probe(file)
    except OSError as error:
        raise typer.BadParameter(f"cannot write {text!r} ({_why(error)}): name another file") from None
    return file


def output_folder(text: str) -> Path:
    """Return the path of a folder that files can be written to, or that can be made; nothing is made yet.

    Raises ``typer.BadParameter`` where it cannot.
    """
    folder = Path(text).expanduser()
    try:
        TemporaryDirectory(dir=_existing(folder), prefix=DRAFTS).cleanup()
    except OSError as error:
        raise typer.BadParameter(f"cannot write into {text!r} ({_why(error)}): name another folder") from None
    return folder


def require_different(files: Mapping[str, Path | None]) -> None:
    """Raise ``typer.BadParameter`` where two options, or an option and a setting, name the same file."""
    named: dict[Path, str] = {}
    for option, file in files.items():
        if file is None or _is_device(file):
            continue
        if other := named.get(file.expanduser().resolve()):
            raise typer.BadParameter(f"{other} and {option} both name {str(file)!r}: give each a file of its own")
        named[file.expanduser().resolve()] = option


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """Yield where to write a file of that name; it takes the place of ``file`` when the block ends without an error.

    A block that writes nothing leaves ``file`` as it was. A device such as ``/dev/stdout`` is written itself. Raises
    ``Refused`` where it cannot be written.
    """
    if _is_device(file):
        with _refusing(file):
            yield file
        return
    target = file.resolve()  # a link stays one
    with whole_files(target.parent, file) as drafts:
        yield drafts / target.name


@contextmanager
def whole_files(folder: Path, named: Path | None = None) -> Iterator[Path]:
    """Yield a folder to write files to; they move into ``folder`` when the block ends without an error.

    It is made where it is missing. Raises ``Refused``, which calls it ``named``, where it cannot be written.
    """
    with _refusing(named or folder), TemporaryDirectory(dir=_existing(folder), prefix=DRAFTS) as drafts:
        yield Path(drafts)
        folder.mkdir(parents=True, exist_ok=True)
        for draft in sorted(Path(drafts).iterdir()):
            place = folder / draft.name
            if place.exists():
                shutil.copymode(place, draft)
            draft.replace(place)


@contextmanager
def _refusing(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused(f"cannot write {place} ({_why(error)}): name another place") from None


def _probe(file: Path) -> None:
    """Raise ``OSError`` where a file is read-only, or no other can be put beside it to take its place."""
    target = file.resolve()
    if _is_device(file):
        if not os.access(file, os.W_OK):
            raise PermissionError(errno.EACCES, "")
        return
    if target.exists():
        target.open("r+b").close()
    with TemporaryDirectory(dir=target.parent, prefix=DRAFTS) as drafts:
        Path(drafts, target.name).touch()  # the name itself may be none


def _existing(folder: Path) -> Path:
    """Return the folder, or where it is missing the nearest above it that is there."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists() or place.is_symlink())


def _is_device(file: Path) -> bool:
    """Tell whether a path leads to what no other file can take the place of: a terminal, a pipe, the null device."""
    return file.parent in DEVICES or (file.exists() and not file.is_file() and not file.is_dir())


def _why(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)
