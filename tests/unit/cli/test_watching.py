"""What `tetouan watch` prints."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cli.watching import drift_line, forecast_line, reading_line
from shared.contracts.messages import DriftEvent
from tests.unit.cli.test_summary import START, forecast, reading


def test_a_forecast_is_one_line_with_three_leads_and_their_interval() -> None:
    """Origin, zone, the leads an operator asks for, and the fallback level."""
    assert forecast_line(forecast(1)) == (
        "2018-02-01 00:10Z  tetouan zone 2  +10 min 20,000 kW [20,000..20,000]  +1 h 20,000 kW [20,000..20,000]  "
        "+24 h 20,000 kW [20,000..20,000]  adapted"
    )


def test_a_missing_value_is_a_dash_with_its_flag() -> None:
    """A reading shows every field; what is missing says so."""
    assert reading_line(reading(0, None)) == "2018-02-01 00:00Z  tetouan  zone_2_kw=-  zone_2_kw: missing"
    assert reading_line(reading(0)) == "2018-02-01 00:00Z  tetouan  zone_2_kw=20000"


def drift_event() -> DriftEvent:
    """Return an event of zone 2 that is open."""
    return DriftEvent.model_validate(
        {
            "id": "tetouan-2-page_hinkley_1h-2018-02-01T00:00:00Z",
            "site": "tetouan",
            "zone": 2,
            "kind": "model",
            "feature": "zone_2_kw",
            "detector": "page_hinkley_1h",
            "score": 15.25,
            "threshold": 12.0,
            "severity": "warning",
            "started": START,
            "ended": None,
            "report": None,
            "text": "check the meter",
        }
    )


def test_an_open_drift_event_says_what_to_do() -> None:
    """Since when, how bad, where, what, how sure; then the next step."""
    assert drift_line(drift_event()) == (
        "2018-02-01 00:00Z  warning  tetouan zone 2  model: zone_2_kw (page_hinkley_1h 15.25, threshold 12)"
        "  open: check the meter"
    )


def test_an_event_of_an_earlier_release_is_open_without_advice() -> None:
    """It says nothing more than that."""
    assert drift_line(drift_event().model_copy(update={"text": ""})).endswith("threshold 12)  open")


@pytest.mark.parametrize(
    ("step_minutes", "leads"),
    [(10, ["+10 min", "+1 h", "+24 h"]), (15, ["+15 min", "+1 h", "+24 h"]), (60, ["+1 h", "+24 h"])],
)
def test_a_lead_is_named_by_its_time_at_every_step(step_minutes: int, leads: list[str]) -> None:
    """What a step does not allow is the next longer lead under its own name, and not said twice."""
    day = 24 * 60 // step_minutes
    rising = tuple(float(minutes) for minutes in range(step_minutes, 1440 + 1, step_minutes))
    shown = forecast_line(
        forecast(0).model_copy(update={"step_minutes": step_minutes, "median_kw": rising, "intervals": ()})
    )
    assert len(rising) == day
    minutes = {"+10 min": "10.0", "+15 min": "15.0", "+1 h": "60.0", "+24 h": "1,440"}
    assert "  ".join(f"{lead} {minutes[lead]} kW" for lead in leads) in shown
    assert shown.count("+") == len(leads)


def test_an_ended_drift_event_says_when() -> None:
    """There is nothing left to do; an event of the whole site names no zone."""
    event = drift_event().model_copy(update={"zone": None, "ended": START + timedelta(hours=30)})
    assert drift_line(event) == (
        "2018-02-01 00:00Z  warning  tetouan  model: zone_2_kw (page_hinkley_1h 15.25, threshold 12)"
        "  ended 2018-02-02 06:00Z"
    )
