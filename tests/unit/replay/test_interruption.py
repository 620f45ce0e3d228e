"""Signals as a request to finish."""

from __future__ import annotations

import os
import signal
from threading import Event

import pytest

from replay.interruption import set_by_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_only_sets_the_event(number: signal.Signals) -> None:
    """Within the block the process lives on, told to stop; behind it the former handler is back."""
    former, stop = signal.getsignal(number), Event()
    with set_by_signals(stop):
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.is_set()
    assert signal.getsignal(number) is former


def test_a_signal_that_is_ignored_stays_so() -> None:
    """What was started with nohup outlives its terminal."""
    former, stop = signal.signal(signal.SIGHUP, signal.SIG_IGN), Event()
    try:
        with set_by_signals(stop):
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.is_set()
    finally:
        signal.signal(signal.SIGHUP, former)
