"""MLflow's own page on the registry in force."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import pytest

from harness.brokers import PATIENCE_S, until
from harness.mlflow_server import answers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MODELS = "/ajax-api/2.0/mlflow/registered-models/search"


def test_the_page_is_that_of_the_registry_until_ctrl_c(
    state_dir: Path, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Its address comes first; another name of the machine is refused, and no process is left at the end."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "cli", "mlflow", "--port", str(port)]
    env = {**os.environ, "TETOUAN_STATE_DIR": str(state_dir)}
    with (tmp_path / "log").open("wb") as log:
        page = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
    assert page.stdout is not None
    try:
        assert page.stdout.readline().decode().startswith(f"MLflow's page: {address}, ")
        until(lambda: answers(address), "the page")
        found = httpx.get(f"{address}{MODELS}").json()["registered_models"]
        assert {model["name"] for model in found} >= {"zone-demand-tetouan-2", "weather-demand-tetouan-2"}
        assert httpx.get(address, headers={"Host": "elsewhere.example"}).status_code == httpx.codes.FORBIDDEN
        os.killpg(page.pid, signal.SIGINT)  # as a terminal does
        page.wait(PATIENCE_S)
        with pytest.raises(ProcessLookupError):
            os.killpg(page.pid, 0)
    finally:
        if page.poll() is None:
            os.killpg(page.pid, signal.SIGKILL)
        page.stdout.close()
        page.wait()
