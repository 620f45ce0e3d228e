"""A process that imports before it is told what to do."""

from __future__ import annotations

import subprocess
import sys

from cli.early import order


def early(line: bytes) -> subprocess.CompletedProcess[bytes]:
    """Let a module of the standard library wait for the line."""
    return subprocess.run(
        [sys.executable, "-m", "cli.early", "timeit", "json"], input=line, capture_output=True, timeout=60, check=False
    )


def test_the_order_brings_environment_and_arguments() -> None:
    """The module runs as a program, with both."""
    arguments = ["-n", "1", "-r", "1", "import os; print(os.environ['TETOUAN_ZONES'])"]
    ended = early(order({"TETOUAN_ZONES": "1,2"}, arguments))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith(b"1,2\n")


def test_without_an_order_it_ends() -> None:
    """Whoever would give it has ended; there is nothing to say."""
    ended = early(b"")
    assert (ended.returncode, ended.stdout, ended.stderr) == (1, b"", b"")
