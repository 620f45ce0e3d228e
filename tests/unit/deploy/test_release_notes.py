"""What a release says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.release_notes import NoNotesError, notes

CHANGES = """# Changelog

## [Unreleased]
- new

## [1.2.3] - 2026-01-01
### Fixed
- a fault

## [1.2.2] - 2025-01-01
- old
"""


def test_the_section_of_the_release_is_told_alone() -> None:
    """Neither what comes next nor what came before."""
    assert notes("v1.2.3", "1.2.3", CHANGES) == "### Fixed\n- a fault"


@pytest.mark.parametrize(
    ("tag", "version", "why"),
    [
        ("v1.2.4", "1.2.3", r"tag v1\.2\.3, or change pyproject\.toml"),
        ("1.2.3", "1.2.3", r"the tag is 1\.2\.3"),
        ("v1.2.4", "1.2.4", r"CHANGELOG\.md says nothing of 1\.2\.4"),
    ],
)
def test_what_does_not_fit_together_is_not_released(tag: str, version: str, why: str) -> None:
    """The line says what to change."""
    with pytest.raises(NoNotesError, match=why):
        notes(tag, version, CHANGES)


def test_the_version_of_this_code_has_notes_or_none_yet() -> None:
    """A tag that is not the version ends with one line."""
    told = subprocess.run(
        [sys.executable, "-m", "deploy.release_notes", "v0.0.0"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 1
    assert told.stderr.startswith("the tag is v0.0.0 and the code is version ")
    assert told.stderr.count("\n") == 1
