"""What is waited for is said on a terminal and in a log."""

from __future__ import annotations

import io
from threading import Event

from rich.console import Console

from cli.printing import now_and_then, waiting

PATIENCE_S = 30.0


class Log(io.StringIO):
    """A file that tells when something was written of what is waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.told = {"this": Event(), "that": Event()}

    def write(self, text: str) -> int:
        """Write it, and tell."""
        for word, event in self.told.items():
            if word in text:
                event.set()
        return super().write(text)


def test_a_log_says_again_and_again_what_is_waited_for() -> None:
    """Where nothing can be drawn in place a line is written now and then, with the newest words."""
    log = Log()
    with waiting(Console(file=log), "waiting for this", every_s=0.001) as say:
        assert log.told["this"].wait(PATIENCE_S)
        say("waiting for that")
        assert log.told["that"].wait(PATIENCE_S)
    lines = log.getvalue().splitlines()
    assert set(lines) == {"waiting for this ...", "waiting for that ..."}
    assert lines[-1] == "waiting for that ..."


def test_what_stays_the_same_comes_ever_more_seldom() -> None:
    """A minute in which one thing is waited for is four lines, not twelve; what is new comes at once."""
    assert list(now_and_then(["this"] * 12)) == ["this"] * 4
    assert list(now_and_then(["this", "this", "this", "that", "this"])) == ["this", "this", "that", "this"]


def test_what_is_soon_over_is_not_told() -> None:
    """No line is written before its time."""
    log = Log()
    with waiting(Console(file=log), "waiting for this", every_s=PATIENCE_S):
        pass
    assert log.getvalue() == ""
