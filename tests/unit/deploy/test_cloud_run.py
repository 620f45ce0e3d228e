"""How the gateway is put on Cloud Run, with a gcloud that only writes down what it is asked."""

from __future__ import annotations

import os
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SETTINGS = {
    "GOOGLE_CLOUD_PROJECT": "grid",
    "CLOUD_RUN_SERVICE": "tetouan-gateway",
    "CLOUD_RUN_REGION": "europe-southwest1",
    "KAFKA_BOOTSTRAP": "a.example:9094,b.example:9094",
}


@pytest.fixture
def gcloud(tmp_path: Path) -> Path:
    """Return the folder of a gcloud that writes its arguments to ``asked`` beside it, a line each."""
    program = tmp_path / "gcloud"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" >>"$(dirname "$0")/asked"\n', encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


def deploy(gcloud: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the target of the Makefile."""
    env = {"PATH": f"{gcloud}:{os.environ['PATH']}", "HOME": str(gcloud), **settings}
    command = ["make", "--silent", "deploy", "IMAGE=registry.example/tetouan", "TAG=v1.2.3"]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def test_the_image_of_the_tag_runs_as_a_gateway(gcloud: Path) -> None:
    """With the addresses of the settings, and passwords that only Secret Manager has."""
    assert deploy(gcloud, **SETTINGS).returncode == 0
    asked = (gcloud / "asked").read_text().splitlines()
    assert asked[:3] == ["run", "deploy", "tetouan-gateway"]
    given = dict(pairwise(asked))
    assert given["--image"] == "registry.example/tetouan:v1.2.3"
    assert given["--args"] == "run,gateway"
    assert "TETOUAN_KAFKA_BOOTSTRAP=a.example:9094,b.example:9094|" in given["--set-env-vars"]
    assert "TETOUAN_KAFKA_PASSWORD=tetouan-kafka-password:latest" in given["--set-secrets"]


def test_credentials_are_written_for_gcloud_alone(gcloud: Path) -> None:
    """They are removed again, and stand on no command line."""
    ended = deploy(gcloud, GOOGLE_CREDENTIALS='{"private_key": "hidden"}', **SETTINGS)
    assert ended.returncode == 0
    asked = (gcloud / "asked").read_text()
    assert "hidden" not in asked + ended.stdout + ended.stderr
    assert not Path(asked.splitlines()[4]).exists()


@pytest.mark.parametrize("name", list(SETTINGS))
def test_a_setting_that_is_missing_is_named(gcloud: Path, name: str) -> None:
    """Nothing is deployed."""
    ended = deploy(gcloud, **{other: value for other, value in SETTINGS.items() if other != name})
    assert ended.returncode != 0
    assert ended.stderr.startswith(f"{name} is not set: give it as docs/deploy.md says\n")
    assert not (gcloud / "asked").exists()
