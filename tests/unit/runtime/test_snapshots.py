"""Snapshots: what has changed is written, all comes back to the bit, what is not ours is refused with its reason."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from shared.runtime import snapshots
from shared.runtime.failpoints import VARIABLE
from shared.runtime.settings import Refused
from shared.runtime.snapshots import (
    AbandonedError,
    Draft,
    Feed,
    PartsLostError,
    Snapshot,
    SnapshotRefused,
    Snapshots,
    packed,
)
from tests.unit.states import assert_same

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

IDENTITY = {"cluster": "one", "group": "forecaster"}
ARRAYS = {"history.series": np.array([1.0, np.nan, -0.0]), "step": np.array(7), "label": np.array("zone-demand/3")}
SITES = ("north", "south", "tetouan")


def draft(offset: int = 5) -> Draft:
    """Return a small state at this offset."""
    return Draft({("readings.clean.v1", 2): offset}, IDENTITY, [("tetouan", packed(ARRAYS)), ("/none", packed({}))])


def state(site: str, offset: int) -> dict[str, NDArray[np.int64]]:
    """Return the arrays of a site that has last changed at this offset."""
    return {"name": np.array(site), "changed": np.full(100, offset)}


def following(before: Snapshot | None, offset: int, *changed: str) -> Draft:
    """Return the state of three sites at this offset, of which these have changed since."""
    unchanged = set(SITES) - set(changed)
    parts = [(site, packed(state(site, offset))) for site in changed]
    return Draft({("readings.clean.v1", 2): offset}, IDENTITY, parts, before, unchanged)


def offsets(store: Snapshots) -> list[int]:
    """Return the offset of each snapshot, the newest first."""
    return [store.read(name).offsets["readings.clean.v1", 2] for name in store.names()]


def test_what_is_written_comes_back_to_the_bit(tmp_path: Path) -> None:
    """Offsets, identity, shapes, types and the very bytes of each array; an empty part, too."""
    store = Snapshots(str(tmp_path), "forecaster")
    saved, size = store.save(draft())
    (name,) = store.names()
    assert size == (tmp_path / "forecaster" / name).stat().st_size
    found = store.read(name)
    assert found == saved
    assert (found.offsets, found.identity) == (draft().offsets, IDENTITY)
    parts = store.parts(found)
    assert parts.keys() == {"tetouan", "/none"}
    assert parts["/none"] == {}
    assert_same(parts["tetouan"], ARRAYS)


def test_what_is_read_can_be_written_to(tmp_path: Path) -> None:
    """A core may take an array over as it is."""
    store = Snapshots(str(tmp_path), "forecaster")
    saved, _ = store.save(draft())
    assert all(array.flags.writeable for array in store.parts(saved)["tetouan"].values())


def test_the_last_two_are_kept_newest_first(tmp_path: Path) -> None:
    """Of three the first is gone; nothing else lies in the folder."""
    store = Snapshots(str(tmp_path), "prefix.forecaster")
    for offset in (1, 2, 3):
        store.save(draft(offset))
    assert offsets(store) == [3, 2]
    assert len(list((tmp_path / "prefix.forecaster").iterdir())) == 2


@pytest.mark.parametrize("place", ["{folder}", "memory://{unique}"])
def test_what_has_changed_alone_is_written(place: str, tmp_path: Path) -> None:
    """The other parts are read from the files in which they stand, which stay as long as one of the last two needs one.

    A part that is gone is in no snapshot any more.
    """
    store = Snapshots(place.format(folder=tmp_path, unique=uuid4().hex), "forecaster")
    first, whole = store.save(following(None, 1, *SITES))
    second, size = store.save(following(first, 2, "north"))
    assert 2 * size < whole
    assert second.files.keys() == {1, 2}
    for site, offset in {"north": 2, "south": 1, "tetouan": 1}.items():
        assert_same(store.parts(second)[site], state(site, offset))
    third, _ = store.save(following(second, 3, *SITES))
    assert store.parts(second).keys() == set(SITES)
    fourth, _ = store.save(Draft(third.offsets, IDENTITY, [], third, {"north", "south"}))
    assert fourth.files.keys() == {3}
    assert store.parts(fourth).keys() == {"north", "south"}
    with pytest.raises(SnapshotRefused, match=r"00000000000[12]\.snapshot cannot be read"):
        store.parts(second)


def test_a_file_that_is_mostly_out_of_date_is_left_to_go(tmp_path: Path) -> None:
    """What of it is not, such as a site that is silent, is written again, and the state stays whole."""
    store = Snapshots(str(tmp_path), "forecaster")
    first, _ = store.save(following(None, 1, *SITES))
    second, _ = store.save(following(first, 2, "north"))
    assert second.files.keys() == {1, 2}
    third, _ = store.save(following(second, 3, "north", "south"))
    assert third.files.keys() == {3}
    for site, offset in {"north": 3, "south": 3, "tetouan": 1}.items():
        assert_same(store.parts(third)[site], state(site, offset))
    store.save(following(third, 4))
    assert len(list((tmp_path / "forecaster").iterdir())) == 2


def test_parts_are_written_as_they_come(tmp_path: Path) -> None:
    """Whoever copies them ends the snapshot, or lets there be none: then nothing is left of it."""
    store = Snapshots(str(tmp_path), "forecaster")
    for give_up in (False, True):
        feed = Feed()
        feed.put("tetouan", packed(ARRAYS))
        (feed.abandon if give_up else feed.end)()
        if give_up:
            with pytest.raises(AbandonedError):
                store.save(Draft({}, IDENTITY, feed))
        else:
            saved, _ = store.save(Draft({}, IDENTITY, feed))
            assert_same(store.parts(saved)["tetouan"], ARRAYS)
    assert len(list((tmp_path / "forecaster").iterdir())) == 1


def test_a_file_that_is_needed_and_gone_has_the_next_one_written_whole(tmp_path: Path) -> None:
    """Another process that had the partition meanwhile has forgotten it: nothing is written that could not be read."""
    store, other = Snapshots(str(tmp_path), "forecaster"), Snapshots(str(tmp_path), "forecaster")
    mine, _ = store.save(following(None, 1, *SITES))
    for offset in (2, 3):
        other.save(following(None, offset, *SITES))
    with pytest.raises(PartsLostError, match=r"000000000001\.snapshot is gone"):
        store.save(following(mine, 4, "north"))
    assert offsets(store) == [3, 2]
    assert len(list((tmp_path / "forecaster").iterdir())) == 2


def test_somebody_elses_files_are_left_alone(tmp_path: Path) -> None:
    """A file that is no number is neither read nor removed, and saving goes on beside it, by number, not by letter."""
    store = Snapshots(str(tmp_path), "forecaster")
    store.save(draft(1))
    others = ["x.snapshot", "notes.txt", "1.snapshot", "\u0661" * 12 + ".snapshot", "000000000001.snapshot.old"]
    for name in others:
        (tmp_path / "forecaster" / name).write_bytes(b"mine")
    (tmp_path / "forecaster" / "9999999999999.snapshot").write_bytes(b"ours, and broken")
    for offset in (2, 3):
        store.save(draft(offset))
    assert offsets(store) == [3, 2]
    assert all((tmp_path / "forecaster" / name).read_bytes() == b"mine" for name in others)


def taken_up(store: Snapshots) -> None:
    """Read all of the newest snapshot."""
    store.parts(store.read(store.names()[0]))


def test_a_file_torn_anywhere_is_refused(tmp_path: Path) -> None:
    """However much of the end is missing, of the newest file or of one that holds an unchanged part of it."""
    store = Snapshots(str(tmp_path), "forecaster")
    first, _ = store.save(following(None, 1, *SITES))
    store.save(following(first, 2, "north"))
    older, newest = (tmp_path / "forecaster" / name for name in reversed(store.names()))
    for file, needed in ((newest, newest.stat().st_size), (older, first.files[1])):
        raw = file.read_bytes()
        for end in range(0, needed, 23):
            file.write_bytes(raw[:end])
            with pytest.raises(SnapshotRefused, match="damaged") as refusal:
                taken_up(store)
            assert refusal.value.reason == "torn"
        file.write_bytes(raw)
        taken_up(store)


def test_a_flipped_byte_anywhere_is_refused(tmp_path: Path) -> None:
    """In the index as in the parts: nothing of a damaged file is believed."""
    store = Snapshots(str(tmp_path), "forecaster")
    store.save(draft())
    (name,) = store.names()
    file = tmp_path / "forecaster" / name
    raw = file.read_bytes()
    for at in range(len(raw)):
        flipped = bytearray(raw)
        flipped[at] ^= 1
        file.write_bytes(flipped)
        with pytest.raises(SnapshotRefused) as refusal:
            store.parts(store.read(name))
        assert refusal.value.reason in {"torn", "format"}


@pytest.mark.parametrize("raw", [b"", b"\n", b"null", b"[]", b"{}", b"\xff\xfe", b'{"format": 2}'])
@pytest.mark.parametrize("end", [b"", b"\n%012d\n", b"\n999999999999\n"])
def test_what_nobody_wrote_is_refused(raw: bytes, end: bytes, tmp_path: Path) -> None:
    """Whatever lies under the name of a snapshot, it ends in a refusal."""
    file = tmp_path / "forecaster" / "000000000001.snapshot"
    file.parent.mkdir()
    file.write_bytes(raw + (end % len(raw) if b"%" in end else end))
    with pytest.raises(SnapshotRefused):
        taken_up(Snapshots(str(tmp_path), "forecaster"))


def indexed(**changes: object) -> bytes:
    """Return a whole index of which this is another."""
    line = Snapshot({("in", 0): 1}, IDENTITY, {}, {}).to_bytes().partition(b"\n")[0]
    index = {name: value for name, value in json.loads(line).items() if name != "sha256"} | changes
    return json.dumps({**index, "sha256": snapshots._checksum(index)}).encode()  # noqa: SLF001 - nobody writes such a file


@pytest.mark.parametrize(
    ("changes", "reason", "why"),
    [
        ({"format": 2}, "format", "format 2, this program reads 3"),
        ({"identity": 7}, "torn", "something else than a state"),
        ({"offsets": [["in", 0]]}, "torn", "something else than a state"),
        ({"parts": {"tetouan": [1, 2]}}, "torn", "something else than a state"),
        ({"files": 7}, "torn", "something else than a state"),
    ],
)
def test_an_index_of_something_else_is_refused(changes: dict[str, object], reason: str, why: str) -> None:
    """Whole, and of no use: the state is rebuilt, the start goes on."""
    Snapshot.of_index(indexed())
    with pytest.raises(SnapshotRefused, match=why) as refusal:
        Snapshot.of_index(indexed(**changes))
    assert refusal.value.reason == reason


def test_a_file_of_the_first_format_is_refused_by_its_number(tmp_path: Path) -> None:
    """It has its index at the beginning: the line says which format it has and which one this program reads."""
    file = tmp_path / "forecaster" / "000000000001.snapshot"
    file.parent.mkdir()
    file.write_bytes(b'{"format": 1, "identity": {}, "offsets": [], "sha256": "0"}\nPK and an archive')
    store = Snapshots(str(tmp_path), "forecaster")
    with pytest.raises(SnapshotRefused, match="format 1, this program reads 3") as refusal:
        taken_up(store)
    assert refusal.value.reason == "format"
    for offset in (2, 3):
        store.save(draft(offset))
    assert not file.exists()


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
    snapshot = Snapshot({}, IDENTITY, {}, {})
    with pytest.raises(SnapshotRefused, match=names) as refusal:
        snapshot.check_identity({**IDENTITY, **other})
    assert refusal.value.reason == "foreign"
    snapshot.check_identity(IDENTITY)


def test_objects_are_neither_written_nor_read(tmp_path: Path) -> None:
    """Nothing that would have to be unpickled comes to lie there: that is a bug, which is named."""
    with pytest.raises(ValueError, match="bad holds objects"):
        packed({"bad": np.array([object()])})
    store = Snapshots(str(tmp_path), "forecaster")
    foreign = packed({"bad": np.zeros(1, np.int64)}).replace(b"<i8", b"|O8")
    saved, _ = store.save(Draft({}, IDENTITY, [("tetouan", foreign)]))
    with pytest.raises(SnapshotRefused, match="tetouan holds something else"):
        store.parts(saved)


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a file never stands under the name of a snapshot, nor does it stay and fill a disk that is full."""
    store = Snapshots(str(tmp_path), "forecaster")
    before, _ = store.save(following(None, 5, *SITES))

    def full(_: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshots, "failpoint", full)
    with pytest.raises(OSError, match="No space left"):
        store.save(following(before, 9, "north"))
    assert offsets(store) == [5]
    assert len(list((tmp_path / "forecaster").iterdir())) == 1


def test_what_a_killed_process_has_left_is_swept_away(tmp_path: Path) -> None:
    """The part of a file that was being written, at the next start; the snapshots stay."""
    store = Snapshots(str(tmp_path), "forecaster")
    store.save(draft())
    (tmp_path / "forecaster" / "000000000002.snapshot.0123.part").write_bytes(b"half")
    store.tidy()
    assert [path.name for path in (tmp_path / "forecaster").iterdir()] == store.names()


KILLED = """
import sys
import numpy as np
from shared.runtime.snapshots import Draft, Snapshots, packed

store = Snapshots(sys.argv[1], "forecaster")
parts = [(name, packed({"state": np.arange(1000)})) for name in ("north", "south")]
before, _ = store.save(Draft({("in", 0): 1}, {}, parts))
store.save(Draft({("in", 0): 2}, {}, [("south", packed({"state": np.zeros(1000)}))], before, {"north"}))
"""


def test_killed_in_the_middle_of_a_snapshot_the_one_before_is_whole(tmp_path: Path) -> None:
    """What was half written has another name, and goes with the next start."""
    env = {**os.environ, VARIABLE: "in_snapshot:2"}
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    assert subprocess.run(command, env=env, check=False).returncode == -signal.SIGKILL
    assert len(list((tmp_path / "forecaster").iterdir())) == 2
    store = Snapshots(str(tmp_path), "forecaster")
    (name,) = store.names()
    store.tidy()
    assert [path.name for path in (tmp_path / "forecaster").iterdir()] == [name]
    parts = store.parts(store.read(name))
    assert {part: int(state["state"].sum()) for part, state in parts.items()} == {"north": 499500, "south": 499500}


def test_whatever_goes_wrong_at_a_place_is_an_error_of_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """Object stores have errors of their own: for whoever keeps snapshots they all are one that passes."""
    store = Snapshots(f"memory://{uuid4().hex}", "forecaster")
    store.save(draft())

    def unreachable(*_: object, **__: object) -> None:
        raise RuntimeError("EndpointConnectionError")

    for name in ("ls", "mv", "open", "rm_file"):
        monkeypatch.setattr(MemoryFileSystem, name, unreachable)
    for broken in (store.names, store.tidy, lambda: store.save(draft())):
        with pytest.raises(OSError, match="RuntimeError: EndpointConnectionError"):
            broken()
    with pytest.raises(SnapshotRefused, match="EndpointConnectionError"):
        store.read("000000000001.snapshot")


def test_any_place_of_fsspec_will_do() -> None:
    """Two are kept there as well, and read back."""
    store = Snapshots(f"memory://{uuid4().hex}", "forecaster")
    assert store.names() == []
    for offset in (1, 2, 3):
        store.save(draft(offset))
    assert offsets(store) == [3, 2]


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
