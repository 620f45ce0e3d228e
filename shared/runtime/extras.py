"""What only some installs have: the extra ``workbench``, for reports."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["lacking_workbench"]

INSTALL = "pip install 'tetouan-streaming-forecaster[workbench]', or `make .venv/.ready` in a clone"


def lacking_workbench(what: str, package: str) -> str | None:
    """Return why something cannot be had, and how it is installed; None where its package is there."""
    if find_spec(package) is not None:
        return None
    return f"{what} needs {package}, of the extra `workbench`: {INSTALL}"
