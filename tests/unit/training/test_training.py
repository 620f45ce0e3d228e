"""Training: what is fitted, registered, promoted, and found again."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pytest

from shared.data.year import DataError
from shared.forecasting import model
from shared.forecasting import weather as weather_model
from shared.forecasting.method import WEATHER_METHOD
from shared.forecasting.model import ZoneDemand
from shared.forecasting.weather import WeatherDemand
from shared.runtime.registry import Signature
from shared.sites.site import WEATHER_FIELDS, Measure
from shared.training import training
from shared.training.candidates import WeatherCandidate, ZoneCandidate
from shared.training.data import TrainingData
from shared.training.record import TrainingRecord
from shared.training.training import ensure, train
from tests.unit.states import assert_same

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from shared.data.year import Year
    from shared.runtime.registry import ModelVersion, Registry

START = datetime(2017, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Double:
    """A candidate whose score is what the class says at its fit, and then stays with it."""

    kind: ClassVar[str] = "double"
    criterion: ClassVar[str] = "rmse_kw/mean"
    next_rmse_kw: ClassVar[float] = 100.0
    fits: ClassVar[int] = 0

    def __init__(self, rmse_kw: float) -> None:
        self._rmse_kw = rmse_kw

    @classmethod
    def lacking(cls, history: TrainingData) -> None:
        """Say nothing."""

    @classmethod
    def fit(cls, history: TrainingData, progress: Callable[[float], None]) -> Self:
        """Count the fits."""
        assert history.seen > 0
        progress(1.0)
        cls.fits += 1
        return cls(cls.next_rmse_kw)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the score; a negative one stands for a state that cannot be read."""
        rmse_kw = json.loads((folder / "double.json").read_text())
        if rmse_kw < 0:
            raise ValueError("format 0 is not 1")
        return cls(rmse_kw)

    def save(self, folder: Path) -> None:
        """Write the score."""
        (folder / "double.json").write_text(json.dumps(self._rmse_kw))

    @property
    def parameters(self) -> Mapping[str, object]:
        """None of any interest."""
        return {"trees": 3}

    @property
    def signature(self) -> Signature:
        """Some."""
        return Signature({"step": "long"}, {"median_kw": "doubles"})

    def score(self, history: TrainingData, progress: Callable[[float], None]) -> dict[str, float]:
        """Return the score where something follows."""
        progress(1.0)
        return {self.criterion: self._rmse_kw} if len(history.demand_kw) > history.seen else {}


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> type[Double]:
    """Train nothing but a double under a name of this test's own."""
    kind: type[Double] = type("Double", (Double,), {"kind": request.node.name.replace("_", "-"), "fits": 0})
    monkeypatch.setattr(training, "CANDIDATES", (kind,))
    return kind


def _quiet(_what: str, _share: float) -> None:
    """Take no notice of progress."""


def test_both_models_are_registered_with_their_state(make_year: Callable[..., Year], registry: Registry) -> None:
    """A training registers and promotes both models of a zone; each loads with the state of the last reading seen."""
    year, until = make_year(24, "both"), START + 22 * DAY
    told: list[tuple[str, float]] = []
    report = train(year, until, (1,), registry, lambda what, share: told.append((what, share)))
    demand, weather = (trained.version for trained in report.models)
    last_step = int((until.timestamp() - 600) // 600)
    assert (demand.name, weather.name) == ("zone-demand-tetouan-1", "weather-demand-tetouan-1")
    assert [trained.promoted for trained in report.models] == [True, True]
    assert ZoneDemand.load(registry.fetch(demand) / "state.npz").last_step == last_step
    assert WeatherDemand.load(registry.fetch(weather) / "state.npz").last_step == last_step
    identity = {
        "as_of": "2017-03-22T23:50:00+00:00",
        "data_sha256": "both",
        "data_source": "file",
        "site_digest": demand.tags["site_digest"],
        "weather": "temperature_c+humidity_pct+wind_speed_ms+general_diffuse_flows_wm2+diffuse_flows_wm2",
        "format": f"{model.VERSION}/{weather_model.VERSION}",
        "site": "tetouan",
        "zone": "1",
    }
    record = TrainingRecord.read(registry.fetch(demand))
    assert record is not None
    assert dict(demand.tags) == {**identity, **record.tags}
    assert (record.tags["data_rows"], record.tags["fit_rows"]) == ("3456", "3168")
    assert record.files.keys() == {"state.npz", "reference.parquet"}
    assert record.size_bytes == sum((registry.fetch(demand) / name).stat().st_size for name in record.files)
    assert {"rmse_kw/10", "rmse_kw/60", "rmse_kw/360", "rmse_kw/1440", "rmse_kw/mean", "coverage/mean"} <= set(
        demand.metrics
    )
    assert {"rmse_kw/uncorrected", "rmse_kw/corrected", "mape/corrected", "r2/corrected"} <= set(weather.metrics)
    assert {what for what, _ in told} >= {f"{name}: fitting" for name in (demand.name, weather.name)}
    assert all(0 <= share <= 1 for _, share in told)


def test_zone_scores_are_those_of_one_forecast_at_a_time(make_year: Callable[..., Year]) -> None:
    """The RMSE per lead is that over the pairs whose origin and target both lie after ``until``."""
    history = TrainingData.of(make_year(19, "z"), 2, START + 18 * DAY)
    scored = ZoneCandidate.fit(history, lambda _: None).score(history, lambda _: None)
    model = ZoneCandidate.fit(history, lambda _: None).model
    actual_kw = history.demand_kw[history.seen :]
    medians_kw = np.array(
        [
            model.partial_fit(history.first_step + history.seen + row, kw).predict().median_kw
            for row, kw in enumerate(actual_kw.tolist())
        ]
    )
    for lead in (1, 36):
        errors_kw = medians_kw[:-lead, lead - 1] - actual_kw[lead:]
        assert scored[f"rmse_kw/{10 * lead}"] == pytest.approx(np.sqrt(np.mean(errors_kw**2)), rel=1e-4)


def test_what_follows_too_briefly_has_no_mean_over_leads(make_year: Callable[..., Year]) -> None:
    """With a day after ``until`` no pair reaches 24 h, so that figure and the mean are left out."""
    history = TrainingData.of(make_year(19, "z"), 2, START + 18 * DAY)
    scored = ZoneCandidate.fit(history, lambda _: None).score(history, lambda _: None)
    assert "rmse_kw/360" in scored
    assert not {"rmse_kw/1440", "rmse_kw/mean"} & set(scored)


def test_weather_scores_start_after_until(make_year: Callable[..., Year], tmp_path: Path) -> None:
    """A state that stands earlier is folded on to ``until`` first: no residual of its own is scored."""
    year = make_year(8, "w")
    earlier, later = (TrainingData.of(year, 2, START + days * DAY) for days in (5, 7))
    WeatherCandidate.fit(earlier, lambda _: None).save(tmp_path)
    scored = WeatherCandidate.load(tmp_path).score(later, lambda _: None)
    model = WeatherDemand.load(tmp_path / "state.npz")
    estimate_kw = model.predict(later.steps[later.seen :], later.weather[later.seen :])
    errors_kw = np.round(estimate_kw, 1) - later.demand_kw[later.seen :]
    assert scored["rmse_kw/uncorrected"] == pytest.approx(np.sqrt(np.mean(errors_kw**2)))
    assert scored["rmse_kw/corrected"] != scored["rmse_kw/uncorrected"]


def test_too_little_history_is_refused(make_year: Callable[..., Year], registry: Registry) -> None:
    """Where zone-demand could not answer, the training ends with a line that says how much it needs."""
    with pytest.raises(DataError, match=r"3\.0 days of readings.*about fourteen: choose a later time, or give a file"):
        train(make_year(4, "short"), START + 3 * DAY, (2,), registry, _quiet)


def test_a_load_at_few_of_many_steps_is_told_from_too_short_a_history(make_year: Callable[..., Year]) -> None:
    """A month of half-hour loads at ten minutes does not ask for a later time, but for the step."""
    history = TrainingData.of(make_year(30, "sparse"), 2, START + 28 * DAY)
    half_hours = np.arange(len(history.demand_kw)) % 3 == 0
    sparse = replace(history, demand_kw=np.where(half_hours, history.demand_kw, np.nan))
    with pytest.raises(DataError, match=r"a load at 1,344 of the 4,032 steps of 10 minutes.*give a site.*step_minutes"):
        ZoneCandidate.fit(sparse, lambda _: None)


def without(year: Year, *fields: str) -> Year:
    """Return the year of a site that does not publish these fields."""
    columns = {column: field for column, field in year.site.columns.items() if field not in fields}
    limits = {field: limits for field, limits in year.site.limits.items() if field not in fields}
    place = year.site.model_copy(update={"columns": columns, "limits": limits})
    return replace(year, site=place, rows=year.rows[[place.time_column, *columns]])


def test_load_alone_is_trained_without_a_weather_model(make_year: Callable[..., Year], registry: Registry) -> None:
    """It is not registered, a line says why, and the demand model is the same to the bit as with weather."""
    year, until = make_year(18, "load only"), START + 17 * DAY
    report = train(without(year, *WEATHER_FIELDS), until, (3,), registry, _quiet)
    assert [trained.version.name for trained in report.models] == ["zone-demand-tetouan-3"]
    assert report.models[0].promoted
    assert report.models[0].version.tags["weather"] == "none"
    assert report.absent == ("no weather-demand-tetouan-3: no weather at this site",)
    assert registry.champion("weather-demand-tetouan-3") is None
    alone = ZoneDemand.load(registry.fetch(report.models[0].version) / "state.npz")
    beside = ZoneCandidate.fit(TrainingData.of(year, 3, until), lambda _: None).model
    assert_same(alone.state(), beside.state())


@pytest.mark.parametrize(
    ("held", "gaps"),
    [(("temperature_c",), 0), (("wind_speed_ms",), 3), (("temperature_c", "diffuse_flows_wm2"), 0)],
)
def test_some_of_the_weather_is_what_the_model_is_fitted_on(
    make_year: Callable[..., Year], held: tuple[str, ...], gaps: int
) -> None:
    """The artefact names the fields that there are; each reading with all of them, and no other, has an estimate."""
    history = TrainingData.of(without(make_year(9, "some"), *(set(WEATHER_FIELDS) - set(held))), 2, START + 8 * DAY)
    if gaps:
        history.weather[::gaps] = np.nan
    candidate = WeatherCandidate.fit(history, lambda _: None)
    assert WeatherCandidate.lacking(history) is None
    assert candidate.parameters["fields"] == list(held)
    assert candidate.parameters["method.n_estimators"] == WEATHER_METHOD.n_estimators
    assert set(candidate.signature.inputs) == {"step", *held}
    estimate_kw = candidate.model.predict(history.steps, history.weather)
    assert np.flatnonzero(np.isnan(estimate_kw)).tolist() == (list(range(0, len(estimate_kw), gaps)) if gaps else [])
    assert candidate.score(history, lambda _: None)["r2/uncorrected"] > 0


def test_too_little_weather_is_no_weather_model(make_year: Callable[..., Year]) -> None:
    """Below a week of hours with weather and load there is none, and the reason says how many there are."""
    history = TrainingData.of(make_year(12, "late"), 2, START + 11 * DAY)
    history.weather[: 5 * 144] = np.nan
    assert WeatherCandidate.lacking(history) == (
        "144 hours up to 2017-03-11 23:50 have temperature_c, humidity_pct, wind_speed_ms, "
        "general_diffuse_flows_wm2, diffuse_flows_wm2 and load, 168 are needed"
    )
    history.weather[:] = np.nan
    assert str(WeatherCandidate.lacking(history)).startswith("0 hours up to 2017-03-11 23:50 have temperature_c")


def test_weather_once_an_hour_is_enough(make_year: Callable[..., Year]) -> None:
    """A station that reports hourly beside a meter that reports every ten minutes is no gap in the weather."""
    history = TrainingData.of(make_year(8, "hourly"), 2, START + 7 * DAY)
    history.weather[np.arange(len(history.weather)) % 6 > 0] = np.nan
    assert WeatherCandidate.lacking(history) is None


def test_a_champion_whose_fields_are_gone_is_replaced(make_year: Callable[..., Year], registry: Registry) -> None:
    """It says nothing of rows that no longer hold them, so that the one fitted on what is left takes over."""
    year, until = make_year(18, "gone"), START + 17 * DAY
    train(year, until, (1,), registry, _quiet)
    gone = replace(year, rows=year.rows.assign(Humidity=""))
    (_, weather) = train(gone, until, (1,), registry, _quiet).models
    assert weather.promoted
    assert weather.reason.endswith(" says nothing of these readings")


def test_nothing_is_registered_before_all_is_fitted(
    make_year: Callable[..., Year], registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who finds a demand model finds its weather model too: that is registered first, but not without the other."""
    year, register = make_year(18, "order"), registry.register
    names: list[str] = []

    def noted(name: str, *args: Any, **kwargs: Any) -> ModelVersion:
        names.append(name)
        return register(name, *args, **kwargs)

    monkeypatch.setattr(registry, "register", noted)
    with pytest.raises(DataError, match="too few for zone-demand"):
        ensure(year, START + 9 * DAY, (2,), registry, _quiet)
    assert names == []
    ensure(year, START + 17 * DAY, (2,), registry, _quiet)
    assert names == ["weather-demand-tetouan-2", "zone-demand-tetouan-2"]


def test_the_better_one_is_the_champion(
    make_year: Callable[..., Year], registry: Registry, double: type[Double]
) -> None:
    """A challenger that is better on what follows is promoted; a worse or an equal one of the same age stays behind."""
    year, until = make_year(3, "judged"), START + 2 * DAY
    verdicts = []
    for rmse_kw in (100.0, 120.0, 100.0, 90.0):
        double.next_rmse_kw = rmse_kw
        verdicts.append(train(year, until, (2,), registry, _quiet).models[0])
    assert [verdict.promoted for verdict in verdicts] == [True, False, False, True]
    assert verdicts[1].reason == f"rmse_kw/mean 120 kW against 100 kW of {verdicts[0].version.label}: worse"
    assert registry.champion(verdicts[0].version.name) == verdicts[3].version
    name = verdicts[0].version.name
    assert registry.aliases(name)[name] == {"champion": "4", "previous": "1", "challenger": "3"}


def test_a_champion_of_other_data_is_replaced(
    make_year: Callable[..., Year], registry: Registry, double: type[Double]
) -> None:
    """Scores on other data say nothing: the challenger is promoted, and the report says why."""
    double.next_rmse_kw = 10.0
    train(make_year(3, "theirs"), START + 2 * DAY, (2,), registry, _quiet)
    double.next_rmse_kw = 1000.0
    trained = train(make_year(3, "ours"), START + 2 * DAY, (2,), registry, _quiet).models[0]
    assert (trained.promoted, trained.reason) == (True, f"{trained.version.name}/1 was fitted on other data (file)")


def test_models_of_another_table_of_the_site_are_others(
    make_year: Callable[..., Year], registry: Registry, double: type[Double]
) -> None:
    """In another unit the same file holds other numbers: nothing is found again, left as it is, or compared."""
    year, until = make_year(3, "another table"), START + 2 * DAY
    watts = {f"zone_{zone}_kw": Measure(unit="W") for zone in (1, 2, 3)}
    in_watts = replace(year, site=year.site.model_copy(update={"measures": watts}))
    double.next_rmse_kw = 10.0
    (first,) = train(year, until, (2,), registry, _quiet).models
    double.next_rmse_kw = 1000.0
    (fitted,) = ensure(in_watts, until, (2,), registry, _quiet).models
    (trained,) = train(in_watts, until, (2,), registry, _quiet, if_missing=True).models
    assert double.fits == 3
    assert fitted.version != first.version
    why = f"{first.version.label} was fitted on these data, read by another table of the site"
    assert (trained.promoted, trained.reason) == (True, why)


def test_a_champion_that_has_seen_the_window_stays(
    make_year: Callable[..., Year], registry: Registry, double: type[Double]
) -> None:
    """A challenger fitted up to an earlier time cannot be compared; it is registered and not promoted."""
    year = make_year(4, "seen")
    train(year, START + 3 * DAY, (2,), registry, _quiet)
    double.next_rmse_kw = 1.0
    trained = train(year, START + 2 * DAY, (2,), registry, _quiet).models[0]
    assert not trained.promoted
    assert "has seen readings up to 2017-03-03T23:50:00+00:00" in trained.reason


def test_a_champion_that_cannot_be_read_is_replaced(
    make_year: Callable[..., Year], registry: Registry, double: type[Double]
) -> None:
    """A state of another format must not keep the next one from being promoted."""
    double.next_rmse_kw = -1.0
    train(make_year(3, "old"), START + 2 * DAY, (2,), registry, _quiet)
    double.next_rmse_kw = 100.0
    trained = train(make_year(3, "old"), START + 2 * DAY, (2,), registry, _quiet).models[0]
    assert trained.promoted
    assert "cannot be used any more (format 0 is not 1)" in trained.reason


def test_ensure_fits_what_is_missing_and_nothing_else(
    make_year: Callable[..., Year], registry: Registry, double: type[Double]
) -> None:
    """The same data up to the same reading is fitted once; another time or zone is another version."""
    year, until = make_year(3, "ensured"), START + 2 * DAY
    (first,) = ensure(year, until, (2,), registry, _quiet).models
    again = ensure(year, until, (2, 3), registry, _quiet).models
    assert double.fits == 2
    assert [trained.version.name for trained in again] == [f"{double.kind}-tetouan-2", f"{double.kind}-tetouan-3"]
    assert first.version == again[0].version
    (earlier,) = ensure(year, until - timedelta(hours=1), (2,), registry, _quiet).models
    assert double.fits == 3
    assert earlier.version.tags["as_of"] == "2017-03-02T22:50:00+00:00"


def test_ensure_never_makes_a_champion(
    make_year: Callable[..., Year], registry: Registry, double: type[Double]
) -> None:
    """What nobody has scored is registered for the one who asked for it, and for nobody else."""
    ensure(make_year(3, "unscored"), START + DAY, (2,), registry, _quiet)
    assert registry.champion(f"{double.kind}-tetouan-2") is None


def test_an_invented_year_never_replaces_a_measured_one(
    make_year: Callable[..., Year], registry: Registry, double: type[Double]
) -> None:
    """However good it is there: a model of the synthetic year does not take over from one of real readings."""
    measured = train(make_year(3, "measured"), START + 2 * DAY, (2,), registry, _quiet).models[0]
    double.next_rmse_kw = 1.0
    invented = replace(make_year(3, "invented"), source="synthetic")
    assert not train(invented, START + 2 * DAY, (2,), registry, _quiet).models[0].promoted
    assert registry.champion(measured.version.name) == measured.version


def test_ensure_replaces_a_version_that_cannot_be_read(
    make_year: Callable[..., Year], registry: Registry, double: type[Double]
) -> None:
    """What an other release left in a format of its own is fitted anew."""
    year, until = make_year(3, "unreadable"), START + 2 * DAY
    double.next_rmse_kw = -1.0
    ensure(year, until, (2,), registry, _quiet)
    double.next_rmse_kw = 100.0
    (anew,) = ensure(year, until, (2,), registry, _quiet).models
    assert anew.version.version == "2"


def test_a_champion_that_has_seen_just_these_readings_can_be_left(
    make_year: Callable[..., Year], registry: Registry, double: type[Double]
) -> None:
    """With ``if_missing`` nothing is fitted a second time; other readings, or files that are lost, are fitted."""
    year, until = make_year(3, "left"), START + 2 * DAY
    train(year, until, [2], registry, _quiet, if_missing=True)
    (kept,) = train(year, until, [2], registry, _quiet, if_missing=True).models
    assert (double.fits, kept.version.version, kept.promoted) == (1, "1", True)
    train(year, until + timedelta(hours=1), [2], registry, _quiet, if_missing=True)
    assert double.fits == 2
    (registry.fetch(registry.get(kept.version.name, "2")) / "double.json").unlink()
    train(year, until + timedelta(hours=1), [2], registry, _quiet, if_missing=True)
    assert double.fits == 3


def test_what_a_rollback_has_left_does_not_come_back_by_a_training(
    make_year: Callable[..., Year], registry: Registry, double: type[Double]
) -> None:
    """The same readings make the same model: with ``if_missing`` it is not fitted, and never promoted."""
    until = START + 2 * DAY
    train(make_year(3, "before"), until, [2], registry, _quiet)
    year = make_year(3, "rolled-back")
    (left,) = train(year, until, [2], registry, _quiet).models
    assert left.promoted
    before = registry.get(left.version.name, "1")
    registry.roll_back(before, "it forecasts nonsense")
    (kept,) = train(year, until, [2], registry, _quiet, if_missing=True).models
    assert (double.fits, kept.version.version, kept.promoted) == (2, "1", True)
    assert kept.reason == f"{left.version.label}, which has seen just these readings, was rolled back"
    (again,) = train(year, until, [2], registry, _quiet).models
    assert not again.promoted
    assert f"{left.version.label}, fitted on just these readings, was rolled back" in again.reason
    assert registry.champion(left.version.name) == registry.get(before.name, "1")
    assert registry.called(before.name, "challenger") == again.version
