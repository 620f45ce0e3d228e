"""The environment of MLflow's page."""

from __future__ import annotations

from cli.mlflow_page import environment


def test_no_variable_opens_the_page_to_other_machines() -> None:
    """Options of the servers beneath it are not passed on; nothing is sent home."""
    ours = {"PATH": "/bin", "MLFLOW_GUNICORN_OPTS": "-b 0.0.0.0", "GUNICORN_CMD_ARGS": "-b 0.0.0.0", "UVICORN_FD": "3"}
    found = environment(ours)
    assert found["PATH"] == "/bin"
    assert not found.keys() & {"MLFLOW_GUNICORN_OPTS", "GUNICORN_CMD_ARGS", "UVICORN_FD"}
    assert found["MLFLOW_DISABLE_TELEMETRY"] == "true"
