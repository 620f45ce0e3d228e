"""The forecast on the published year: every reading of the last fifth answered before the next is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from shared.forecasting.model import ZoneDemand
from shared.sites.table import site

if TYPE_CHECKING:
    from pathlib import Path

FIRST_STEP = 2_472_048  # 2017-01-01 00:00 UTC
FIRST_TESTED = 41_932  # 2017-10-19 04:40
LEADS = np.arange(1, 145)


@pytest.mark.real_data
def test_zone_2_is_forecast_as_well_as_measured(real_data_path: Path) -> None:
    """RMSE in kW stays within noise of the measured 223 / 507 / 762 / 871 and 791 on average; 88-92 % are covered."""
    load_kw = np.genfromtxt(real_data_path, delimiter=",", skip_header=1, usecols=(7,))
    calendar = site("tetouan").calendar
    model = ZoneDemand(calendar=calendar).fit(FIRST_STEP, load_kw[:FIRST_TESTED])

    errors_kw = np.full((len(load_kw) - FIRST_TESTED, len(LEADS)), np.nan)
    covered = errors_kw.copy()
    for row, origin in enumerate(range(FIRST_TESTED, len(load_kw))):
        forecast = model.partial_fit(FIRST_STEP + origin, float(load_kw[origin])).predict()
        due_kw = load_kw[origin + 1 : origin + 1 + len(LEADS)]
        known = len(due_kw)
        errors_kw[row, :known] = due_kw - forecast.median_kw[:known]
        low_kw, high_kw = forecast.bounds_kw(0.9)
        covered[row, :known] = (low_kw[:known] <= due_kw) & (due_kw <= high_kw[:known])

    rmse_kw = np.sqrt(np.nanmean(errors_kw**2, axis=0))
    for lead, bar_kw in {1: 226.5, 6: 513.0, 36: 775.0, 144: 885.0}.items():
        assert rmse_kw[lead - 1] <= bar_kw, f"lead {lead}"
    assert rmse_kw.mean() <= 803.0
    coverage = np.nanmean(covered, axis=0)
    assert coverage.min() >= 0.88
    assert coverage.max() <= 0.92
