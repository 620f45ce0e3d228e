"""What other zones have taught: how it is pooled, what it is worth on the first day, and where it does not fit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from shared.forecasting.ladder import ADAPTED, NAMES
from shared.forecasting.method import METHOD
from shared.forecasting.model import ZoneDemand, ZoneForecast
from shared.forecasting.prior import Lesson, Prior, PriorSource
from shared.forecasting.regression import Weights
from shared.sites.calendar import Calendar

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Series = Callable[..., tuple[int, NDArray[np.float64]]]

DAY = 48  # steps of half an hour
RAMADAN = ((date(2017, 5, 27), date(2017, 6, 24)),)
SOURCE = PriorSource("0" * 64, "there", (1, 2), datetime(2017, 1, 1, tzinfo=UTC), datetime(2017, 1, 22, tzinfo=UTC))


def after(model: ZoneDemand, days: int, synthetic: Series, scale: float = 1.0) -> ZoneForecast:
    """Return what the model says after so many days."""
    first_step, load_kw = synthetic(days)
    return model.fit(first_step, scale * load_kw).predict()


def test_a_zone_that_borrows_answers_after_a_week(model: ZoneDemand, synthetic: Series, prior: Prior) -> None:
    """The best level answers a day after the first week, of the load that had taught it, hardly worse than it could.

    One that has begun with nothing says so, and leaves it to the bare shape.
    """
    first_step, load_kw = synthetic(60)
    taught = model.anew().fit(first_step, load_kw[: 35 * DAY])
    errors_kw: dict[str, list[float]] = {"taught": [], "borrowed": [], "alone": []}
    borrowed, alone = (model.anew(prior=one).fit(first_step, load_kw[: 8 * DAY]) for one in (prior, None))
    assert [answer.level for answer in borrowed.predict().answers] == [NAMES[ADAPTED]] * len(borrowed.predict().answers)
    assert all("too little history" in str(answer.reason) for answer in alone.predict().answers)
    for row in range(DAY):
        for name, one, start in (("taught", taught, 35), ("borrowed", borrowed, 8), ("alone", alone, 8)):
            at = start * DAY + row
            forecast = one.partial_fit(first_step + at, float(load_kw[at])).predict()
            errors_kw[name].append(float(np.abs(forecast.median_kw - load_kw[at + 1 : at + 1 + DAY]).mean()))
    found = {name: np.mean(errors) for name, errors in errors_kw.items()}
    assert found["borrowed"] < 1.15 * found["taught"]
    assert found["borrowed"] < 0.9 * found["alone"]


def test_until_it_has_errors_of_its_own_its_intervals_are_those_of_the_shape(
    model: ZoneDemand, synthetic: Series, prior: Prior
) -> None:
    """After eight days they are as wide as those of the level below, which has been scored since the second day."""
    wide = [after(model.anew(prior=one), 8, synthetic) for one in (prior, None)]
    (low_kw, high_kw), (other_low_kw, other_high_kw) = (forecast.bounds_kw(0.9) for forecast in wide)
    np.testing.assert_allclose(high_kw - low_kw, other_high_kw - other_low_kw)


def test_a_load_of_a_thousandth_borrows_the_same(model: ZoneDemand, synthetic: Series, prior: Prior) -> None:
    """All that it says is a thousandth, before the first own day and after some."""
    for days in (8, 12):
        large, small = (after(model.anew(prior=prior), days, synthetic, scale) for scale in (1.0, 1e-3))
        np.testing.assert_allclose(small.median_kw, 1e-3 * large.median_kw, rtol=1e-4)


def test_zones_of_any_size_teach_alike(model: ZoneDemand, synthetic: Series) -> None:
    """The same load in another unit teaches the same; beside the load itself it changes nothing but how sure it is."""
    first_step, load_kw = synthetic(21)
    lessons = [model.anew().fit(first_step, scale * load_kw).lesson(scale * load_kw) for scale in (1.0, 1e-3)]
    one, other = (Prior.pooled([lesson], 30, DAY, SOURCE).weights for lesson in lessons)
    for left, right in zip(one, other, strict=True):
        np.testing.assert_allclose(left, right, atol=2e-3 * float(np.abs(left).max()))
    twice = Prior.pooled([lessons[0], lessons[0]], 30, DAY, SOURCE).weights
    assert np.abs(twice.beta).sum() > np.abs(one.beta).sum()


def test_a_model_keeps_its_prior(model: ZoneDemand, synthetic: Series, prior: Prior, tmp_path: Path) -> None:
    """Saved and loaded it goes on with it, even if it has seen nothing; the state stays below 3 MB."""
    path = tmp_path / "state.npz"
    model = model.anew(prior=prior)
    unborn = ZoneDemand.of_state(model.state())
    assert unborn.prior is not None
    assert unborn.prior.source == prior.source
    after(model, 8, synthetic)
    model.save(path)
    kept = ZoneDemand.load(path).prior
    assert kept is not None
    np.testing.assert_array_equal(kept.weights.gamma, prior.weights.gamma)
    assert path.stat().st_size < 3e6


def test_a_file_gives_back_what_was_saved(prior: Prior, tmp_path: Path) -> None:
    """Weights, shape and source come back; another kind of file, or a torn one, is refused by name."""
    path = tmp_path / "prior.npz"
    prior.save(path)
    read = Prior.load(path)
    assert (read.step_minutes, read.horizon_steps, read.source) == (30, DAY, prior.source)
    for left, right in zip(read.weights, prior.weights, strict=True):
        np.testing.assert_array_equal(left, right)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"prior\.npz is no whole prior state"):
        Prior.load(path)


@pytest.mark.parametrize(
    ("parameters", "line"),
    [
        ({"step_minutes": 60, "horizon_steps": 24}, "step_minutes 30, the zone 60"),
        ({"step_minutes": 30, "horizon_steps": 24}, "horizon_steps 48, the zone 24"),
        (
            {"step_minutes": 30, "horizon_steps": DAY, "method": METHOD.changed({"regression.windows": 6})},
            "windows 4, the zone 6",
        ),
    ],
)
def test_a_prior_that_does_not_fit_is_refused(
    calendar: Calendar, prior: Prior, parameters: dict[str, Any], line: str
) -> None:
    """Before the first reading, with both values and what to do."""
    with pytest.raises(ValueError, match=rf"the prior has {line}: train one on data like the zone's"):
        ZoneDemand(calendar=calendar, prior=prior, **parameters)


def test_weights_that_are_not_finite_are_no_prior(prior: Prior) -> None:
    """A file that was tampered with, or a defect, does not reach a forecast."""
    beta, gamma = prior.weights
    with pytest.raises(ValueError, match="not finite"):
        replace(prior, weights=Weights(np.where(beta == beta.max(), np.nan, beta), gamma))
    with pytest.raises(ValueError, match="columns of a lead"):
        replace(prior, weights=Weights(beta, gamma[..., :-1]))


def test_columns_of_ramadan_on_one_side_alone_weigh_nothing(synthetic: Series, prior: Prior) -> None:
    """A zone with its dates borrows from one without, and the other way round."""
    fasting = ZoneDemand(calendar=Calendar("MA", ramadan=RAMADAN), step_minutes=30, horizon_steps=DAY)
    first_step, load_kw = synthetic(21)
    its = Prior.pooled([fasting.anew().fit(first_step, load_kw).lesson(load_kw)], 30, DAY, SOURCE)
    borrowing = after(fasting.anew(prior=prior), 8, synthetic)
    assert np.isfinite(borrowing.median_kw).all()
    assert its.weights.gamma.shape[2] == prior.weights.gamma.shape[2] + 6
    plain = ZoneDemand(calendar=Calendar("MA"), step_minutes=30, horizon_steps=DAY, prior=its)
    assert np.isfinite(after(plain, 8, synthetic).median_kw).all()


def test_loads_that_are_zero_teach_nothing(model: ZoneDemand, synthetic: Series) -> None:
    """They have no size to go by; beside others they are left out, alone they are refused."""
    first_step, load_kw = synthetic(21)
    lesson = model.anew().fit(first_step, load_kw).lesson(load_kw)
    nothing = Lesson(lesson.regression, 0.0)
    with pytest.raises(ValueError, match="no zone has learned a day of load that is not zero"):
        Prior.pooled([nothing], 30, DAY, SOURCE)
    both, alone = (Prior.pooled(some, 30, DAY, SOURCE).weights.beta for some in ([nothing, lesson], [lesson]))
    np.testing.assert_array_equal(both, alone)


@pytest.mark.parametrize(
    ("data", "zone", "start", "fair"),
    [
        ("0" * 64, 1, datetime(2018, 1, 1, tzinfo=UTC), False),
        ("0" * 64, 2, datetime(2017, 2, 4, tzinfo=UTC), False),
        ("0" * 64, 2, datetime(2017, 2, 5, tzinfo=UTC), True),
        ("1" * 64, 1, datetime(2017, 1, 1, tzinfo=UTC), True),
    ],
)
def test_no_test_scores_what_a_prior_was_trained_on(
    prior: Prior, data: str, zone: int, start: datetime, *, fair: bool
) -> None:
    """Neither its zones, nor other zones of the same data at the same time; other data are fair."""
    assert prior.source.may_judge(data, zone, start) is fair


def test_priors_of_the_same_numbers_are_equal(prior: Prior, tmp_path: Path) -> None:
    """Read from its file it is the same one; with other weights it is not."""
    prior.save(tmp_path / "prior.npz")
    again = Prior.load(tmp_path / "prior.npz")
    beta, gamma = prior.weights
    assert (again, hash(again)) == (prior, hash(prior))
    assert replace(prior, weights=Weights(beta, 2 * gamma)) != prior
    assert replace(prior, source=replace(SOURCE, site="elsewhere")) != prior
