"""What is said of readings that nobody forecasts."""

from __future__ import annotations

from cli.unanswered import Counts, remark, remark_on
from replay.pacing import Pauses


def test_where_there_are_forecasts_nothing_is_said() -> None:
    """One is enough: the replay does not wait for all of them."""
    assert remark(Counts(10, 10), Counts(11, 11)) is None


def test_accepted_readings_without_a_forecast_are_explained() -> None:
    """The models may have seen them, and the remark says what to send or to train instead."""
    said = remark(Counts(10, 10), Counts(298, 10)) or ""
    assert "have seen the readings already" in said
    assert "--from" in said
    assert "\n" not in said


def test_readings_that_nobody_accepted_are_explained() -> None:
    """They were sent before, or there is no ingestor."""
    assert "no ingestor runs" in (remark(Counts(10, 10), Counts(10, 10)) or "")


def test_an_answer_that_comes_ends_the_wait() -> None:
    """Nothing is said then; without a broker nothing can be."""
    counts = iter([Counts(1, 0), Counts(2, 0), Counts(2, 1)])
    time_s = iter(range(100))
    pauses = Pauses(now_s=lambda: float(next(time_s)) / 100, sleep=lambda _: None)
    assert remark_on(Counts(0, 0), lambda: next(counts), pauses) is None
    assert list(counts) == []
    assert remark_on(Counts(0, 0), lambda: None, pauses) is None
    assert remark_on(None, lambda: Counts(0, 0), pauses) is None


def test_the_wait_ends_after_a_time_or_when_it_is_told_to() -> None:
    """With a remark after ten seconds; without one after Ctrl-C."""
    time_s = iter(range(100))
    pauses = Pauses(now_s=lambda: float(next(time_s)), sleep=lambda _: None)
    assert "no ingestor runs" in (remark_on(Counts(0, 0), lambda: Counts(0, 0), pauses) or "")

    def interrupted() -> Counts:
        pauses.stop.set()
        return Counts(0, 0)

    assert remark_on(Counts(0, 0), interrupted, pauses) is None
