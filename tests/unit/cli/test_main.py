"""What the command says before it does anything."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from cli.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path


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
