"""A helper: one process for all questions, which ends with whoever asks."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from shared.runtime.helper import Helper, HelperDiedError

if TYPE_CHECKING:
    from collections.abc import Iterator

ECHO = """
import os, sys
for line in sys.stdin:
    word = line.strip()
    if word == "die":
        sys.exit("the last line")
    if word == "hang":
        import threading
        threading.Event().wait()
    print(os.getpid() if word == "pid" else word, flush=True)
"""
PATIENCE_S = 30.0


def require_gone(pid: int) -> None:
    """Wait until a process has ended; one that nobody has waited for yet is a zombie."""
    until_s, ps = time.monotonic() + PATIENCE_S, shutil.which("ps")
    assert ps is not None
    while state := subprocess.run([ps, "-o", "stat=", "-p", str(pid)], capture_output=True, check=False).stdout:
        if state.startswith(b"Z"):
            return
        assert time.monotonic() < until_s, f"process {pid} goes on"


@pytest.fixture
def helper() -> Iterator[Helper]:
    """A process that says what it is told, or who it is."""
    helper = Helper(["-c", ECHO])
    yield helper
    helper.stop()


def test_one_process_answers_all_questions(helper: Helper) -> None:
    """Each gets its own answer, whoever asks from whatever thread."""
    words = [b"%d" % n for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda word: helper.ask(word, PATIENCE_S), words))
        pids = set(pool.map(lambda _: helper.ask(b"pid", PATIENCE_S), range(8)))
    assert answers == [word + b"\n" for word in words]
    assert len(pids) == 1


def test_where_it_dies_its_last_line_is_told_and_the_next_question_begins_another(helper: Helper) -> None:
    """Nobody else is disturbed."""
    first = helper.ask(b"pid", PATIENCE_S)
    with pytest.raises(HelperDiedError, match=r"^the last line$"):
        helper.ask(b"die", PATIENCE_S)
    assert helper.ask(b"pid", PATIENCE_S) != first


def test_one_that_does_not_answer_is_ended(helper: Helper) -> None:
    """The question after it is answered by another."""
    pid = int(helper.ask(b"pid", PATIENCE_S))
    with pytest.raises(TimeoutError, match="no answer within 0 s"):
        helper.ask(b"hang", 0.05)
    require_gone(pid)
    assert helper.ask(b"again", PATIENCE_S) == b"again\n"


def test_a_stop_does_not_wait_for_an_answer(helper: Helper) -> None:
    """Who waits for one gets none, and nobody who asks later."""
    pid = int(helper.ask(b"pid", PATIENCE_S))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(helper.ask, b"hang", 600)
        helper.stop()
        with pytest.raises(HelperDiedError):
            waiting.result(PATIENCE_S)
    require_gone(pid)
    with pytest.raises(HelperDiedError):
        helper.ask(b"pid", PATIENCE_S)


def test_it_ends_with_a_process_that_is_killed() -> None:
    """Also where it is silent just then, as a registry may be: the real one reads its input in a thread of its own."""
    parent = """
        import os
        from shared.runtime.helper import Helper
        from threading import Thread
        helper = Helper(["-m", "shared.runtime.registered"])
        Thread(target=helper.ask, args=(b"{}", 600), daemon=True).start()
        while helper._process is None:
            pass
        print(helper._process._process.pid, flush=True)
        os.kill(os.getpid(), 9)
    """
    killed = subprocess.run([sys.executable, "-c", dedent(parent)], stdout=subprocess.PIPE, check=False)
    assert killed.returncode == -9
    require_gone(int(killed.stdout))
