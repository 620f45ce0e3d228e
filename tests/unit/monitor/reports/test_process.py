"""The process that makes reports, as the monitor runs it: requests in, files and figures out."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from services.monitor.reports.request import Report, ReportRequest, ReportResult
from services.monitor.reports.scheduler import COMMAND
from shared.forecasting.reference import FILE
from shared.forecasting.weather import COLUMNS
from shared.runtime.registry import Registry, Signature
from tests.unit.monitor.reports.written import MIDNIGHT

if TYPE_CHECKING:
    from pathlib import Path

NAMES = (*COLUMNS, "zone_2_kw", "forecast_60_min_kw", "forecast_1440_min_kw")
WEEK = 1008
TIMEOUT_S = 300.0
SAME, RISEN, DARK, BARE = 3, 4, 5, 6  # the requests that come to reports


def rows(steps: int, step_minutes: int, seed: int) -> np.ndarray:
    """Return weather spread evenly over 10 to 30, a load with a daily cycle, forecasts that err by 300 and 600 kW."""
    rng = np.random.default_rng(seed)
    load_kw = 20_000 + 5_000 * np.sin(2 * np.pi * np.arange(steps) * step_minutes / 1440) + rng.normal(0, 100, steps)
    forecasts_kw = [load_kw + rng.normal(0, error_kw, steps) for error_kw in (300, 600)]
    weather = [rng.permutation(np.linspace(10, 30, steps)) for _ in COLUMNS]
    return np.column_stack((*weather, load_kw, *forecasts_kw))


@dataclass(frozen=True)
class Made:
    """What has come of the requests, in their order."""

    answers: tuple[ReportResult, ...]
    folder: Path

    def report(self, number: int) -> Report:
        """Return the report that a request came to."""
        report = self.answers[number].report
        assert report is not None, self.answers[number].error
        return report


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Have one process carry out seven requests: it takes seven seconds to start, so there is one for all tests."""
    folder = tmp_path_factory.mktemp("reports")
    artefact = folder / "artefact"
    artefact.mkdir()
    hours = pd.DataFrame(rows(60 * 24, 60, seed=1), columns=list(NAMES))
    hours.to_parquet(artefact / FILE)
    uri, root = f"sqlite:///{folder / 'mlflow.db'}", folder / "artifacts"
    model = Registry(uri, root).register(
        "zone-demand-tetouan-2",
        artefact,
        params={},
        metrics={},
        tags={},
        signature=Signature({"step": "long"}, {"median_kw": "doubles"}),
        run_name="reference",
    )
    (folder / "a file").touch()

    def request(week: np.ndarray, day: int, report_dir: str = "out", label: str = model.label) -> ReportRequest:
        return ReportRequest(
            site="tetouan",
            zone=2,
            window_days=7,
            until=MIDNIGHT + timedelta(days=day),
            step_minutes=10,
            model=label,
            columns=NAMES,
            rows=week.tobytes(),
            registry_uri=uri,
            artifact_root=root,
            report_dir=folder / report_dir,
            kept=7,
        )

    same, risen, dark = (rows(WEEK, 10, seed) for seed in (2, 3, 4))
    risen[:, NAMES.index("zone_2_kw")] *= 1.3
    dark[:, NAMES.index("humidity_pct")] = np.nan
    dark[:, NAMES.index("zone_2_kw")] = 0.0
    dark[100:, NAMES.index("forecast_1440_min_kw")] = np.nan
    requests = (
        request(same, 0, label="<b>nobody"),
        request(same, 0, label="zone-demand-tetouan-2/99"),
        request(same, 0, report_dir="a file"),
        request(same, 0),
        request(risen, 1),
        request(dark, 2),
        request(same[:, len(COLUMNS) :], 3).model_copy(update={"columns": NAMES[len(COLUMNS) :]}),
    )
    ran = subprocess.run(
        [sys.executable, *COMMAND],
        input="".join(f"{one.model_dump_json()}\n" for one in requests),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return Made(tuple(map(ReportResult.model_validate_json, ran.stdout.splitlines())), folder / "out")


def test_a_window_like_the_training_shows_no_drift(made: Made) -> None:
    """Its scores are below the threshold, its errors near those of the reference, and the textbook tests pass."""
    report = made.report(SAME)
    assert report.drift_share == 0.0
    assert set(report.drift) == set(NAMES[:6])
    assert max(report.drift.values()) < report.drift_threshold
    assert [(one.lead_minutes, one.pairs, one.reference_pairs, one.passed) for one in report.quality] == [
        (60, WEEK, 1440, True),
        (1440, WEEK, 1440, True),
    ]
    for one, error_kw in zip(report.quality, (300, 600), strict=True):
        assert one.current.rmse == pytest.approx(error_kw, rel=0.1)
        assert one.change.rmse == pytest.approx(0, abs=0.1)
    assert report.insufficient == ()


def test_a_load_that_rose_by_a_third_drifts_and_is_forecast_badly(made: Made) -> None:
    """The load's column alone drifts; RMSE and MAE rise, R2 falls, and the tests fail at both lead times."""
    same, risen = made.report(SAME), made.report(RISEN)
    assert risen.drift_share == pytest.approx(1 / 6)
    assert risen.drift["zone_2_kw"] > max(same.drift.values())
    assert risen.drift["zone_2_kw"] > risen.drift_threshold
    for one in risen.quality:
        assert one.change.rmse is not None
        assert one.change.mae is not None
        assert one.change.r2 is not None
        assert (one.change.rmse > 5, one.change.mae > 5, one.change.r2 < -0.05, one.passed) == (True, True, True, False)


def test_an_empty_column_costs_only_itself(made: Made) -> None:
    """What has no values is named, what has some is compared, and a load of zero is judged by no lead time."""
    report = made.report(DARK)
    assert report.insufficient == ("humidity_pct", "forecast_60_min_kw", "forecast_1440_min_kw")
    assert set(report.drift) == set(NAMES[:6]) - {"humidity_pct"}
    assert report.quality == ()


def test_a_site_without_weather_is_compared_by_its_load(made: Made) -> None:
    """Nothing is said to be missing: the load and its forecasts are all that there is, whatever the training had."""
    report = made.report(BARE)
    assert (set(report.drift), report.insufficient) == ({"zone_2_kw"}, ())
    assert report.quality == made.report(SAME).quality
    page = (made.folder / "tetouan-2" / "2017-10-29T0000Z-7d.html").read_text()
    assert "Drift of the load" in page
    assert "Drift of weather" not in page


def test_what_the_operator_can_mend_is_answered_in_a_line(made: Made) -> None:
    """A name that is no model, a version that is not there, a folder that is none are refused; the next is made."""
    errors = [answer.error for answer in made.answers[:SAME]]
    assert errors[0] == "the forecasts are of '<b>nobody', which is no name/version: check who publishes them"
    assert "run `tetouan train`" in str(errors[1])
    assert "set TETOUAN_REPORT_DIR to a folder that can be written" in str(errors[2])
    assert all("\n" not in str(error) for error in errors)


def test_the_files_hold_the_figures_and_the_page(made: Made) -> None:
    """The JSON has the figures and Evidently's own; the page has its charts and says that nothing in it alerts."""
    folder = made.folder / "tetouan-2"
    written = json.loads((folder / "2017-10-26T0000Z-7d.json").read_text())
    assert Report.model_validate(written) == made.report(SAME)
    assert [len(run["tests"]) for run in written["evidently"].values()] == [7, 3, 3]
    page = (folder / "2017-10-26T0000Z-7d.html").read_text()
    for shown in (
        "the 7 days up to 2017-10-26 00:00 UTC",
        "nothing here alerts",
        "Forecasts 24 h ahead",
        "drawDashboard",
    ):
        assert shown in page


def test_the_charts_are_drawn_by_time(made: Made) -> None:
    """The mean of each hour, from the first to the last reading of the window."""
    page = (made.folder / "tetouan-2" / "2017-10-26T0000Z-7d.html").read_text()
    assert page.count('"UTC (hour)"') == len(NAMES[:6])
    assert "Index binned" not in page
    for hour in ("2017-10-19T00:00:00", "2017-10-26T00:00:00"):
        assert hour in page


def test_a_page_is_small_because_its_script_stands_beside_it(made: Made) -> None:
    """It takes a tenth of what it would with script and font in it, and both are where it looks for them."""
    page = made.folder / "tetouan-2" / "latest-7d.html"
    assert page.stat().st_size < 500_000
    (beside,) = made.folder.glob("evidently-*")
    assert f'<script src="../{beside.name}/index.js"></script>' in page.read_text()
    assert {path.name for path in beside.iterdir()} == {"index.js", "material-ui-icons.woff2"}
