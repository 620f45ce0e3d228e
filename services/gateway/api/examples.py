"""An example of each answer, for the OpenAPI document: what a gateway says of the built-in site."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from services.gateway.api import documents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

__all__ = ["EXAMPLES", "Example"]


class Example(NamedTuple):
    """The same answer as JSON and as CSV."""

    json: dict[str, Any]
    csv: str


MODELS = {"demand": "zone-demand-tetouan-2/1", "weather": "weather-demand-tetouan-2/1"}
SITE = {
    "site": "tetouan",
    "step_minutes": 10,
    "first": "2017-10-19T00:00:00Z",
    "last": "2017-10-21T01:50:00Z",
}
SITE_ROW = "tetouan,10,2017-10-19T00:00:00Z,2017-10-21T01:50:00Z"
FORECAST = {
    "site": "tetouan",
    "zone": 2,
    "origin": "2017-10-19T04:40:00Z",
    "age_s": 600,
    "models": MODELS,
    "product": "rolling",
    "step_minutes": 10,
    "leads": [1, 6],
    "median_kw": [17214.3, 18002.6],
    "intervals": [{"coverage": 0.9, "low_kw": [16890.1, 17120.4], "high_kw": [17541.9, 18877.2]}],
    "levels": [
        {"from_lead": 1, "to_lead": 3, "level": "adapted", "reason": None},
        {"from_lead": 4, "to_lead": 144, "level": "frozen", "reason": "odd day"},
    ],
    "weather_estimate_kw": 17105.2,
    "weather_model_kw": 16120.0,
    "notes": [{"kind": "shift", "text": "the load has risen by 3 %", "since": "2017-10-18T07:00:00Z"}],
    "moved": None,
}
FORECAST_HEADING = "site,zone,origin,time,lead_minutes,median_kw,low_90_kw,high_90_kw,level,reason,demand_model,age_s"
ORIGIN = "tetouan,2,2017-10-19T04:40:00Z"
FORECAST_ROWS = (
    f"{ORIGIN},2017-10-19T04:50:00Z,10,17214.3,16890.1,17541.9,adapted,,{MODELS['demand']},600",
    f"{ORIGIN},2017-10-19T05:40:00Z,60,18002.6,17120.4,18877.2,frozen,odd day,{MODELS['demand']},600",
)
SCORE = {
    "lead_minutes": 60,
    "scored_minutes": 60,
    "window_days": 7,
    "rmse_kw": 498.2,
    "mae_kw": 361.7,
    "mape": 0.019,
    "bias_kw": -12.4,
    "coverage": 0.902,
    "pinball_kw": 51.3,
    "skill_vs_same_time_yesterday": 0.61,
}
DRIFT_EVENT = {
    "schema_version": 1,
    "id": "tetouan-2-residual_6h-2017-10-19T01:10:00Z",
    "site": "tetouan",
    "zone": 2,
    "kind": "sensor",
    "feature": "zone_2_kw",
    "detector": "residual_6h",
    "score": 3.1,
    "threshold": 2.6,
    "severity": "warning",
    "started": "2017-10-19T01:10:00Z",
    "ended": None,
    "text": "the load departs from the forecast: look at the meter of zone 2",
}


def _page(item: Mapping[str, Any], following: str | None = None) -> dict[str, Any]:
    return {"items": [item], "next": following}


def _csv(*lines: str) -> str:
    return "".join(f"{line}\r\n" for line in lines)


EXAMPLES: Mapping[type[BaseModel], Example] = {
    documents.SitePage: Example(_page(SITE), _csv("site,step_minutes,first,last", SITE_ROW)),
    documents.ZonesOfSite: Example(
        {
            **SITE,
            "zones": [{"zone": 2, "first_origin": "2017-10-19T00:00:00Z", "last_origin": "2017-10-21T01:00:00Z"}],
        },
        _csv("site,zone,first_origin,last_origin", "tetouan,2,2017-10-19T00:00:00Z,2017-10-21T01:00:00Z"),
    ),
    documents.ReadingPage: Example(
        _page(
            {
                "time": "2017-10-19T04:40:00Z",
                "step_minutes": 10,
                "revision": 0,
                "values": {"temperature_c": 18.2, "zone_2_kw": None},
                "flags": {"zone_2_kw": {"flag": "outlier", "original": "1e9"}},
            },
            "1508388600",
        ),
        _csv(
            "site,time,revision,temperature_c,zone_2_kw,temperature_c_flag,temperature_c_original,zone_2_kw_flag,"
            "zone_2_kw_original",
            "tetouan,2017-10-19T04:40:00Z,0,18.2,,,,outlier,1e9",
        ),
    ),
    documents.StoredForecastDocument: Example(FORECAST, _csv(FORECAST_HEADING, *FORECAST_ROWS)),
    documents.ForecastPage: Example(_page(FORECAST, "1508388600"), _csv(FORECAST_HEADING, *FORECAST_ROWS)),
    documents.TargetDocument: Example(
        {
            "site": "tetouan",
            "zone": 2,
            "target": "2017-10-19T18:00:00Z",
            "demand_kw": 28014.6,
            "forecasts": [
                {
                    "origin": "2017-10-19T17:00:00Z",
                    "age_s": 7200,
                    "lead_minutes": 60,
                    "median_kw": 27855.1,
                    "intervals": [{"coverage": 0.9, "low_kw": 27011.7, "high_kw": 28690.3}],
                    "level": "adapted",
                    "reason": None,
                    "models": MODELS,
                }
            ],
        },
        _csv(
            f"{FORECAST_HEADING},demand_kw",
            "tetouan,2,2017-10-19T17:00:00Z,2017-10-19T18:00:00Z,60,27855.1,27011.7,28690.3,adapted,,"
            "zone-demand-tetouan-2/1,7200,28014.6",
        ),
    ),
    documents.ScoresPage: Example(
        _page({"time": "2017-10-19T05:00:00Z", "scores": [SCORE]}),
        _csv(
            "site,zone,time,lead_minutes,scored_minutes,window_days,rmse_kw,mae_kw,mape,bias_kw,coverage,pinball_kw,"
            "skill_vs_same_time_yesterday",
            "tetouan,2,2017-10-19T05:00:00Z,60,60,7,498.2,361.7,0.019,-12.4,0.902,51.3,0.61",
        ),
    ),
    documents.DriftEventPage: Example(
        _page(DRIFT_EVENT),
        _csv(",".join(DRIFT_EVENT), ",".join("" if value is None else str(value) for value in DRIFT_EVENT.values())),
    ),
    documents.ModelPage: Example(
        _page(
            {
                "zone": 2,
                "model": "weather-demand-tetouan-2",
                "version": "1",
                "is_champion": True,
                "in_force_since": "2017-10-19T00:10:00Z",
                "metrics": {"rmse_kw/raw": 1612.4, "rmse_kw/corrected": 1034.9},
                "changes": [
                    {
                        "role": "champion",
                        "change": "in_force",
                        "origin": "2017-10-19T00:10:00Z",
                        "reason": "it is the champion of the registry",
                    }
                ],
            }
        ),
        _csv(
            "site,zone,model,version,is_champion,in_force_since,last_change,origin,rmse_kw/raw,rmse_kw/corrected",
            "tetouan,2,weather-demand-tetouan-2,1,true,2017-10-19T00:10:00Z,in_force,2017-10-19T00:10:00Z,1612.4,1034.9",
        ),
    ),
    documents.DeadLetterPage: Example(
        _page(
            {
                "topic": "readings.raw.v1",
                "reason": "not_a_number",
                "field": "Temperature",
                "count": 3,
                "last_received": "2026-03-02T08:15:00Z",
            }
        ),
        _csv(
            "topic,reason,field,count,last_received", "readings.raw.v1,not_a_number,Temperature,3,2026-03-02T08:15:00Z"
        ),
    ),
}
"""By the model of the answer."""
