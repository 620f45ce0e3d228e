"""What went over the wire, laid out by origin."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from backtest.transcript import Transcript
from shared.contracts.messages import CleanReading, Flagged, Forecast, Interval, ModelNames

START = datetime(2017, 10, 19, tzinfo=UTC)
HOUR = timedelta(hours=1)


def reading(hour: int, *, flagged: bool = False) -> CleanReading:
    """Return the reading of an hour: 100 kW + the hour."""
    flags = {"zone_2_kw": Flagged(flag="outlier")} if flagged else {}
    return CleanReading(
        site="tetouan", time=START + hour * HOUR, step_minutes=60, values={"zone_2_kw": 100.0 + hour}, flags=flags
    )


def forecast(hour: int, *, kw: float = 50.0, zone: int = 2, estimate_kw: float | None = None) -> Forecast:
    """Return a flat forecast with an interval of 1 kW below and 2 kW above."""
    return Forecast(
        site="tetouan",
        zone=zone,
        origin=START + hour * HOUR,
        step_minutes=60,
        median_kw=(kw,) * 24,
        intervals=(Interval(coverage=0.9, low_kw=(kw - 1,) * 24, high_kw=(kw + 2,) * 24),),
        levels=(),
        weather_estimate_kw=estimate_kw,
        weather_model_kw=None,
        models=ModelNames(demand=None, weather=None),
    )


def transcript(hours: int = 4) -> Transcript:
    """Return an empty transcript with two hours of history."""
    return Transcript(2, START, START + hours * HOUR, 60, history_from=START - 2 * HOUR)


class TestTranscript:
    """Messages in, arrays out."""

    def test_messages_fall_into_place_in_any_order(self) -> None:
        """Readings reach back into the history, forecasts stand by origin, other times are passed over."""
        kept = transcript()
        for hour in (3, -2, 4, 0, -3, 1):
            kept.add_reading(reading(hour))
            kept.add_forecast(forecast(hour, kw=50.0 + hour, estimate_kw=60.0 + hour))
        assert kept.rows == 4
        np.testing.assert_array_equal(kept.demand_kw, [98, np.nan, 100, 101, np.nan, 103])
        issued_kw = [[50, 49, 52], [51, 50, 53], [np.nan] * 3, [53, 52, 55]]
        np.testing.assert_array_equal(kept.issued_kw[:, :, 23], issued_kw)
        np.testing.assert_array_equal(kept.weather_estimate_kw, [60, 61, np.nan, 63])

    def test_the_first_forecast_of_an_origin_counts(self) -> None:
        """A repeated origin changes nothing and is counted."""
        kept = transcript()
        for kw in (50.0, 60.0, 70.0):
            kept.add_forecast(forecast(1, kw=kw))
        assert kept.duplicates == 2
        assert kept.issued_kw[1, 0, 0] == 50

    def test_missing_are_readings_without_a_forecast(self) -> None:
        """A flagged reading is to be answered too; where no reading is, no forecast is missing."""
        kept = transcript()
        for hour in (-1, 0, 1, 3):
            kept.add_reading(reading(hour, flagged=hour == 3))
        kept.add_forecast(forecast(0))
        assert kept.missing() == [START + HOUR, START + 3 * HOUR]
        assert np.isnan(kept.demand_kw[-1])

    def test_strangers_are_refused(self) -> None:
        """Another zone, another step or an empty time is an error that names the field."""
        with pytest.raises(ValueError, match="zone: a forecast of zone 1 in the transcript of zone 2"):
            transcript().add_forecast(forecast(0, zone=1))
        with pytest.raises(ValueError, match="step_minutes: 30 in a transcript of 60"):
            transcript().add_reading(reading(0).model_copy(update={"step_minutes": 30}))
        with pytest.raises(ValueError, match="is not after 2017-10-19"):
            transcript(hours=0)

    def test_a_record_without_history_starts_with_the_test(self) -> None:
        """Then demand and forecasts have the same rows."""
        bare = Transcript(2, START, START + 4 * HOUR, 60)
        bare.add_reading(reading(0))
        np.testing.assert_array_equal(bare.demand_kw, [100, np.nan, np.nan, np.nan])
