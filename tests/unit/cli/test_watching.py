"""What `tetouan watch` prints."""

from __future__ import annotations

from cli.watching import forecast_line, reading_line
from tests.unit.cli.test_summary import forecast, reading


def test_a_forecast_is_one_line_with_three_leads_and_their_interval() -> None:
    """Origin, zone, the leads an operator asks for, and the rung."""
    assert forecast_line(forecast(1)) == (
        "2018-02-01 00:10  tetouan zone 2  +10 min 20,000 kW [20,000..20,000]  +1 h 20,000 kW [20,000..20,000]  "
        "+24 h 20,000 kW [20,000..20,000]  adapted"
    )


def test_a_missing_value_is_a_dash_with_its_flag() -> None:
    """A reading shows every field; what is missing says so."""
    assert reading_line(reading(0, None)) == "2018-02-01 00:00  tetouan  zone_2_kw=-  zone_2_kw: missing"
    assert reading_line(reading(0)) == "2018-02-01 00:00  tetouan  zone_2_kw=20000"
