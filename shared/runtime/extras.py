"""What only some installs have: the extras ``workbench``, for reports and comparisons, and ``opcua``, for SCADA."""

from __future__ import annotations

from importlib.util import find_spec

__all__ = ["lacking_opcua", "lacking_workbench"]


def lacking_workbench(what: str, package: str) -> str | None:
    """Return why something cannot be had, and how it is installed; None where its package is there."""
    return _lacking("workbench", what, package)


def lacking_opcua(what: str, package: str = "asyncua") -> str | None:
    """Return why something cannot be had, and how it is installed; None where its package is there."""
    return _lacking("opcua", what, package)


def _lacking(extra: str, what: str, package: str) -> str | None:
    if find_spec(package) is not None:
        return None
    install = f"pip install 'tetouan-streaming-forecaster[{extra}]', or `make .venv/.ready` in a clone"
    return f"{what} needs {package}, of the extra `{extra}`: {install}"
