"""The saved state: it comes back as it was, and nothing else passes for one."""

from __future__ import annotations

import io
import json
import pickle
import re
from datetime import date
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZipFile

import numpy as np
import pytest
from numpy.lib import format as npy

from shared.forecasting import artefact
from shared.forecasting.method import METHOD
from shared.forecasting.model import VERSION, NotFittedError, ZoneDemand
from shared.sites.calendar import Calendar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

CALENDAR = {"country": "MA", "time_zone": "UTC", "add": [], "remove": [], "ramadan": []}
OWN = Calendar(
    "MA",
    "Africa/Casablanca",
    add=(date(2017, 6, 27),),
    remove=(date(2017, 6, 25),),
    ramadan=((date(2017, 5, 27), date(2017, 6, 25)),),
)
OTHER = METHOD.changed({"regression.half_lives_days": (20.0, 200.0), "guard.refused_minutes": 240})


@pytest.fixture
def saved(synthetic: Callable[..., tuple[int, NDArray[np.float64]]], tmp_path: Path) -> Path:
    """Return the file of a fitted hourly forecaster."""
    model = ZoneDemand(calendar=OWN, step_minutes=60, horizon_steps=24, method=OTHER)
    path = tmp_path / "zone-demand.npz"
    model.fit(*synthetic(18, step_minutes=60)).save(path)
    return path


def rewritten(path: Path, **changes: Any) -> None:
    """Replace arrays of the file; None removes one."""
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files} | changes
    with path.open("wb") as file:
        np.savez(file, **{name: array for name, array in arrays.items() if array is not None})


def replaced(path: Path, member: str, content: bytes, method: int = ZIP_DEFLATED) -> None:
    """Put other bytes in the place of a member of the archive, packed by that method."""
    with ZipFile(path) as stored:
        members = {name: stored.read(name) for name in stored.namelist()} | {member: content}
    with ZipFile(path, "w", method) as archive:
        for name, held in members.items():
            archive.writestr(name, held)


def header(path: Path, **changes: Any) -> NDArray[np.uint8]:
    """Return the file's header with entries replaced."""
    with np.load(path, allow_pickle=False) as stored:
        entries = json.loads(stored["header"].tobytes()) | changes
    return np.frombuffer(json.dumps(entries).encode(), dtype=np.uint8)


def test_parameters_come_back(saved: Path) -> None:
    """Every parameter is what it was, the calendar with its dates included."""
    assert ZoneDemand.load(saved).parameters == {
        "calendar": OWN,
        "step_minutes": 60,
        "horizon_steps": 24,
        "method": OTHER,
        "floor_kw": None,
        "prior": None,
    }


def test_saving_again_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    """A file depends on the state alone, not on when or where it was written."""
    again = tmp_path / "again.npz"
    ZoneDemand.load(saved).save(again)
    assert again.read_bytes() == saved.read_bytes()


def test_the_reason_of_the_last_forecast_comes_back(saved: Path) -> None:
    """Text is part of the state."""
    model = ZoneDemand.load(saved)
    assert model.last_step is not None
    model.partial_fit(model.last_step + 1, np.nan).save(saved)
    assert ZoneDemand.load(saved).predict().reason == "the reading is missing: filled with the forecast"


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"kW\n17\n", b"\x93NUMPY\x01\x00", b"\x80\x04]\x94."])
def test_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    """What is no state is named, with what to do."""
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"other\.npz is no whole zone-demand state \(.+\): run `tetouan train`"):
        ZoneDemand.load(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_torn_file_is_refused(saved: Path, share: float) -> None:
    """A file that was cut off is named."""
    whole = saved.read_bytes()
    saved.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ValueError, match=r"zone-demand\.npz is no whole"):
        ZoneDemand.load(saved)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_flipped_bit_is_found(saved: Path, share: float) -> None:
    """One changed bit in the arrays does not pass."""
    content = bytearray(saved.read_bytes())
    content[int(share * len(content))] ^= 1
    saved.write_bytes(content)
    with pytest.raises(ValueError, match=r"zone-demand\.npz is no whole"):
        ZoneDemand.load(saved)


def test_nothing_is_unpickled(saved: Path) -> None:
    """An array of Python objects is refused by its name, not loaded."""
    rewritten(saved, **{"history.series": np.array([{"kw": 1.0}], dtype=object)})
    why = r"zone-demand\.npz is no whole .*history\.series\.npy holds Python objects: nothing is unpickled"
    with pytest.raises(ValueError, match=why):
        ZoneDemand.load(saved)


class Executed:
    """What calls a function as it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Say which one."""
        return pytest.fail, ("a file was unpickled",)


def test_a_pickle_in_the_place_of_an_array_is_refused(saved: Path) -> None:
    """Whatever its name says it is; so is a pickle in the place of the archive."""
    pickled = pickle.dumps(Executed())
    replaced(saved, "history.series.npy", pickled)
    with pytest.raises(ValueError, match=r"zone-demand\.npz is no whole .*magic string is not correct"):
        ZoneDemand.load(saved)
    saved.write_bytes(pickled)
    with pytest.raises(ValueError, match=r"zone-demand\.npz is no whole .*not a zip file"):
        ZoneDemand.load(saved)


def test_an_array_that_declares_more_than_it_holds_takes_no_room(saved: Path) -> None:
    """Ten gigabytes that are not there are refused before anything is allocated for them."""
    member = io.BytesIO()
    npy.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (10 * 2**30 // 8,)})
    replaced(saved, "history.series.npy", member.getvalue() + bytes(80))
    why = r"zone-demand\.npz is no whole .*history\.series\.npy declares 10,737,418,240 bytes and holds 80"
    with pytest.raises(ValueError, match=why):
        ZoneDemand.load(saved)


def test_an_archive_that_unpacks_to_too_much_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However small it is on the disk."""
    monkeypatch.setattr(artefact, "LARGEST_BYTES", 2**20)
    replaced(saved, "history.series.npy", bytes(2 * 2**20))
    assert saved.stat().st_size < 2**20
    with pytest.raises(
        ValueError, match=r"zone-demand\.npz is no whole .*it declares [\d,]+ bytes, where 1,048,576 are"
    ):
        ZoneDemand.load(saved)


def test_a_newer_format_asks_for_an_update(saved: Path) -> None:
    """A version that this program does not read is named."""
    rewritten(saved, header=header(saved, version=VERSION + 1))
    said = rf"zone-demand\.npz .*format version {VERSION + 1}, this program reads {VERSION}.*: run"
    with pytest.raises(ValueError, match=said):
        ZoneDemand.load(saved)


def test_another_kind_of_state_is_named(saved: Path) -> None:
    """A file of another format says which."""
    rewritten(saved, header=header(saved, format="weather-demand"))
    with pytest.raises(ValueError, match=r"zone-demand\.npz .*'weather-demand'"):
        ZoneDemand.load(saved)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"calendar": None},
        {"calendar": {"country": "ZZ", "time_zone": "UTC", "add": [], "remove": [], "ramadan": []}},
        {"calendar": {"country": "MA", "time_zone": "UTC", "add": ["soon"], "remove": [], "ramadan": []}},
        {
            "calendar": {"country": "MA", "time_zone": "UTC", "add": [], "remove": [], "ramadan": []},
            "step_minutes": "ten",
        },
        {"calendar": {"country": "MA", "time_zone": "UTC", "add": [], "remove": [], "ramadan": []}, "colour": "red"},
    ],
)
def test_parameters_that_cannot_be_used_are_refused(saved: Path, parameters: dict[str, Any]) -> None:
    """A parameter that is missing, unknown or out of range names the file."""
    rewritten(saved, header=header(saved, parameters=parameters))
    with pytest.raises(ValueError, match=r"zone-demand\.npz .*header has parameters that this program cannot use"):
        ZoneDemand.load(saved)


@pytest.mark.parametrize(
    ("constants", "names"),
    [
        ({"regression.clip_rms": None}, "lacks or adds regression.clip_rms"),
        ({"guard.colour": 1.0}, "lacks or adds guard.colour"),
        ({"guard.ratio": 0.5}, "GuardConstants.ratio is 0.5: use a number above 1"),
        ({"shift.confirm_minutes": "long"}, "ShiftConstants.confirm_minutes is 'long'"),
        ({"regression.half_lives_days": 15.0}, "RegressionConstants.half_lives_days is 15.0: use numbers above 0"),
    ],
)
def test_a_constant_that_cannot_be_used_is_named(saved: Path, constants: dict[str, Any], names: str) -> None:
    """A state whose method lacks a constant, or has another one or a wrong value, is not guessed at."""
    with np.load(saved, allow_pickle=False) as stored:
        parameters = json.loads(stored["header"].tobytes())["parameters"]
    method = {name: value for name, value in (parameters["method"] | constants).items() if value is not None}
    rewritten(saved, header=header(saved, parameters={**parameters, "method": method}))
    with pytest.raises(ValueError, match=rf"zone-demand\.npz .*{re.escape(names)}"):
        ZoneDemand.load(saved)


def test_a_loaded_model_goes_on_with_its_own_constants(saved: Path) -> None:
    """Not with those of the program: the guard of this one gives in after four hours of refusals, not two."""
    model = ZoneDemand.load(saved)
    assert model.last_step is not None
    usual_kw = float(model.predict().median_kw[0])
    reasons = [model.partial_fit(model.last_step + 1, 1.8 * usual_kw).predict().reason for _ in range(5)]
    assert [reason is None for reason in reasons] == [False] * 4 + [True]


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"intervals.scores": None}, "lacks or adds intervals.scores"),
        ({"colour": np.zeros(1)}, "lacks or adds colour"),
        ({"regression.beta": np.zeros((2, 2))}, "regression.beta is float64"),
        ({"history.first_step": np.array(0.5)}, "history.first_step is float64"),
    ],
)
def test_arrays_that_do_not_fit_are_named(saved: Path, changes: dict[str, Any], names: str) -> None:
    """A missing, foreign or misshapen array is named together with the file."""
    rewritten(saved, **changes)
    with pytest.raises(ValueError, match=rf"zone-demand\.npz .*{names}"):
        ZoneDemand.load(saved)


def test_a_bug_of_this_program_is_no_fault_of_the_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What no value of a file leads to is raised as it is: nobody is told to train again."""

    def failing(*_: object) -> None:
        raise AttributeError("no attribute 'fold'")

    monkeypatch.setattr(ZoneDemand, "_empty_fold", failing)
    with pytest.raises(AttributeError, match="no attribute 'fold'"):
        ZoneDemand.load(saved)


def array_with(written: str) -> bytes:
    """Return an array whose header is this text."""
    header = f"{written}\n".encode("latin1")
    return npy.magic(1, 0) + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize(
    "written",
    [
        "(((",
        "{[]: 1}",
        "{1: 1, 'a': 2}",
        "{'descr': (), 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 10**30)}".replace("10**30", "1" + 30 * "0"),
        "-" * 9000 + "1",
    ],
    ids=["open", "unhashable", "unsorted", "no-type", "endless", "deep"],
)
def test_a_header_of_an_array_that_breaks_its_parser_is_refused(saved: Path, written: str) -> None:
    """Whatever numpy raises there: it would end a forecaster for all its sites."""
    replaced(saved, "history.series.npy", array_with(written))
    with pytest.raises(ValueError, match=r"zone-demand\.npz is no whole zone-demand state \(.+\): run `tetouan train`"):
        ZoneDemand.load(saved)


@pytest.mark.parametrize("method", [ZIP_BZIP2, ZIP_LZMA])
def test_what_unpacks_at_once_is_not_unpacked(saved: Path, method: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only of stored and deflated members does zipfile bound the memory that a chunk takes."""
    replaced(saved, "history.series.npy", bytes(2**20), method)
    monkeypatch.setattr(ZipFile, "open", lambda *_: pytest.fail("a member was opened"))
    with pytest.raises(ValueError, match=rf"is packed by method {method}: neither stored nor deflated"):
        ZoneDemand.load(saved)


@pytest.mark.parametrize(
    ("tail", "why"),
    [
        (b"PK\x05\x06" + bytes(8) + (2**30).to_bytes(4, "little") + bytes(6), "its directory has 1,073,741,824 bytes"),
        (b"PK\x06\x07" + bytes(16) + b"PK\x05\x06" + bytes(18), "a comment or the directory of ZIP64"),
        (b"PK\x05\x06" + bytes(16) + b"\x01\x00", "a comment or the directory of ZIP64"),
    ],
)
def test_a_directory_that_is_too_large_is_not_read(
    tmp_path: Path, tail: bytes, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is held in memory as a whole, before it can be seen how many members it lists."""
    path = tmp_path / "state.npz"
    path.write_bytes(bytes(100) + tail)
    monkeypatch.setattr(artefact, "ZipFile", lambda *_: pytest.fail("the archive was opened"))
    with pytest.raises(ValueError, match=rf"state\.npz is no whole .*{why}"):
        ZoneDemand.load(path)


def test_a_file_that_is_too_large_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its size on the disk is known before."""
    path = tmp_path / "state.npz"
    with path.open("wb") as file:
        file.truncate(artefact.LARGEST_BYTES + 1)
    monkeypatch.setattr(artefact, "ZipFile", lambda *_: pytest.fail("the archive was opened"))
    with pytest.raises(ValueError, match=r"it has 268,435,457 bytes, where 268,435,456 are the most"):
        ZoneDemand.load(path)


@pytest.mark.parametrize("content", [b"[1]", b"null", b"{}", b'{"format": "zone-demand"}', b"[" * 100_000])
def test_a_header_that_is_none_is_refused(saved: Path, content: bytes) -> None:
    """Whatever stands in its place."""
    rewritten(saved, header=np.frombuffer(content, np.uint8))
    with pytest.raises(ValueError, match=r"zone-demand\.npz .*header is none of a zone-demand state"):
        ZoneDemand.load(saved)


def test_an_empty_forecaster_has_nothing_to_save(tmp_path: Path) -> None:
    """Before the first reading there is no state."""
    with pytest.raises(NotFittedError, match="no reading yet"):
        ZoneDemand(calendar=Calendar("MA")).save(tmp_path / "nothing.npz")


def test_a_file_that_is_not_there_stays_not_found(tmp_path: Path) -> None:
    """A wrong path is the caller's error, and is named as such."""
    with pytest.raises(FileNotFoundError):
        ZoneDemand.load(tmp_path / "nowhere.npz")
