"""What is said of readings that nobody forecasts."""

from __future__ import annotations

from cli.unanswered import Counts, remark


def test_where_there_are_forecasts_nothing_is_said() -> None:
    """One is enough: the replay does not wait for all of them."""
    assert remark(Counts(10, 10), Counts(11, 11)) is None


def test_accepted_readings_without_a_forecast_are_explained() -> None:
    """The models may have seen them, and the remark says what to send or to train instead."""
    said = remark(Counts(10, 10), Counts(298, 10)) or ""
    assert "the models have seen them already" in said
    assert "--from" in said


def test_readings_that_nobody_accepted_are_explained() -> None:
    """They were sent before, or there is no ingestor."""
    assert "no ingestor runs" in (remark(Counts(10, 10), Counts(10, 10)) or "")
