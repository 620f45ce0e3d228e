"""The repository holds what was written, and nothing that tools leave behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GIT = shutil.which("git")


@pytest.mark.skipif(GIT is None or not (ROOT / ".git").exists(), reason="these are files without their repository")
def test_nothing_that_is_to_be_ignored_is_committed() -> None:
    """That is, no file of a cache, of an environment or of Schemathesis."""
    wanted = ["ls-files", "--cached", "--ignored", "--exclude-per-directory=.gitignore", "--exclude=.schemathesis/"]
    listed = subprocess.run([str(GIT), "-C", str(ROOT), *wanted], capture_output=True, text=True, check=True)
    assert listed.stdout == ""
