"""Snapshots: the state of a service with the offsets up to which it has folded its topics, so that a start is fast.

A snapshot is one file: a line of JSON that says whose state it is, then the arrays in NumPy's own format. Its checksum
covers both. It is written beside its place, synced and renamed, so that a file under its name is whole; whatever else
is found there (a torn disk, another cluster's state, a newer program's) is refused, and the state is rebuilt from the
topics, which hold the truth.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import zlib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4
from zipfile import BadZipFile

import fsspec
import numpy as np
from fsspec.implementations.local import LocalFileSystem

from shared.runtime.failpoints import failpoint
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["Reason", "Snapshot", "SnapshotRefused", "Snapshots"]

FORMAT = 1
KEPT = 2
NUMBERED = re.compile(r"(\d+)\.snapshot", re.ASCII)
BESIDE = ".part"
WRITING_S = 2.0

Reason = Literal["torn", "format", "foreign", "ahead", "unfit", "outdated", "unreadable"]
"""Damaged; of another format, cluster, group or site; beyond what is committed; nothing for the core, or no longer."""

# what json, numpy and zipfile raise on bytes that nobody wrote
_BROKEN = (AttributeError, BadZipFile, EOFError, KeyError, OSError, RuntimeError, TypeError, ValueError, zlib.error)


class SnapshotRefused(Exception):  # noqa: N818 - no error of ours: there is a way without it
    """A snapshot is not used; the message says why, ``reason`` in one word."""

    def __init__(self, reason: Reason, why: str) -> None:
        super().__init__(why)
        self.reason = reason


@dataclass(frozen=True)
class Snapshot:
    """The state of a service.

    Parameters
    ----------
    offsets
        By topic and partition, the offset of the next record to fold.
    identity
        What the state belongs to: cluster, group, topics, site.
    arrays
        The state itself by name, without objects.
    """

    offsets: Mapping[tuple[str, int], int]
    identity: Mapping[str, str]
    arrays: Mapping[str, NDArray[Any]]

    def to_bytes(self) -> bytes:
        """Return the file; raises ``ValueError`` where an array holds objects."""
        payload = BytesIO()
        np.savez(payload, allow_pickle=False, **self.arrays)
        header = {
            "format": FORMAT,
            "identity": dict(self.identity),
            "offsets": [[topic, partition, offset] for (topic, partition), offset in sorted(self.offsets.items())],
        }
        checksum = _checksum(header, payload.getvalue())
        return json.dumps({**header, "sha256": checksum}).encode() + b"\n" + payload.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Snapshot:
        """Read what :meth:`to_bytes` returned; raises ``SnapshotRefused`` where it is anything else."""
        line, _, payload = raw.partition(b"\n")
        try:
            header = json.loads(line)
            version, checksum = header["format"], header.pop("sha256")
        except _BROKEN:
            raise SnapshotRefused("torn", "it is damaged: its first line is no header") from None
        if version != FORMAT:
            raise SnapshotRefused("format", f"it has format {version!r}, this program reads {FORMAT}")
        if checksum != _checksum(header, payload):
            raise SnapshotRefused("torn", "it is damaged: its checksum is another")
        try:
            offsets = {(str(topic), int(partition)): int(offset) for topic, partition, offset in header["offsets"]}
            identity = {str(name): value for name, value in header["identity"].items()}
            with np.load(BytesIO(payload), allow_pickle=False) as stored:
                return cls(offsets, identity, {name: stored[name] for name in stored.files})
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


def _checksum(header: Mapping[str, object], payload: bytes) -> str:
    return hashlib.sha256(json.dumps(header, sort_keys=True).encode() + b"\n" + payload).hexdigest()


class Snapshots:
    """The last two snapshots of one consumer group, in a folder or any other place that ``fsspec`` knows.

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
        """Return the names of the snapshots, the newest first; raises ``OSError`` where the place does not answer.

        A file of any other name is somebody else's: it is neither read nor removed.
        """
        return sorted((name for name in self._listed() if NUMBERED.fullmatch(name)), key=_number, reverse=True)

    def read(self, name: str) -> Snapshot:
        """Return a snapshot; raises ``SnapshotRefused`` where it cannot be read, is damaged or of another format."""
        try:
            with _answering():
                raw = self._fs.cat_file(f"{self._folder}/{name}")
        except OSError as error:
            raise SnapshotRefused("unreadable", f"it cannot be read ({error})") from error
        return Snapshot.from_bytes(raw)

    def save(self, snapshot: Snapshot) -> int:
        """Write a snapshot as the newest and forget all but the last two; returns its size in bytes.

        Raises ``OSError`` where it cannot be written; then those that are there stay.
        """
        with self._alone():
            raw = snapshot.to_bytes()
            with _answering():
                self._save(raw)
        return len(raw)

    def _save(self, raw: bytes) -> None:
        self._fs.makedirs(self._folder, exist_ok=True)
        names = self.names()
        number = 1 + (_number(names[0]) if names else 0)
        self._write(f"{number:012d}.snapshot", raw)
        for name in names[KEPT - 1 :]:
            self._forget(name)

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

    def _listed(self) -> list[str]:
        self._fs.invalidate_cache()
        with suppress(FileNotFoundError), _answering():
            return [str(path).rsplit("/", 1)[-1] for path in self._fs.ls(self._folder, detail=False)]
        return []

    def _write(self, name: str, raw: bytes) -> None:
        beside = f"{name}.{uuid4().hex}{BESIDE}"
        try:
            self._write_beside(f"{self._folder}/{beside}", raw)
            self._fs.mv(f"{self._folder}/{beside}", f"{self._folder}/{name}")
        except Exception:
            with suppress(OSError):  # a full disk must not be filled any further
                self._forget(beside)
            raise
        if self._local:
            _sync_folder(Path(self._folder))

    def _write_beside(self, path: str, raw: bytes) -> None:
        half = len(raw) // 2
        with self._fs.open(path, "wb") as file:
            file.write(raw[:half])
            failpoint("in_snapshot")
            file.write(raw[half:])
            if self._local:
                file.flush()
                os.fsync(file.fileno())

    def _forget(self, name: str) -> None:
        with suppress(FileNotFoundError), _answering():  # another replica was faster
            self._fs.rm_file(f"{self._folder}/{name}")


@contextmanager
def _answering() -> Iterator[None]:
    """Raise ``OSError`` whatever goes wrong: each kind of place has errors of its own."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(f"{type(error).__name__}: {error}") from error


def _number(name: str) -> int:
    return int(name.partition(".")[0])


def _sync_folder(folder: Path) -> None:
    """Make the rename last: the name stands in the folder, not in the file."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
