"""The workflows are valid, give strangers nothing, and run the same targets as a machine of one's own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGET = re.compile(r"\bmake (?:--silent )?([\w./]+)")
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}")


def steps() -> Iterator[dict[str, Any]]:
    """Yield the steps of all jobs."""
    for workflow in WORKFLOWS:
        for job in YAML(typ="safe").load(workflow)["jobs"].values():
            yield from job["steps"]


def run(tool: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of the environment."""
    return subprocess.run([Path(sys.executable).with_name(tool), *args], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_the_form_that_its_schema_asks_for(workflow: Path) -> None:
    """A misspelt key would be passed over in silence."""
    checked = run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", str(workflow))
    assert checked.returncode == 0, checked.stdout


def test_no_workflow_lets_strangers_do_what_they_should_not() -> None:
    """Nor one whose actions are not pinned, or that keeps credentials on the disk."""
    checked = run("zizmor", "--offline", "--quiet", str(ROOT / ".github" / "workflows"))
    assert checked.returncode == 0, checked.stdout
    assert all(PINNED.fullmatch(step["uses"]) for step in steps() if "uses" in step)


@pytest.mark.parametrize("command", [step["run"] for step in steps() if "run" in step])
def test_a_step_runs_a_target_of_the_makefile(command: str) -> None:
    """So that it can be run, and mended, anywhere: `make` knows how it would be made."""
    targets = TARGET.findall(command)
    assert targets, command
    known = subprocess.run(["make", "--dry-run", *targets], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607 - the system's own
    assert known.returncode == 0, known.stderr
