"""What the command says before it does anything."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cli import __main__, __version__, entry
from cli.__main__ import main

FULL = Path("/dev/full")


@pytest.mark.parametrize(
    ("variable", "line"),
    [
        (
            "TETOUAN_VERSION",
            "tetouan: TETOUAN_VERSION is no setting and is ignored: see docs/reference.md\n",
        ),
        ("TETOUAN_MONITOR_SERVICE_HOST", ""),
    ],
)
def test_a_variable_that_is_no_setting_has_a_line_on_standard_error(
    variable: str, line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command goes on, and its result is not mixed with it; of what Kubernetes sets there is no word."""
    monkeypatch.setenv(variable, "1")
    monkeypatch.setattr(sys, "argv", ["tetouan", "schemas", "--out", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 0
    assert said.err == line
    assert said.out.startswith("wrote ")


def outcome(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    """Return the exit code of a command."""
    monkeypatch.setattr(sys, "argv", ["tetouan", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


def test_the_version_is_that_of_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The image has no package installed, so the code says it, too."""
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert __version__ == project["version"]
    assert outcome(monkeypatch, "--version") == 0
    assert capsys.readouterr().out == f"tetouan {__version__}\n"


def test_a_check_of_the_schemas_says_what_it_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That all match, that one differs, or that there is no folder to check."""
    folder = tmp_path / "schemas"
    assert outcome(monkeypatch, "schemas", "--check", "--out", str(folder)) == 2
    assert f"there is no folder {folder} to check" in capsys.readouterr().err
    outcome(monkeypatch, "schemas", "--out", str(folder))
    assert outcome(monkeypatch, "schemas", "--check", "--out", str(folder)) == 0
    assert "are as the code says" in capsys.readouterr().out
    next(folder.glob("*.json")).write_text("{}", encoding="utf-8")
    assert outcome(monkeypatch, "schemas", "--check", "--out", str(folder)) == 1
    assert "differs from the code" in capsys.readouterr().err


def test_a_picture_is_an_svg(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another ending is refused before any work, and no file is made."""
    assert outcome(monkeypatch, "demo", "--picture", str(tmp_path / "x.png")) == 2
    assert "ends in .svg" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not FULL.exists(), reason="only Linux has a device that is always full")
@pytest.mark.parametrize("words", [("--version",), ("--help",), ("schemas", "--check")])
def test_a_full_disk_is_told_in_one_line(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the command prints, and however much of it: the last of it is written when the command ends."""
    with FULL.open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert outcome(monkeypatch, *words) == 2
    assert "tetouan: the output cannot be written (No space left on device): free some space" in capsys.readouterr().err


def test_a_closed_output_is_no_failure() -> None:
    """As a service manager may start a command; what it says is lost."""
    said = subprocess.run(
        ["/bin/sh", "-c", f"exec '{sys.executable}' -c 'from cli.entry import main; main()' --version >&-"],
        capture_output=True,
        check=False,
    )
    assert (said.returncode, said.stderr) == (0, b"")


def test_ctrl_c_at_the_start_leaves_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One word, and the exit code of an interrupted program."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "main", interrupted)
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert (ended.value.code, capsys.readouterr().err) == (130, "stopped\n")


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["train", "--data", "load.csv", "--prior", "load.csv"], "--prior and --data both name 'load.csv'"),
        (
            ["train", "--data", "load.csv", "--prior", "p.npz", "--json", "p.npz"],
            "both name 'p.npz'",
        ),
        (["backtest", "--data", "tables/leads.csv", "--csv", "tables"], "--csv (leads.csv) and --data both name"),
    ],
)
def test_no_output_takes_the_place_of_an_input_or_of_another_output(
    arguments: list[str], line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is refused before any work, and the file is as it was."""
    (tmp_path / "tables").mkdir()
    for name in ("load.csv", "tables/leads.csv"):
        (tmp_path / name).write_text("time,load\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["tetouan", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert line in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert (tmp_path / arguments[2]).read_text(encoding="utf-8") == "time,load\n"


def test_a_reader_that_has_seen_enough_ends_the_output_in_peace() -> None:
    """Exit code 0 and nothing on standard error, as for `tetouan watch forecasts | head`."""
    program = (
        "from cli.printing import until_nobody_reads\n"
        "with until_nobody_reads():\n"
        "    while True:\n"
        "        print('line', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        assert running.stdout.readline() == b"line\n"
        running.stdout.close()
        assert running.stderr.read() == b""
    assert running.returncode == 0
