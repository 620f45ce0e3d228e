"""What stands beside the algorithms is scored as in a backtest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backtest.compare import beside
from backtest.compare.beside import STREAM, WEATHER_MODEL, StepCosts, naive_results, stream_results
from backtest.compare.results import KNOWS_LOAD, Fingerprint
from backtest.naive import RULES
from shared.training.data import TrainingData
from tests.unit.backtest.transcripts import flat_transcript, result_of
from tests.unit.years import small_year

FINGERPRINT = Fingerprint("f" * 64, "1.2.3")


@pytest.fixture
def costs(monkeypatch: pytest.MonkeyPatch) -> StepCosts:
    """Return what three steps have cost, of two, five and one seconds."""
    clock = iter([0.0, 1.0, 2.0, 7.0, 8.0])
    monkeypatch.setattr(beside, "process_cpu_s", lambda: next(clock))
    told: list[str] = []
    costs = StepCosts(lambda what, _share: told.append(what))
    for what in ("fitting zone-demand", "fitting zone-demand", "fitting weather-demand", "answering", "answering"):
        costs(f"zone 2: {what}", 0.5)
    assert len(told) == 5
    return costs


def test_a_step_has_cost_what_passed_until_the_next_one_began(costs: StepCosts) -> None:
    """However often its progress is told in between; a model that was not fitted has cost nothing."""
    assert (costs.of("zone-demand"), costs.of("weather-demand"), costs.of("other")) == (2.0, 5.0, None)


def test_each_naive_rule_stands_at_each_lead() -> None:
    """Of a daily load "same time yesterday" misses the noise alone, and persistence all of the swing."""
    year = small_year(15, "f" * 64)
    results = naive_results(TrainingData.of(year, 2, year.test_start), FINGERPRINT)
    assert [(result.model, result.lead_minutes) for result in results] == [
        (rule, lead) for lead in (10, 60, 360, 1440) for rule in RULES
    ]
    rmse_kw = {(result.model, result.lead_minutes): result.figures["rmse_kw"] for result in results}
    assert rmse_kw["same time yesterday", 360] == pytest.approx(100 * 2**0.5, rel=0.1)
    assert rmse_kw["persistence", 360] == pytest.approx(4000, rel=0.1)
    assert {result.knows for result in results} == {KNOWS_LOAD}


def test_the_stream_has_the_figures_of_its_backtest(costs: StepCosts) -> None:
    """Forecasts 10 kW, an estimate 30 kW and a weather model 100 kW too high are so at every lead."""
    results = stream_results(result_of(flat_transcript(3)), costs, FINGERPRINT)
    rmse_kw = {(result.model, result.lead_minutes): result.figures["rmse_kw"] for result in results}
    expected: dict[tuple[str, int | None], float] = {(STREAM, lead): 10.0 for lead in (10, 60, 360, 1440)}
    assert rmse_kw == expected | {(WEATHER_MODEL, None): 100.0, (f"{WEATHER_MODEL}, corrected", None): 30.0}
    assert [result.fit_cpu_s for result in results] == [2.0] * 4 + [5.0] * 2
    assert results[0].predict_us == pytest.approx(500)
    assert results[0].parameters


def test_without_a_weather_model_the_stream_stands_alone(costs: StepCosts) -> None:
    """No line is made up."""
    result = replace(result_of(flat_transcript(3)), no_weather="the site has none")
    assert {found.model for found in stream_results(result, costs, FINGERPRINT)} == {STREAM}
