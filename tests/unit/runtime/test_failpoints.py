"""The points at which a crash test kills a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from shared.runtime.failpoints import VARIABLE, failpoint

STEPS = """
from shared.runtime.failpoints import failpoint
for step in range(3):
    print(step, flush=True)
    failpoint("after_send")
    failpoint("before_commit")
"""


def test_a_process_dies_where_it_was_told_to_and_nowhere_else() -> None:
    """The second time that the point is reached, at once, as by SIGKILL."""
    env = {**os.environ, VARIABLE: "before_commit:2"}
    ended = subprocess.run([sys.executable, "-c", STEPS], env=env, check=False, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, "0\n1\n")


def test_without_an_order_nothing_happens() -> None:
    """All points are passed."""
    env = {name: value for name, value in os.environ.items() if name != VARIABLE}
    ended = subprocess.run([sys.executable, "-c", STEPS], env=env, check=True, capture_output=True, text=True)
    assert ended.stdout == "0\n1\n2\n"


@pytest.mark.parametrize("order", ["", "after_send", "nowhere:1", "after_send:0", "after_send:soon"])
def test_an_order_that_cannot_be_followed_is_refused(order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to write."""
    monkeypatch.setenv(VARIABLE, order)
    with pytest.raises(ValueError, match="use one of after_send, before_commit, in_snapshot, in_restore"):
        failpoint("after_send")
