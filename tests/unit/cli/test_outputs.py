"""Output files: whole or not at all, and what cannot be written is refused before the work."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import typer
from typer.testing import CliRunner

from cli.__main__ import app
from cli.outputs import output_file, output_folder, require_different, whole, whole_files
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

NO_TABLE = ("--data", "no-such-file.csv")


def made(folder: Path) -> list[str]:
    """Return the names of all that a folder holds, hidden ones too."""
    return sorted(os.listdir(folder))  # noqa: PTH208 - the names alone


def half_written(drafts: AbstractContextManager[Path], error: BaseException) -> None:
    """Fail when something has been written."""
    with drafts as draft:
        (draft / "days.csv" if draft.is_dir() else draft).write_text("half", encoding="utf-8")
        raise error


class TestWhole:
    """One file."""

    def test_it_takes_its_place_at_the_end(self, tmp_path: Path) -> None:
        """Until then what was there stays; nothing else is left in the folder."""
        file = tmp_path / "result.json"
        file.write_text("old", encoding="utf-8")
        with whole(file) as draft:
            draft.write_text("new", encoding="utf-8")
            assert file.read_text(encoding="utf-8") == "old"
        assert file.read_text(encoding="utf-8") == "new"
        assert made(tmp_path) == ["result.json"]

    @pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt()], ids=repr)
    def test_a_block_that_fails_leaves_nothing(self, tmp_path: Path, error: BaseException) -> None:
        """Neither the file nor its draft."""
        with pytest.raises(type(error)):
            half_written(whole(tmp_path / "result.json"), error)
        assert made(tmp_path) == []

    def test_a_full_disk_is_refused_in_one_line(self, tmp_path: Path) -> None:
        """With the name that the user gave; what was there stays."""
        file = tmp_path / "result.json"
        file.write_text("old", encoding="utf-8")
        line = r"^cannot write .*result\.json \(No space left on device\): name another place$"
        with pytest.raises(Refused, match=line):
            half_written(whole(file), OSError(errno.ENOSPC, "no space"))
        assert file.read_text(encoding="utf-8") == "old"

    def test_a_block_that_writes_nothing_makes_no_file(self, tmp_path: Path) -> None:
        """There is no picture of a stream without a forecast."""
        with whole(tmp_path / "picture.svg"):
            pass
        assert made(tmp_path) == []

    def test_a_link_stays_a_link(self, tmp_path: Path) -> None:
        """What it leads to is written."""
        (tmp_path / "results").mkdir()
        link = tmp_path / "last.json"
        link.symlink_to(tmp_path / "results" / "1.json")
        with whole(link) as draft:
            draft.write_text("new", encoding="utf-8")
        assert link.is_symlink()
        assert (tmp_path / "results" / "1.json").read_text(encoding="utf-8") == "new"

    def test_the_permissions_of_a_file_stay(self, tmp_path: Path) -> None:
        """A file that others may write stays so; a new one gets what every new file of the user gets."""
        file, plain = tmp_path / "result.json", tmp_path / "plain"
        for path, mode in ((file, 0o664), (plain, None)):
            path.touch()
            if mode is not None:
                path.chmod(mode)
        for path in (file, tmp_path / "new"):
            with whole(path) as draft:
                draft.touch()
        assert file.stat().st_mode & 0o777 == 0o664
        assert (tmp_path / "new").stat().st_mode == plain.stat().st_mode

    def test_a_device_stays_one(self) -> None:
        """No file takes the place of the null device."""
        null = output_file("/dev/null")
        with whole(null) as draft:
            draft.write_text("gone", encoding="utf-8")
        assert null.is_char_device()


def test_several_files_appear_together(tmp_path: Path) -> None:
    """A table that fails leaves those of before, all of them; the folder is made with the first that come."""
    folder = tmp_path / "new" / "tables"
    with pytest.raises(ValueError, match="a bug"):
        half_written(whole_files(folder), ValueError("a bug"))
    assert made(tmp_path) == []
    with whole_files(folder) as drafts:
        (drafts / "days.csv").touch()
        (drafts / "hours.csv").touch()
    assert made(folder) == ["days.csv", "hours.csv"]


class TestPlaces:
    """What is checked before anything is computed."""

    def test_a_check_makes_nothing(self, tmp_path: Path) -> None:
        """Neither the file nor the folder; a file that is there stays as it is."""
        (tmp_path / "old.json").write_text("old", encoding="utf-8")
        assert output_file(str(tmp_path / "new.json")) == tmp_path / "new.json"
        assert output_file(str(tmp_path / "old.json")) == tmp_path / "old.json"
        assert output_folder(str(tmp_path / "new" / "tables")) == tmp_path / "new" / "tables"
        assert made(tmp_path) == ["old.json"]
        assert (tmp_path / "old.json").read_text(encoding="utf-8") == "old"

    @pytest.mark.parametrize(
        ("place", "why"),
        [
            ("a folder", "is a folder: name a file in it"),
            ("a file/result.json", r"\(Not a directory\): name another file"),
            ("missing/result.json", r"\(No such file or directory\): name another file"),
            ("~nobody-here/result.json", r"home directory.*: name another file"),
            ("x" * 300, r"\(File name too long\): name another file"),
            ("/dev/no-such-device", r"\(Permission denied\): name another file"),
        ],
    )
    def test_a_file_that_cannot_be_written_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, why: str
    ) -> None:
        """With its name as given, why, and what to do."""
        monkeypatch.chdir(tmp_path)
        Path("a folder").mkdir()
        Path("a file").touch()
        with pytest.raises(typer.BadParameter, match=why) as refused:
            output_file(place)
        assert repr(place) in str(refused.value)

    @pytest.mark.parametrize("place", ["a file", "a file/tables"])
    def test_a_folder_that_cannot_be_made_is_refused(self, tmp_path: Path, place: str) -> None:
        """A file stands where a folder would have to."""
        (tmp_path / "a file").touch()
        with pytest.raises(typer.BadParameter, match=r"\(Not a directory\): name another folder"):
            output_folder(str(tmp_path / place))

    def test_no_output_is_an_input(self, tmp_path: Path) -> None:
        """One name for two files would lose one of them, however it is written; two devices are no files."""
        file = tmp_path / "load.csv"
        require_different({"--csv": file, "--json": tmp_path / "load.json", "--html": None})
        require_different({"--csv": Path("/dev/null"), "--json": Path("/dev/null")})
        with pytest.raises(typer.BadParameter, match=r"^--csv and --data both name .*load\.csv': give each a file"):
            require_different({"--csv": tmp_path / "tables" / ".." / "load.csv"}, {"--data": file})


@pytest.mark.parametrize(
    "words",
    [
        ("forecast", *NO_TABLE, "--json", "a", "--csv", "b", "--html", "c"),
        ("backtest", *NO_TABLE, "--json", "a", "--csv", "b", "--html", "c"),
        ("train", *NO_TABLE, "--json", "a"),
        ("train", *NO_TABLE, "--prior", "a", "--json", "b"),
        ("replay", *NO_TABLE, "--json", "a"),
        ("demo", *NO_TABLE, "--json", "a", "--picture", "b.svg"),
    ],
    ids=lambda words: " ".join((words[0], *words[3::2])),
)
def test_a_command_that_is_refused_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """None that is empty, and no folder; what was there before stays as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TETOUAN_STATE_DIR", "state")
    Path("a").write_text("old", encoding="utf-8")
    done = CliRunner().invoke(app, list(words))
    assert isinstance(done.exception, Refused)
    assert [name for name in made(tmp_path) if name != "state"] == ["a"]
    assert Path("a").read_text(encoding="utf-8") == "old"


@pytest.mark.parametrize("command", ["forecast", "backtest", "train", "replay", "demo"])
def test_a_command_does_not_write_over_what_it_reads(tmp_path: Path, command: str) -> None:
    """The file of readings stays whole where it is named as an output, too: exit code 2 and both options."""
    data = tmp_path / "load.csv"
    data.write_text("time,load\n", encoding="utf-8")
    done = CliRunner().invoke(app, [command, "--data", str(data), "--json", str(data)])
    assert done.exit_code == 2
    assert "--json and --data both name" in done.stderr
    assert data.read_text(encoding="utf-8") == "time,load\n"


def test_schemas_refuse_a_folder_that_is_a_file(tmp_path: Path) -> None:
    """In one line, as any other output."""
    (tmp_path / "out").touch()
    done = CliRunner().invoke(app, ["schemas", "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert "name another folder" in done.stderr
