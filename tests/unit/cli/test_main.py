"""What the command says before it does anything."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from cli import __main__, __version__, entry
from cli.__main__ import main


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
