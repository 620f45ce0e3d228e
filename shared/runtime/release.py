"""Which program this is, and what it computes with: what tells two results of the same question apart."""

from __future__ import annotations

import platform
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from shutil import which
from subprocess import run

import numpy as np
from threadpoolctl import threadpool_info

__all__ = ["code_sha256", "code_version", "libraries", "machine", "packages"]

SOURCE = Path(__file__).parents[2]
ROOMS = ("backtest", "cli", "replay", "services", "shared")
"""The folders that the program consists of."""
ENDINGS = (".py", ".toml", ".html", ".css", ".js")
COMPUTING = ("numpy", "scipy", "pandas", "pyarrow", "scikit-learn")
"""The packages on whose versions the numbers and the files of a model depend."""
NAME = "tetouan-streaming-forecaster"


def code_version() -> str:
    """Return the version of this program, with the commit where it runs from a clone."""
    release, git = _version(NAME), which("git")
    if git is None or not (SOURCE / ".git").exists():
        return release
    command = [git, "-C", str(SOURCE), "describe", "--always", "--dirty", "--abbrev=12"]
    told = run(command, capture_output=True, text=True, check=False)
    return f"{release}+{told.stdout.strip()}" if told.returncode == 0 else release


@cache
def code_sha256() -> str:
    """Return the checksum of all source files of the program, which no commit is needed for."""
    digest = sha256()
    files = (file for room in ROOMS for file in (SOURCE / room).rglob("*") if file.suffix in ENDINGS)
    for file in sorted(files):
        digest.update(f"{file.relative_to(SOURCE)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()


def libraries() -> dict[str, str]:
    """Return the versions of Python and of what the models are computed and written with, by name."""
    blas = sorted({f"{each['internal_api']} {each['version']}" for each in _blas()})
    versions = {name: _version(name) for name in COMPUTING}
    return {"python": platform.python_version(), **versions, "blas": ", ".join(blas)}


@cache
def packages() -> str:
    """Return a checksum of Python and of all packages that are installed, with their versions."""
    found = sorted({f"{each.name}=={each.version}" for each in distributions()})
    return sha256("\n".join((platform.python_version(), *found)).encode()).hexdigest()


def machine() -> str:
    """Return what decides on the order in which sums are made: system, C library, and the kernels in use."""
    kernels = sorted({str(each.get("architecture", "?")) for each in _blas()})
    vectors = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    libc = " ".join(platform.libc_ver()).strip() or "no libc"
    parts = (platform.system(), platform.machine(), libc, "/".join(kernels), *vectors)
    return " ".join(part for part in parts if part)


def _blas() -> list[dict[str, object]]:
    return [each for each in threadpool_info() if each["user_api"] == "blas"]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
