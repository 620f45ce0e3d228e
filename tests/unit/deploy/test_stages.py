"""The stages of DVC: they are those of the workbench, and a second `dvc repro` computes nothing anew."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from cli.steps import STEPS
from deploy.stages import CODE, FILES, FOLDER, ROOT, stages_text
from tests.unit.years import small_year

if TYPE_CHECKING:
    from pathlib import Path

GIT = shutil.which("git")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_files_are_those_of_the_steps(file: Path) -> None:
    """After a change of a step: python -m deploy.stages."""
    assert file.read_text(encoding="utf-8") == FILES[file]()


def test_each_stage_is_a_step() -> None:
    """Under the names that people know from DVC."""
    named = re.findall(r"^  (\w+):$", stages_text(), re.MULTILINE)
    assert named == ["fetch", "clean", "train", "compare", "backtest", "report"]
    assert named == [step.stage for step in STEPS if step.stage]


def test_dvc_sends_nothing_home() -> None:
    """And asks no other host by itself."""
    config = (ROOT / ".dvc" / "config").read_text(encoding="utf-8")
    assert "analytics = false" in config
    assert "check_update = false" in config
    assert "://" not in config


def git(folder: Path, *words: str) -> str:
    """Return what Git says of a repository."""
    command = [str(GIT), "-c", "user.name=a", "-c", "user.email=a@b", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A repository with the code, the stages, and a `tetouan` that runs this code on 22 made-up days."""
    for room in CODE:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / ".dvc", tmp_path / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache", "config.local"))
    for name in ("dvc.yaml", ".dvcignore", ".gitignore"):
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "params.yaml").write_text("zone: 2\ncompared: elastic-net,naive\n")
    small_year(22, "").rows.to_csv(tmp_path / "load.csv", index=False)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "tetouan").write_text(f'#!/bin/sh\nexec {sys.executable} -m cli "$@"\n')
    (tmp_path / "bin" / "tetouan").chmod(0o755)
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", "--", "dvc.yaml", ".dvc", ".gitignore")
    git(tmp_path, "commit", "--quiet", "--message", "a")
    return tmp_path


@pytest.mark.slow
@pytest.mark.skipif(GIT is None, reason="needs Git")
@pytest.mark.skipif(find_spec("dvc") is None, reason="needs DVC: pip install 'tetouan-streaming-forecaster[dvc]'")
def test_dvc_runs_all_stages_and_nothing_twice(clone: Path) -> None:
    """Metrics and plots can be shown, the data go to the remote, and no part of them into Git."""

    def dvc(*words: str) -> str:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TETOUAN_")}
        environment |= {"PATH": f"{clone / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(clone)}
        environment |= {"TETOUAN_DATA": "load.csv", "TETOUAN_KAFKA_BOOTSTRAP": "127.0.0.1:1"}
        command = [sys.executable, "-m", "dvc", *words]
        ran = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout + ran.stderr

    first = dvc("repro")
    assert [f"Running stage '{step.stage}'" in first for step in STEPS if step.stage] == [True] * 6
    again = dvc("repro")  # two look outside each time, and the page tells that the champions had been trained before
    ran = [step.stage for step in STEPS if f"Running stage '{step.stage}'" in again]
    assert ran == ["fetch", "train", "report"]
    assert "leads.1440.rmse_kw" in dvc("metrics", "show", "--md")
    dvc("plots", "show")
    dvc("push")
    assert sorted((clone / ".tetouan" / "dvc").rglob("*"))
    assert (clone / FOLDER / "index.html").exists()
    assert git(clone, "status", "--porcelain", "--untracked-files=all", "--", ".tetouan", "dvc.lock") == "?? dvc.lock\n"
