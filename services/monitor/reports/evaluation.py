"""One report: Evidently's drift of each column, and the quality of the forecasts, of a window against the training."""

from __future__ import annotations

import base64
import json
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import evidently
import pandas as pd
from evidently import DataDefinition, Dataset, Regression
from evidently.core.metric_types import render_widgets
from evidently.legacy.renderers.html_widgets import header_text, text_widget
from evidently.metrics import MAE, RMSE, DriftedColumnsCount, R2Score, ValueDrift
from evidently.tests import Reference, gte, lte
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from services.monitor.reports.request import Figures, ForecastQuality, Report, change
from services.monitor.reports.sufficiency import sufficient_columns, sufficient_pairs
from shared.forecasting.reference import forecast_column, judged_groups, load_column

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.monitor.reports.request import ReportRequest
    from shared.forecasting.leads import LeadGroup

__all__ = ["STATIC", "STATIC_FILES", "Evaluation"]

TIME_AXIS = "UTC"
METHOD, THRESHOLD = "wasserstein", 0.1  # Evidently's own choice and threshold for numbers in large samples
METHOD_NAME = "Wasserstein distance in standard deviations of the reference"
RMSE_RISE, MAE_RISE, R2_FALL = 0.1, 0.1, 0.05

STATIC = f"evidently-{evidently.__version__}"
"""The folder with ``STATIC_FILES`` beside those of the zones: a page that embeds them is 3.7 MB larger."""

STATIC_FILES = tuple(
    Path(evidently.__file__).parent / "nbextension" / "static" / name
    for name in ("index.js", "material-ui-icons.woff2")
)

CAUTION = (
    f"For comparison: nothing here alerts. Drift is the {METHOD_NAME}; a column counts as drifted from {THRESHOLD} on. "
    "The tests are textbook rules: RMSE and MAE at most 10 % above the reference, R2 at most 5 % below it. Load and "
    "weather resemble what they were ten minutes before and change with the season, so such rules are in alarm most of "
    "the time: they tell how a window differs from the training, not that something is wrong. Drift events alert."
)


class Evaluation:
    """A report with the runs of Evidently that it comes from.

    Parameters
    ----------
    request
        The window.
    hours
        The reference, with the columns of the request.
    """

    def __init__(self, request: ReportRequest, hours: pd.DataFrame) -> None:
        self._request = request
        self._steps_a_day = 24 * 60 // request.step_minutes
        self._current = pd.DataFrame(request.table, columns=list(request.columns), index=_times(request))
        self._hours = hours
        self._runs: dict[str, Any] = {}
        self.report = self._evaluate()

    @property
    def html(self) -> str:
        """The page, which loads script and font from the folder ``STATIC`` beside its own."""
        request, lacking = self._request, self.report.insufficient
        until = f"{request.until:%Y-%m-%d %H:%M} UTC"
        title = f"{request.site} zone {request.zone}: the {request.window_days} days up to {until}"
        text = f"Compared with the training of {request.model}."
        text += f" Too few values to compare: {', '.join(lacking)}." if lacking else ""
        sections = (widget for name, run in self._runs.items() for widget in _section(name, run))
        return _lean(str(render_widgets([header_text(label=title), text_widget(text=f"{text} {CAUTION}"), *sections])))

    @property
    def json(self) -> str:
        """The figures of the report, and under ``evidently`` all that Evidently says."""
        evidence = {name: json.loads(run.json()) for name, run in self._runs.items()}
        return json.dumps({**self.report.model_dump(mode="json"), "evidently": evidence}, indent=1)

    def _evaluate(self) -> Report:
        request = self._request
        forecasts = {forecast_column(group): group for group in judged_groups(request.step_minutes)}
        values = [column for column in request.columns if column not in forecasts]
        usable = sufficient_columns(self._current[values], self._hours[values], self._steps_a_day)
        drift, share = self._drift(usable) if usable else ({}, None)
        quality = {column: self._quality(column, lead) for column, lead in forecasts.items()}
        judged = {column: one for column, one in quality.items() if one is not None}
        return Report(
            site=request.site,
            zone=request.zone,
            window_days=request.window_days,
            since=request.since,
            until=request.until,
            model=request.model,
            drift_method=METHOD_NAME,
            drift_threshold=THRESHOLD,
            drift=drift,
            drift_share=share,
            quality=tuple(judged.values()),
            insufficient=tuple(column for column in request.columns if column not in {*usable, *judged}),
        )

    def _drift(self, columns: list[str]) -> tuple[dict[str, float], float]:
        """Return the score of each column, and the share of them that count as drifted."""
        metrics = [
            DriftedColumnsCount(columns=columns, num_method=METHOD, num_threshold=THRESHOLD),
            *(ValueDrift(column=column, method=METHOD, threshold=THRESHOLD) for column in columns),
        ]
        definition = DataDefinition(numerical_columns=columns)
        title = "Drift of the load" if columns == [load_column(self._request.zone)] else "Drift of weather and load"
        run = self._run(title, metrics, self._current[columns], self._hours[columns], definition)
        count, *scores = (metric["value"] for metric in run.dict()["metrics"])
        return dict(zip(columns, map(float, scores), strict=True)), float(count["share"])

    def _quality(self, column: str, group: LeadGroup) -> ForecastQuality | None:
        """Return how good the forecasts of a lead group were, None where too few have come due."""
        target = load_column(self._request.zone)
        current, before = (table[[target, column]].dropna() for table in (self._current, self._hours))
        if not sufficient_pairs(current, before, self._steps_a_day):
            return None
        metrics = [
            RMSE(tests=[lte(Reference(relative=RMSE_RISE))]),
            MAE(mean_tests=[lte(Reference(relative=MAE_RISE))]),
            R2Score(tests=[gte(Reference(relative=R2_FALL))]),
        ]
        definition = DataDefinition(
            numerical_columns=[target, column], regression=[Regression(target=target, prediction=column)]
        )
        title = f"Forecasts {group.shown} ahead"
        evaluated = self._run(title, metrics, current, before, definition).dict()
        rmse_kw, mae_kw, r2 = (metric["value"] for metric in evaluated["metrics"])
        now, then = Figures(rmse=rmse_kw, mae=mae_kw["mean"], r2=r2), _figures(before[target], before[column])
        return ForecastQuality(
            lead_minutes=group.lead_minutes,
            pairs=len(current),
            reference_pairs=len(before),
            current=now,
            reference=then,
            change=change(now, then),
            passed=all(test["status"].value == "SUCCESS" for test in evaluated["tests"]),
        )

    def _run(
        self, title: str, metrics: list[Any], current: pd.DataFrame, before: pd.DataFrame, definition: DataDefinition
    ) -> Any:
        current, before = (Dataset.from_pandas(table, data_definition=definition) for table in (current, before))
        run = self._runs[title] = evidently.Report(metrics, include_tests=True).run(current, before)
        return run


def _figures(actual_kw: pd.Series[float], forecast_kw: pd.Series[float]) -> Figures:
    """Return the figures of the reference by the functions that Evidently calls; it only shows them as text."""
    return Figures(
        rmse=root_mean_squared_error(actual_kw, forecast_kw),
        mae=mean_absolute_error(actual_kw, forecast_kw),
        r2=r2_score(actual_kw, forecast_kw),
    )


def _times(request: ReportRequest) -> pd.DatetimeIndex:
    """Return the time of each row, by which Evidently draws its charts; without a zone, as it knows none."""
    until = request.until.astimezone(UTC).replace(tzinfo=None)
    step = pd.Timedelta(minutes=request.step_minutes)
    return pd.date_range(end=until, periods=len(request.table), freq=step, name=TIME_AXIS)


def _section(title: str, run: Any) -> Iterator[Any]:
    shown = run.to_snapshot_model()
    yield header_text(label=title)
    yield from shown.widgets
    yield from shown.tests_widgets


def _lean(page: str) -> str:
    """Return the page with links in place of the embedded files; one that embeds something else stays as it is."""
    script, font = STATIC_FILES
    embedded_font = base64.b64encode(font.read_bytes()).decode()
    page = page.replace(f"data:font/ttf;base64,{embedded_font}", f"../{STATIC}/{font.name}")
    return page.replace(
        f"<script>{script.read_text(encoding='utf-8')}</script>", f'<script src="../{STATIC}/{script.name}"></script>'
    )
