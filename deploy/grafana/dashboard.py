"""The operator's dashboard as code: `python -m deploy.grafana.dashboard` writes the file that Grafana is given."""

from __future__ import annotations

from pathlib import Path

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from deploy.grafana.panels import SOURCE
from deploy.grafana.questions import QUESTIONS, reports_link

__all__ = ["FILE", "dashboard_json"]

FILE = Path(__file__).parent / "dashboards" / "tetouan.json"


def dashboard_json() -> str:
    """Return the dashboard as Grafana's provisioning takes it."""
    board = (
        builders.Dashboard("Tetouan demand forecast")
        .uid("tetouan")
        .description(" ".join(QUESTIONS))
        .tags(["tetouan"])
        .timezone("utc")
        .time("now-1h", "now")
        .refresh("5s")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(_variable("site", "Site"))
        .with_variable(_variable("zone", "Zone"))
        .link(reports_link())
    )
    for question, panels in QUESTIONS.items():
        board.with_row(builders.Row(question))
        for panel in panels():
            board.with_panel(panel)
    built = board.build()
    for number, part in enumerate(built.panels or [], start=1):
        part.id_val = number
    return JSONEncoder(indent=2, sort_keys=True).encode(built) + "\n"


def _variable(name: str, label: str) -> builders.QueryVariable:
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(SOURCE)
        .query(f"label_values(tetouan_forecast_demand_kw, {name})")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.NUMERICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
    )


if __name__ == "__main__":
    FILE.write_text(dashboard_json(), encoding="utf-8")
