"""Snapshots: what is written comes back to the bit, the last two are kept, and all else is refused with its reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from shared.runtime import snapshots
from shared.runtime.settings import Refused
from shared.runtime.snapshots import Snapshot, SnapshotRefused, Snapshots

if TYPE_CHECKING:
    from pathlib import Path

IDENTITY = {"cluster": "one", "group": "forecaster", "site": "tetouan"}
ARRAYS = {"history.series": np.array([1.0, np.nan, -0.0]), "step": np.array(7), "label": np.array("zone-demand/3")}


def taken(offset: int = 5) -> Snapshot:
    """Return a small snapshot at this offset."""
    return Snapshot({("readings.clean.v1", 2): offset}, IDENTITY, ARRAYS)


def test_what_is_written_comes_back_to_the_bit(tmp_path: Path) -> None:
    """Offsets, identity, shapes, types and the very bytes of each array."""
    store = Snapshots(str(tmp_path), "forecaster")
    assert store.save(taken()) == len(taken().to_bytes())
    (name,) = store.names()
    found = store.read(name)
    assert (found.offsets, found.identity) == (taken().offsets, IDENTITY)
    assert {key: (a.dtype, a.shape, a.tobytes()) for key, a in found.arrays.items()} == {
        key: (a.dtype, a.shape, a.tobytes()) for key, a in ARRAYS.items()
    }


def test_the_last_two_are_kept_newest_first(tmp_path: Path) -> None:
    """Of three the first is gone; nothing else lies in the folder."""
    store = Snapshots(str(tmp_path), "prefix.forecaster")
    for offset in (1, 2, 3):
        store.save(taken(offset))
    assert [store.read(name).offsets["readings.clean.v1", 2] for name in store.names()] == [3, 2]
    assert len(list((tmp_path / "prefix.forecaster").iterdir())) == 2


def test_somebody_elses_files_are_left_alone(tmp_path: Path) -> None:
    """A file that is no number is neither read nor removed, and saving goes on beside it, by number, not by letter."""
    store = Snapshots(str(tmp_path), "forecaster")
    store.save(taken(1))
    others = ["x.snapshot", "notes.txt", "\u0661.snapshot", "1.snapshot.old"]
    for name in others:
        (tmp_path / "forecaster" / name).write_bytes(b"mine")
    (tmp_path / "forecaster" / "9999999999999.snapshot").write_bytes(b"ours, and broken")
    for offset in (2, 3):
        store.save(taken(offset))
    assert [store.read(name).offsets["readings.clean.v1", 2] for name in store.names()] == [3, 2]
    assert all((tmp_path / "forecaster" / name).read_bytes() == b"mine" for name in others)


def test_a_file_torn_anywhere_is_refused() -> None:
    """However much of the end is missing."""
    raw = taken().to_bytes()
    for end in range(len(raw)):
        with pytest.raises(SnapshotRefused, match="damaged") as refusal:
            Snapshot.from_bytes(raw[:end])
        assert refusal.value.reason == "torn"


def test_a_flipped_byte_anywhere_is_refused() -> None:
    """In the header as in the arrays: nothing of a damaged file is believed."""
    raw = taken().to_bytes()
    for at in range(len(raw)):
        flipped = bytearray(raw)
        flipped[at] ^= 1
        with pytest.raises(SnapshotRefused) as refusal:
            Snapshot.from_bytes(bytes(flipped))
        assert refusal.value.reason in {"torn", "format"}


@pytest.mark.parametrize("raw", [b"", b"\n", b"null\n", b"[]\n", b"{}\n", b"\xff\xfe\n", b'{"format": 1}\n'])
def test_what_nobody_wrote_is_refused(raw: bytes) -> None:
    """Whatever lies under the name of a snapshot, it ends in a refusal."""
    with pytest.raises(SnapshotRefused):
        Snapshot.from_bytes(raw)


def test_a_newer_format_is_refused_by_its_number() -> None:
    """The line says which format it has and which one this program reads."""
    line, _, payload = taken().to_bytes().partition(b"\n")
    newer = json.dumps({**json.loads(line), "format": 2}).encode() + b"\n" + payload
    with pytest.raises(SnapshotRefused, match="format 2, this program reads 1") as refusal:
        Snapshot.from_bytes(newer)
    assert refusal.value.reason == "format"


def test_an_identity_that_is_none_is_refused() -> None:
    """Whole, and of no use: the state is rebuilt, the start goes on."""
    header, payload = {"format": 1, "identity": 7, "offsets": []}, b""
    whole = json.dumps({**header, "sha256": snapshots._checksum(header, payload)}).encode() + b"\n"  # noqa: SLF001 - nobody writes such a file
    with pytest.raises(SnapshotRefused, match="something else than a state"):
        Snapshot.from_bytes(whole)


@pytest.mark.parametrize(
    ("other", "names"),
    [
        ({"cluster": "two"}, "cluster 'one', this is cluster 'two'"),
        ({"group": "monitor"}, "group 'forecaster', this is group 'monitor'"),
        ({"zone 2": "zone-demand/4"}, "zone 2 None, this is zone 2 'zone-demand/4'"),
    ],
)
def test_a_foreign_state_is_refused_by_what_differs(other: dict[str, str], names: str) -> None:
    """Another cluster, group or model, or one more: each is named."""
    with pytest.raises(SnapshotRefused, match=names) as refusal:
        taken().check_identity({**IDENTITY, **other})
    assert refusal.value.reason == "foreign"
    taken().check_identity(IDENTITY)


def test_objects_are_not_written(tmp_path: Path) -> None:
    """Nothing that would have to be unpickled comes to lie there."""
    store = Snapshots(str(tmp_path), "forecaster")
    with pytest.raises(ValueError, match="allow_pickle"):
        store.save(Snapshot({}, IDENTITY, {"bad": np.array([object()])}))
    assert store.names() == []


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a file never stands under the name of a snapshot, nor does it stay and fill a disk that is full."""
    store = Snapshots(str(tmp_path), "forecaster")
    store.save(taken())

    def full(_: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshots, "failpoint", full)
    with pytest.raises(OSError, match="No space left"):
        store.save(taken(9))
    assert [store.read(name).offsets["readings.clean.v1", 2] for name in store.names()] == [5]
    assert len(list((tmp_path / "forecaster").iterdir())) == 1


def test_what_a_killed_process_has_left_is_swept_away(tmp_path: Path) -> None:
    """The part of a file that was being written, at the next start; the snapshots stay."""
    store = Snapshots(str(tmp_path), "forecaster")
    store.save(taken())
    (tmp_path / "forecaster" / "000000000002.snapshot.0123.part").write_bytes(b"half")
    store.tidy()
    assert [path.name for path in (tmp_path / "forecaster").iterdir()] == store.names()


def test_whatever_goes_wrong_at_a_place_is_an_error_of_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Object stores have errors of their own: for whoever keeps snapshots they all are one that passes."""
    store = Snapshots(f"memory://{uuid4().hex}", "forecaster")
    store.save(taken())

    def unreachable(*_: object, **__: object) -> None:
        raise RuntimeError("EndpointConnectionError")

    for name in ("ls", "cat_file", "mv", "open", "rm_file"):
        monkeypatch.setattr(MemoryFileSystem, name, unreachable)
    for broken in (store.names, store.tidy, lambda: store.save(taken())):
        with pytest.raises(OSError, match="RuntimeError: EndpointConnectionError"):
            broken()
    with pytest.raises(SnapshotRefused, match="EndpointConnectionError"):
        store.read("000000000001.snapshot")


def test_any_place_of_fsspec_will_do() -> None:
    """Two are kept there as well, and read back."""
    store = Snapshots(f"memory://{uuid4().hex}", "forecaster")
    assert store.names() == []
    for offset in (1, 2, 3):
        store.save(taken(offset))
    assert [store.read(name).offsets["readings.clean.v1", 2] for name in store.names()] == [3, 2]


def test_a_place_of_an_unknown_kind_is_one_line() -> None:
    """It names the setting, the value and what to do."""
    with pytest.raises(Refused, match=r"TETOUAN_SNAPSHOTS='pigeon://loft' cannot be used .*name a folder"):
        Snapshots("pigeon://loft", "forecaster")


def test_a_snapshot_that_vanishes_is_refused(tmp_path: Path) -> None:
    """Another replica may have forgotten it in the meantime."""
    with pytest.raises(SnapshotRefused) as refusal:
        Snapshots(str(tmp_path), "forecaster").read("000000000001.snapshot")
    assert refusal.value.reason == "unreadable"


def test_a_place_that_is_no_folder_stops_the_start(tmp_path: Path) -> None:
    """With the setting and what to do."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Refused, match=r"TETOUAN_SNAPSHOTS='.*file' is no folder: name one"):
        Snapshots(str(tmp_path / "file"), "group")
