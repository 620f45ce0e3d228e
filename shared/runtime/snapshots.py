"""Snapshots: the state of a task with the offsets up to which it has folded its topics, so that a start is fast.

A state has parts, and a snapshot writes those that have changed. Its file holds them one after the other, each as the
bytes of its arrays behind a line that says what they are, and ends with an index in JSON: whose state it is, and for
every part the file that holds it, where, and its checksum. The index has a checksum of its own. A file is written
beside its place, synced and renamed, so that one under its name is whole; whatever else is found there (a torn disk,
another cluster's state, a newer program's) is refused, and the state is rebuilt from the topics, which hold the truth.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import fsspec
import numpy as np
import orjson
from fsspec.implementations.local import LocalFileSystem

from shared.runtime.failpoints import failpoint
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from typing import BinaryIO

    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]

__all__ = [
    "AbandonedError",
    "Block",
    "Draft",
    "Feed",
    "PartsLostError",
    "Reason",
    "Snapshot",
    "SnapshotRefused",
    "Snapshots",
    "packed",
]

FORMAT = 3
KEPT = 2
NUMBERED = re.compile(r"(\d{12,})\.snapshot", re.ASCII)
BESIDE = ".part"
ALIGNED = 8  # bytes: what NumPy reads fastest
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


class AbandonedError(Exception):
    """The state has gone on before all of its parts were copied: what was written of them is removed."""


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
        Each part that is to be written, by name, `packed`; written as they come.
    before
        The snapshot that holds all other parts, None where there is none.
    unchanged
        The names of these parts.
    """

    offsets: Mapping[tuple[str, int], int]
    identity: Mapping[str, str]
    changed: Iterable[tuple[str, bytes]]
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


def packed(arrays: Arrays) -> bytes:
    """Return arrays as bytes: a line of JSON with name, type and shape of each, then the values of one after the other.

    Each begins at a multiple of eight bytes. Raises ``ValueError`` where one holds objects.
    """
    line = orjson.dumps([[name, array.dtype.str, array.shape] for name, array in arrays.items()]) + b"\n"
    pieces: list[Any] = [line, _padding(len(line))]
    for name, array in arrays.items():
        if array.dtype.hasobject:
            raise ValueError(f"{name} holds objects, which cannot be kept")
        pieces += (np.ascontiguousarray(array), _padding(array.nbytes))
    return b"".join(pieces)


def _padding(size: int) -> bytes:
    return bytes(-size % ALIGNED)


def _unpacked(raw: bytearray) -> dict[str, NDArray[Any]]:
    """Return the arrays of which `packed` has made these bytes; they share them."""
    start = raw.index(b"\n") + 1
    arrays: dict[str, NDArray[Any]] = {}
    for name, kind, shape in orjson.loads(raw[:start]):
        start += -start % ALIGNED
        array: NDArray[Any] = np.frombuffer(raw, kind, prod(shape), start).reshape(shape)  # refuses objects
        arrays[str(name)] = array
        start += array.nbytes
    return arrays


class Feed:
    """The parts of a draft on their way from who copies them to who writes them, in another thread.

    What is written is forgotten, so that a copy of many parts takes the memory of a few.
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[str, bytes] | type[StopIteration | AbandonedError]] = SimpleQueue()

    def put(self, name: str, part: bytes) -> None:
        """Hand a part over."""
        self._queue.put((name, part))

    def end(self) -> None:
        """Let the snapshot be complete with the parts so far."""
        self._queue.put(StopIteration)

    def abandon(self) -> None:
        """Let there be no snapshot; whoever writes it has `AbandonedError` raised."""
        self._queue.put(AbandonedError)

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """Yield each part as soon as it is there."""
        while isinstance(part := self._queue.get(), tuple):
            yield part
        if part is AbandonedError:
            raise AbandonedError


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
                        found[name] = _checked(name, block, _part_of(file, block))
        return found

    def _raw(self, block: Block) -> bytearray:
        with self._fs.open(f"{self._folder}/{_name(block.file)}", "rb") as file:
            return _part_of(file, block)

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
        ``PartsLostError`` where it has to be written whole, and ``AbandonedError`` where there is none to be; then
        those that are there stay.
        """
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
            for name, part in draft.changed:
                file.write(part)
                parts[name] = Block(number, start, len(part), hashlib.sha256(part).hexdigest())
                start += len(part)
            for name, block in _stragglers(parts, files).items():
                file.write(self._raw(block))
                parts[name] = Block(number, start, block.length, block.sha256)
                start += block.length
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
    except (AbandonedError, OSError, SnapshotRefused):
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _name(number: int) -> str:
    return f"{number:012d}.snapshot"


def _part_of(file: BinaryIO, block: Block) -> bytearray:
    raw = bytearray(block.length)
    file.seek(block.start)
    del raw[file.readinto(raw) :]  # type: ignore[attr-defined]  # the files of `fsspec` have it
    return raw


def _stragglers(parts: Mapping[str, Block], files: Mapping[int, int]) -> dict[str, Block]:
    """Return the parts that stand in files most of which is out of date: written again, they leave these to go."""
    current = dict.fromkeys(files, 0)
    for block in parts.values():
        if block.file in current:
            current[block.file] += block.length
    return {
        name: block
        for name, block in parts.items()
        if 2 * current.get(block.file, block.length) < files.get(block.file, 0)
    }


def _checked(name: str, block: Block, raw: bytearray) -> dict[str, NDArray[Any]]:
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
