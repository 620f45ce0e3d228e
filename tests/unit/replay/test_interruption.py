"""Signals as a request to finish."""

from __future__ import annotations

import os
import signal
from threading import Event

import pytest

from replay.interruption import set_by_signals


@pytest.mark.parametrize("order", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_only_sets_the_event(order: signal.Signals) -> None:
    """Within the block the process lives on, told to stop; behind it the former handler is back."""
    former, stop = signal.getsignal(order), Event()
    with set_by_signals(stop):
        assert not stop.is_set()
        os.kill(os.getpid(), order)
        assert stop.is_set()
    assert signal.getsignal(order) is former
