"""`tetouan mlflow`: MLflow's own page on the registry in force."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

from cli.ports import holder_of
from shared.runtime.registry import ENVIRONMENT, nobody_has_made, shown, sqlite_file
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cli.settings import CommandSettings

__all__ = ["environment", "run_mlflow"]

HOST = "127.0.0.1"
OPTIONS = ("MLFLOW_", "GUNICORN_", "UVICORN_")  # of the server and of what runs it, such as "-b 0.0.0.0"


def run_mlflow(port: int, settings: CommandSettings) -> None:
    """Become MLflow's server, which Ctrl-C ends; of a registry that is a server only say where its page is.

    Raises ``Refused`` where nobody has made the registry, or the port is taken.
    """
    uri = settings.registry_uri
    if sqlite_file(uri) is None:
        sys.stdout.write(f"the registry is an MLflow server, whose page is {shown(uri)}\n")
        return
    if nobody_has_made(uri):
        raise Refused(f"there is no registry at {uri}: run `tetouan train`, or set TETOUAN_MLFLOW_URI")
    _require_free(port)
    sys.stdout.write(f"MLflow's page: http://{HOST}:{port}, in some ten seconds; Ctrl-C ends it; registry: {uri}\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1"]
    os.execve(sys.executable, [*command, "--backend-store-uri", uri], environment(os.environ))  # noqa: S606 - our own interpreter


def environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of the server, without the variables that could make it listen to other machines."""
    kept = {name: value for name, value in ours.items() if not name.startswith(OPTIONS)}
    # jobs are of no use here, and would be processes of their own
    return {**kept, **ENVIRONMENT, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def _require_free(port: int) -> None:
    try:
        socket.create_server((HOST, port)).close()
    except OSError as error:
        holder = holder_of(port)
        who = f" by {holder}" if holder else f" ({os.strerror(error.errno or 0)})"
        raise Refused(f"port {port} is taken{who}: give another one with --port") from None
