"""The document about the clients of examples/ and the files say the same."""

from __future__ import annotations

import re
import runpy
import shlex
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "subscribe.md").read_text(encoding="utf-8")
FILES = sorted((ROOT / "examples").glob("*.*"))
SCRIPTS = [file for file in FILES if file.suffix == ".py"]
COMMAND = ".venv/bin/python examples/"
LINES = [line for line in PAGE.splitlines() if line.startswith(COMMAND)]


def quotations() -> list[tuple[str, str]]:
    """Return each block of code with the file that was named last before it."""
    found = []
    for block in re.finditer(r"^```(?:python|js)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        named = re.findall(r"\.\./(examples/[\w.]+)", PAGE[: block.start()])
        found.append((named[-1], block[1]))
    return found


@pytest.mark.parametrize(("name", "quoted"), quotations())
def test_what_is_quoted_stands_in_the_file(name: str, quoted: str) -> None:
    """Line by line, whatever it is indented by."""
    lines = [line.strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    wanted = [line.strip() for line in dedent(quoted).splitlines()]
    assert any(lines[at : at + len(wanted)] == wanted for at in range(len(lines))), quoted


def test_the_document_quotes() -> None:
    """There are quotations to compare."""
    assert len(quotations()) >= 4


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_file_is_named_in_the_document(file: Path) -> None:
    """With a link; and each script has a line that runs it."""
    assert f"(../examples/{file.name})" in PAGE
    assert file.suffix != ".py" or any(line.startswith(COMMAND + file.name) for line in LINES)


@pytest.mark.parametrize("line", LINES)
def test_each_line_is_one_that_its_client_takes(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its options are known, and its values of their kinds."""
    _, script, *arguments = shlex.split(line, comments=True)
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    runpy.run_path(str(ROOT / script))["parse_arguments"]()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_each_client_helps(script: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` says what each option is for, and its default."""
    monkeypatch.setattr(sys, "argv", [script.name, "--help"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(script))["parse_arguments"]()
    assert ended.value.code == 0
    assert "127.0.0.1" in capsys.readouterr().out


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_each_client_names_what_it_needs(script: Path) -> None:
    """As inline script metadata, so that `uv run` and `pipx run` install it."""
    head = script.read_text(encoding="utf-8")
    assert head.startswith("# /// script\n")
    assert "# dependencies = [" in head
