"""Snapshots: the state of a task with the offsets up to which it has folded its topics, so that a start is fast.

A state has parts, one a site, and a snapshot writes those that have changed. Its file holds them one after the other,
each as arrays in NumPy's own format, and ends with an index in JSON: whose state it is, and for every part the file
that holds it, where, and its checksum. The index has a checksum of its own. A file is written beside its place, synced
and renamed, so that one under its name is whole; whatever else is found there (a torn disk, another cluster's state, a
newer program's) is refused, and the state is rebuilt from the topics, which hold the truth.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import fsspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem
from numpy.lib import format as npy

from shared.runtime.failpoints import failpoint
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from typing import BinaryIO

    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]

__all__ = ["Block", "Draft", "PartsLostError", "Reason", "Snapshot", "SnapshotRefused", "Snapshots"]

FORMAT = 2
KEPT = 2
NUMBERED = re.compile(r"(\d{12,})\.snapshot", re.ASCII)
BESIDE = ".part"
WRITING_S = 2.0

END = re.compile(rb"\n(\d{12})\n")
END_BYTES = 14
"""The end of a file: how many bytes of index stand before it."""

FORMAT_1 = re.compile(rb'{"format": 1,')
"""How a file begins that has its index there."""

Reason = Literal["torn", "format", "foreign", "ahead", "unfit", "outdated", "unreadable"]
"""Damaged; of another format, cluster, group or site; beyond what is committed; nothing for the core, or no longer."""

# what json and numpy raise on bytes that nobody wrote
_BROKEN = (AttributeError, EOFError, IndexError, KeyError, TypeError, ValueError)


class SnapshotRefused(Exception):  # noqa: N818 - no error of ours: there is a way without it
    """A snapshot is not used; the message says why, ``reason`` in one word."""

    def __init__(self, reason: Reason, why: str) -> None:
        super().__init__(why)
        self.reason = reason


class PartsLostError(OSError):
    """A file that holds unchanged parts is gone: another process has written snapshots meanwhile."""


@dataclass(frozen=True)
class Block:
    """Where a part of a state stands: the number of its file, its first byte and its length; with its checksum."""

    file: int
    start: int
    length: int
    sha256: str


@dataclass(frozen=True)
class Draft:
    """A state that is to be written.

    Parameters
    ----------
    offsets, identity
        As of `Snapshot`.
    changed
        The arrays of each part that is to be written, by name, without objects.
    before
        The snapshot that holds all other parts, None where there is none.
    unchanged
        The names of these parts.
    """

    offsets: Mapping[tuple[str, int], int]
    identity: Mapping[str, str]
    changed: Mapping[str, Arrays]
    before: Snapshot | None = None
    unchanged: Collection[str] = ()

    @property
    def kept(self) -> dict[str, Block]:
        """Where the unchanged parts stand."""
        return {} if self.before is None else {name: self.before.parts[name] for name in self.unchanged}


@dataclass(frozen=True)
class Snapshot:
    """The index of a state.

    Parameters
    ----------
    offsets
        By topic and partition, the offset of the next record to fold.
    identity
        What the state belongs to: cluster, group, topics.
    parts
        Where each part stands.
    files
        Of each file that holds a part, how many bytes of parts were written to it.
    """

    offsets: Mapping[tuple[str, int], int]
    identity: Mapping[str, str]
    parts: Mapping[str, Block]
    files: Mapping[int, int]

    @property
    def wasteful(self) -> bool:
        """Whether more bytes of its files are out of date than are not: the next one is better written whole."""
        return sum(self.files.values()) > 2 * sum(block.length for block in self.parts.values())

    def to_bytes(self) -> bytes:
        """Return the end of the file, from the index on."""
        index = {
            "format": FORMAT,
            "identity": dict(self.identity),
            "offsets": [[topic, partition, offset] for (topic, partition), offset in sorted(self.offsets.items())],
            "parts": {name: [b.file, b.start, b.length, b.sha256] for name, b in self.parts.items()},
            "files": sorted(self.files.items()),
        }
        line = json.dumps({**index, "sha256": _checksum(index)}).encode()
        return line + b"\n%012d\n" % len(line)

    @classmethod
    def of_index(cls, line: bytes) -> Snapshot:
        """Read an index; raises ``SnapshotRefused`` where it is anything else."""
        try:
            index = json.loads(line) if line.startswith(b"{") else {}
            version, checksum = index["format"], index.pop("sha256")
        except _BROKEN:
            raise SnapshotRefused("torn", "it is damaged: its end is no index") from None
        if version != FORMAT:
            raise SnapshotRefused("format", _other_format(version))
        if checksum != _checksum(index):
            raise SnapshotRefused("torn", "it is damaged: the checksum of its index is another")
        try:
            offsets = {(str(topic), int(partition)): int(offset) for topic, partition, offset in index["offsets"]}
            identity = {str(name): value for name, value in index["identity"].items()}
            parts = {
                str(name): Block(int(file), int(start), int(length), str(checksum))
                for name, (file, start, length, checksum) in index["parts"].items()
            }
            return cls(offsets, identity, parts, {int(number): int(size) for number, size in index["files"]})
        except _BROKEN as error:
            raise SnapshotRefused("torn", f"it holds something else than a state ({error})") from error

    def check_identity(self, identity: Mapping[str, str]) -> None:
        """Raise ``SnapshotRefused`` where the state belongs to something else."""
        odd = sorted(name for name in identity.keys() | self.identity if identity.get(name) != self.identity.get(name))
        if odd:
            name = odd[0]
            raise SnapshotRefused(
                "foreign", f"it is of {name} {self.identity.get(name)!r}, this is {name} {identity.get(name)!r}"
            )


def _checksum(index: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(index, sort_keys=True).encode()).hexdigest()


def _other_format(version: object) -> str:
    return f"it has format {version}, this program reads {FORMAT}"


def _packed(arrays: Arrays) -> memoryview:
    """Return arrays as bytes: their names, then each in its turn.

    An archive, such as ``np.savez`` writes, takes three times as long for arrays as small as most are.
    """
    packed = BytesIO()
    npy.write_array(packed, np.array(list(arrays), np.str_), allow_pickle=False)
    for array in arrays.values():
        npy.write_array(packed, array, allow_pickle=False)
    return packed.getbuffer()


def _unpacked(raw: bytes) -> dict[str, NDArray[Any]]:
    packed = BytesIO(raw)
    names = npy.read_array(packed, allow_pickle=False).tolist()
    return {str(name): npy.read_array(packed, allow_pickle=False) for name in names}


class Snapshots:
    """The last two snapshots of one task, in a folder or any other place that ``fsspec`` knows.

    Raises
    ------
    Refused
        If the place is of a kind that is not installed or does not exist.
    """

    def __init__(self, place: str, group: str) -> None:
        try:
            self._fs, root = fsspec.url_to_fs(place)
        except (ImportError, ValueError) as error:
            raise Refused(
                f"TETOUAN_SNAPSHOTS={place!r} cannot be used ({error}): install what it needs, or name a folder"
            ) from error
        self._local = isinstance(self._fs, LocalFileSystem)
        if self._local and Path(root).exists() and not Path(root).is_dir():
            raise Refused(f"TETOUAN_SNAPSHOTS={place!r} is no folder: name one")
        self._folder = f"{str(root).rstrip('/')}/{group}"
        self._writing = Lock()

    @property
    def place(self) -> str:
        """Where they lie."""
        return self._folder

    def names(self) -> list[str]:
        """Return the names of the last two, the newest first; raises ``OSError`` where the place does not answer.

        A file of any other name is somebody else's: it is neither read nor removed.
        """
        return [_name(number) for number in sorted(self._numbers(), reverse=True)[:KEPT]]

    def read(self, name: str) -> Snapshot:
        """Return a snapshot; raises ``SnapshotRefused`` where it cannot be read, is damaged or of another format."""
        with self._readable(name) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - END_BYTES))
            end = END.fullmatch(file.read(END_BYTES))
            length = min(int(end[1]), size) if end else 0
            file.seek(max(0, size - END_BYTES - length))
            line = file.read(length)
            file.seek(0)
            begin = FORMAT_1.match(file.read(END_BYTES))
        if end is None and begin is not None:
            raise SnapshotRefused("format", _other_format(1))
        return Snapshot.of_index(line)

    def parts(self, snapshot: Snapshot) -> dict[str, dict[str, NDArray[Any]]]:
        """Return the arrays of each part; raises ``SnapshotRefused`` where one of them is gone or damaged."""
        found: dict[str, dict[str, NDArray[Any]]] = {}
        for number in snapshot.files:
            with self._readable(_name(number)) as file:
                for name, block in snapshot.parts.items():
                    if block.file == number:
                        file.seek(block.start)
                        found[name] = _checked(name, block, file.read(block.length))
        return found

    @contextmanager
    def _readable(self, name: str) -> Iterator[BinaryIO]:
        try:
            with _answering(), self._fs.open(f"{self._folder}/{name}", "rb") as file:
                yield file
        except OSError as error:
            raise SnapshotRefused("unreadable", f"{name} cannot be read ({error})") from error

    def save(self, draft: Draft) -> tuple[Snapshot, int]:
        """Write a snapshot as the newest, and forget all files that the last two do not need.

        Returns it, and how many bytes were written. Raises ``OSError`` where it cannot be written, of which
        ``PartsLostError`` where it has to be written whole; then those that are there stay. Raises ``ValueError`` where
        an array holds objects.
        """
        for part, arrays in draft.changed.items():
            for name, array in arrays.items():
                if array.dtype.hasobject:
                    raise ValueError(f"{part}: {name} holds objects, which cannot be kept")
        with self._alone(), _answering():
            return self._save(draft)

    def _save(self, draft: Draft) -> tuple[Snapshot, int]:
        self._fs.makedirs(self._folder, exist_ok=True)
        present = self._numbers()
        if lost := {block.file for block in draft.kept.values()} - present:
            raise PartsLostError(f"{_name(min(lost))} is gone, which holds parts of the state: the next one is whole")
        before = max(present, default=None)
        snapshot, size = self._write(1 + (before or 0), draft)
        needed = set(snapshot.files) if before is None else snapshot.files.keys() | self._needed_by(before)
        for number in present - needed:
            self._forget(_name(number))
        return snapshot, size

    def _needed_by(self, number: int) -> set[int]:
        """Return the files that a snapshot needs, itself among them; of a damaged one nothing else."""
        try:
            return {number, *self.read(_name(number)).files}
        except SnapshotRefused as refusal:
            return self._numbers() if refusal.reason == "unreadable" else {number}

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Write one at a time: where a place is silent, what waits to be written must not fill the memory."""
        if not self._writing.acquire(timeout=WRITING_S):
            raise OSError("the last one is still being written")
        try:
            yield
        finally:
            self._writing.release()

    def tidy(self) -> None:
        """Remove what a process that was killed has left half written; raises ``OSError`` where that cannot be."""
        for name in self._listed():
            if name.endswith(BESIDE):
                self._forget(name)

    def _numbers(self) -> set[int]:
        """Return the numbers of all files that are ours."""
        return {int(match[1]) for name in self._listed() if (match := NUMBERED.fullmatch(name))}

    def _listed(self) -> list[str]:
        self._fs.invalidate_cache()
        with suppress(FileNotFoundError), _answering():
            return [str(path).rsplit("/", 1)[-1] for path in self._fs.ls(self._folder, detail=False)]
        return []

    def _write(self, number: int, draft: Draft) -> tuple[Snapshot, int]:
        name = _name(number)
        beside = f"{name}.{uuid4().hex}{BESIDE}"
        try:
            written = self._write_beside(f"{self._folder}/{beside}", number, draft)
            self._fs.mv(f"{self._folder}/{beside}", f"{self._folder}/{name}")
        except Exception:
            with suppress(OSError):  # a full disk must not be filled any further
                self._forget(beside)
            raise
        if self._local:
            _sync_folder(Path(self._folder))
        return written

    def _write_beside(self, path: str, number: int, draft: Draft) -> tuple[Snapshot, int]:
        parts, files, start = draft.kept, {} if draft.before is None else draft.before.files, 0
        with self._fs.open(path, "wb") as file:
            for name, arrays in draft.changed.items():
                block = _packed(arrays)
                file.write(block)
                parts[name] = Block(number, start, len(block), hashlib.sha256(block).hexdigest())
                start += len(block)
            failpoint("in_snapshot")
            sizes = {**files, number: start}
            named = sorted({block.file for block in parts.values()})
            snapshot = Snapshot(draft.offsets, draft.identity, parts, {file: sizes[file] for file in named})
            end = snapshot.to_bytes()
            file.write(end)
            if self._local:
                file.flush()
                os.fsync(file.fileno())
        return snapshot, start + len(end)

    def _forget(self, name: str) -> None:
        with suppress(FileNotFoundError), _answering():  # another replica was faster
            self._fs.rm_file(f"{self._folder}/{name}")


@contextmanager
def _answering() -> Iterator[None]:
    """Raise ``OSError`` whatever goes wrong: each kind of place has errors of its own."""
    try:
        yield
    except (OSError, SnapshotRefused):
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _name(number: int) -> str:
    return f"{number:012d}.snapshot"


def _checked(name: str, block: Block, raw: bytes) -> dict[str, NDArray[Any]]:
    if hashlib.sha256(raw).hexdigest() != block.sha256:
        raise SnapshotRefused("torn", f"it is damaged: the checksum of {name} in {_name(block.file)} is another")
    try:
        return _unpacked(raw)
    except _BROKEN as error:
        raise SnapshotRefused("torn", f"{name} holds something else than a state ({error})") from error


def _sync_folder(folder: Path) -> None:
    """Make the rename last: the name stands in the folder, not in the file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
