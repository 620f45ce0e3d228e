"""The lines of docs/api.md run as they stand."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.openapi import serving

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
ADDRESS = "http://127.0.0.1:8000"
LINES = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("curl ")]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not on the PATH: install it to run the lines")
def test_the_lines_of_the_page_are_answered() -> None:
    """Each with what it says that it returns: JSON, or a file."""
    assert len(LINES) > 15
    with serving() as address:
        for line in LINES:
            assert ADDRESS in line
            done = subprocess.run(
                shlex.split(line.replace(ADDRESS, address)), capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{line}: {done.stderr}"
            if "-o" not in line.split():
                assert json.loads(done.stdout), line
