"""Work in a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from shared.runtime.threads import LoopThread, run_in_thread

LEAVES = """
import asyncio, time
from shared.runtime.threads import run_in_thread
async def run():
    try:
        await run_in_thread(0.1, time.sleep, 60)
    except TimeoutError:
        print("left")
asyncio.run(run())
"""


def _fail(error: Exception) -> None:
    raise error


def test_what_it_returns_or_raises_comes_back() -> None:
    """As if it had been called."""
    assert asyncio.run(run_in_thread(10.0, int, "7")) == 7
    with pytest.raises(ValueError, match="noon"):
        asyncio.run(run_in_thread(10.0, int, "noon"))
    with pytest.raises(TimeoutError, match="its own"):
        asyncio.run(run_in_thread(10.0, _fail, TimeoutError("its own")))


def test_who_has_waited_long_enough_goes_on_and_what_comes_later_is_nobodys() -> None:
    """The work ends after its time, and nothing is said of it."""
    go, done = threading.Event(), threading.Event()

    def work() -> None:
        go.wait(30)
        done.set()

    async def run() -> None:
        with pytest.raises(TimeoutError, match="no answer within 0 s"):
            await run_in_thread(0.05, work)
        go.set()
        await asyncio.to_thread(done.wait, 30)

    asyncio.run(run())
    assert done.is_set()


def test_the_process_ends_without_it() -> None:
    """Work that takes a minute does not hold up the end of the process."""
    ended = subprocess.run([sys.executable, "-c", LEAVES], timeout=30, capture_output=True, check=True)
    assert ended.stdout.strip() == b"left"
    assert ended.stderr == b""


def test_a_loop_of_its_own_holds_up_no_other() -> None:
    """What blocks there lets this loop go on; what it returns or raises comes back, and the thread ends."""
    released = threading.Event()

    async def block() -> str:
        released.wait()
        return threading.current_thread().name

    async def fail() -> None:
        raise ValueError("no")

    async def run() -> str:
        with LoopThread() as loop:
            blocked = asyncio.create_task(loop.run(block()))
            await asyncio.sleep(0)
            released.set()  # this loop goes on
            with pytest.raises(ValueError, match="no"):
                await loop.run(fail())
            return await blocked

    before = threading.active_count()
    assert asyncio.run(run()) != threading.current_thread().name
    assert threading.active_count() == before
