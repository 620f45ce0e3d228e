"""Output files: each appears whole or not at all, and a path that cannot be written is refused before the work."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["output_file", "output_folder", "picture_file", "require_different", "whole", "whole_files"]

DRAFT_PREFIX = ".tetouan-draft-"
DEVICE_FOLDERS = (Path("/dev"), Path("/dev/fd"))


def output_file(text: str) -> Path:
    """Return the path of a file that can be written; nothing is made or changed yet.

    Raises ``typer.BadParameter`` where it cannot.
    """
    try:
        file = Path(text).expanduser()
        if file.is_dir():
            raise typer.BadParameter(f"{text!r} is a folder: name a file in it")
        _probe(file)
    except (OSError, RuntimeError) as error:  # the latter where a home folder is not known
        raise typer.BadParameter(f"cannot write {text!r} ({_why(error)}): name another file") from None
    return file


def picture_file(text: str) -> Path:
    """Return the path of a picture that can be written; raises ``typer.BadParameter`` where it is no SVG, or cannot."""
    if Path(text).suffix.lower() != ".svg" and not _is_device(Path(text)):
        raise typer.BadParameter(f"{text!r}: the picture is an SVG: name a file that ends in .svg")
    return output_file(text)


def output_folder(text: str) -> Path:
    """Return the path of a folder that files can be written to, or that can be made; nothing is made yet.

    Raises ``typer.BadParameter`` where it cannot.
    """
    try:
        folder = Path(text).expanduser()
        TemporaryDirectory(dir=_existing(folder), prefix=DRAFT_PREFIX).cleanup()
    except (OSError, RuntimeError) as error:  # see above
        raise typer.BadParameter(f"cannot write into {text!r} ({_why(error)}): name another folder") from None
    return folder


def require_different(*files: Mapping[str, Path | None]) -> None:
    """Raise ``typer.BadParameter`` where two options, or an option and a setting, name the same file."""
    named: dict[Path, str] = {}
    for option, file in chain.from_iterable(each.items() for each in files):
        if file is None or _is_device(file):
            continue
        if other := named.get(file.expanduser().resolve()):
            raise typer.BadParameter(f"{other} and {option} both name {str(file)!r}: give each a file of its own")
        named[file.expanduser().resolve()] = option


@contextmanager
def whole(file: Path) -> Iterator[Path]:
    """Yield a path to write to, of the same name: it replaces ``file`` when the block ends without an error.

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
    with _refusing(named or folder), TemporaryDirectory(dir=_existing(folder), prefix=DRAFT_PREFIX) as drafts:
        yield Path(drafts)
        folder.mkdir(parents=True, exist_ok=True)
        for draft in sorted(Path(drafts).iterdir()):
            target = folder / draft.name
            if target.exists():
                shutil.copymode(target, draft)
            draft.replace(target)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused(f"cannot write {path} ({_why(error)}): name another place") from None


def _probe(file: Path) -> None:
    """Raise ``OSError`` where a file is read-only, or no other can be put beside it to take its place."""
    target = file.resolve()
    if _is_device(file):
        if not os.access(file, os.W_OK):
            raise PermissionError(errno.EACCES, "")
        return
    if target.exists():
        target.open("r+b").close()
    with TemporaryDirectory(dir=target.parent, prefix=DRAFT_PREFIX) as drafts:
        Path(drafts, target.name).touch()  # the file name may be invalid, for example too long


def _existing(folder: Path) -> Path:
    """Return the folder, or where it is missing the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists() or path.is_symlink())


def _is_device(file: Path) -> bool:
    """Tell whether a path is a device or a pipe, which no file can replace."""
    return file.parent in DEVICE_FOLDERS or (file.exists() and not file.is_file() and not file.is_dir())


def _why(error: OSError | RuntimeError) -> str:
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
