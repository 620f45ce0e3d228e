"""An MLflow server for the tests, as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from harness.brokers import PATIENCE_S, free_port, until
from shared.runtime.registry import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.s3 import Bucket

__all__ = ["answers", "mlflow_server"]


@contextmanager
def mlflow_server(backend_uri: str, folder: Path, bucket: Bucket | None = None) -> Iterator[str]:
    """Yield the address of a server that keeps what it is told in a database, and artefacts in a bucket.

    Without a bucket they lie beneath the folder.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", backend_uri, "--artifacts-destination"]
    command.append(bucket.uri if bucket else (folder / "artifacts").as_uri())
    env = {**os.environ, **ENVIRONMENT, **(bucket.env if bucket else {}), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    log = folder / "mlflow.log"
    with log.open("ab") as out:
        server = subprocess.Popen(command, env=env, stdout=out, stderr=out, start_new_session=True)
    try:
        until(lambda: answers(address) or server.poll() is not None, "the MLflow server")
        assert server.poll() is None, log.read_text()
        yield address
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(PATIENCE_S)


def answers(address: str) -> bool:
    """Tell whether an MLflow server answers there."""
    try:
        return httpx.get(f"{address}/health").is_success
    except httpx.TransportError:
        return False
