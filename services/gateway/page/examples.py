"""An example of each document of the page, for the OpenAPI document."""

from __future__ import annotations

from services.gateway.api.examples import Example

__all__ = ["DAY", "FLEET", "SIMILAR_DAYS"]

_FINDING = {
    "kind": "shift",
    "severity": "warning",
    "text": "The load has changed its level since Thu 19 Oct 2017 03:40.",
    "advice": "Compare with the switching log. The forecast follows the new level already.",
    "detail": "the load has shifted for good by 2,700 kW",
    "since": "2017-10-19T03:40:00Z",
}
_NOW = {"time": "2017-10-19T04:40:00Z", "kw": 17214.3, "low_kw": None, "high_kw": None, "level": None}
_NEXT = {"time": "2017-10-19T05:40:00Z", "kw": 18002.6, "low_kw": 17120.4, "high_kw": 18877.2, "level": "adapted"}

DAY = Example(
    {
        "site": "tetouan",
        "zone": 2,
        "zones": [2],
        "time_zone": "UTC",
        "step_minutes": 60,
        "as_of": "2017-10-19T04:40:00Z",
        "is_past": False,
        "age_s": 180,
        "is_replay": False,
        "first_origin": "2017-10-01T00:00:00Z",
        "last_origin": "2017-10-19T04:40:00Z",
        "origin": "2017-10-19T04:40:00Z",
        "findings": [_FINDING],
        "now": _NOW,
        "ahead": [_NEXT],
        "peak": _NEXT,
        "is_peak_at_edge": True,
        "trough": _NEXT,
        "is_trough_at_edge": True,
        "load": {"times": ["2017-10-19T04:40:00Z"], "kw": [17214.3]},
        "forecast": {"times": ["2017-10-19T05:40:00Z"], "kw": [18002.6]},
        "bands": [{"coverage": 0.9, "low_kw": [17120.4], "high_kw": [18877.2]}],
        "earlier": {"times": ["2017-10-19T04:40:00Z"], "kw": [17102.9]},
        "earlier_origin": "2017-10-18T04:40:00Z",
        "levels": [{"from_lead": 1, "to_lead": 1, "level": "adapted", "reason": None}],
        "model": "zone-demand-tetouan-2/1",
        "errors": [
            {
                "window_days": 7,
                "lead_minutes": 60,
                "rmse_kw": 498.1,
                "mape": 0.016,
                "light": "green",
                "same_time_yesterday_rmse_kw": 1717.6,
                "best_naive_rmse_kw": 610.4,
                "best_naive_rule": "persistence",
                "coverage": 0.901,
            }
        ],
        "scored_until": "2017-10-19T04:00:00Z",
        "events": [],
        "marks": [
            {
                "kind": "shift",
                "begin": "2017-10-19T03:40:00Z",
                "end": "2017-10-19T03:40:00Z",
                "text": "The load has changed its level since Thu 19 Oct 2017 03:40.",
            }
        ],
    },
    "time,load_kw,forecast_kw,earlier_kw,low_90_kw,high_90_kw\r\n"
    "2017-10-19T04:40:00Z,17214.3,,17102.9,,\r\n"
    "2017-10-19T05:40:00Z,,18002.6,,17120.4,18877.2\r\n",
)

SIMILAR_DAYS = Example(
    {
        "site": "tetouan",
        "zone": 2,
        "days": [
            {"date": "2017-10-12", "off": 0.018, "load": {"times": ["2017-10-19T00:00:00Z"], "kw": [13904.2]}},
        ],
        "reason": None,
    },
    "date,off,time,kw\r\n2017-10-12,0.018,2017-10-19T00:00:00Z,13904.2\r\n",
)

FLEET = Example(
    {
        "zones": [
            {
                "site": "tetouan",
                "zone": 2,
                "time_zone": "UTC",
                "as_of": "2017-10-19T04:40:00Z",
                "is_silent": False,
                "now_kw": 17214.3,
                "next_hour_kw": 18002.6,
                "peak": _NEXT,
                "mape": 0.016,
                "light": "green",
                "finding": _FINDING,
                "more": 0,
            }
        ],
        "next": None,
        "zone_count": 1,
        "site_count": 1,
        "silent_count": 0,
    },
    "site,zone,severity,text\r\ntetouan,2,warning,The load has changed its level since Thu 19 Oct 2017 03:40.\r\n",
)
