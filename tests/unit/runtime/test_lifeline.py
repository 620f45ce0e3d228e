"""A process ends with whoever holds the other end of its pipe."""

from __future__ import annotations

import os
import subprocess
import sys

from shared.runtime.lifeline import ORPHANED

HELD = "import sys, threading; from shared.runtime.lifeline import hold; hold(int(sys.argv[1])); print(flush=True)\n"
HELD += "threading.Event().wait()"


def test_a_process_ends_with_whoever_started_it() -> None:
    """It runs while the pipe is held, and ends at once, with a code of its own, when it is closed."""
    ours, theirs = reversed(os.pipe())
    command = [sys.executable, "-c", HELD, str(theirs)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, pass_fds=(theirs,)) as process:
        os.close(theirs)
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        assert process.poll() is None
        os.close(ours)
        assert process.wait(timeout=30) == ORPHANED
