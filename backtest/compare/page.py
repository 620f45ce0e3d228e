"""A leaderboard as one page that stands by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # Plotly 5 is published without types

from backtest import charts
from backtest.compare.results import TARGETS
from backtest.page import Chart, templates

if TYPE_CHECKING:
    from backtest.compare.leaderboard import Leaderboard
    from backtest.compare.results import ModelResult

__all__ = ["page_of_board"]


def page_of_board(board: Leaderboard) -> str:
    """Return the leaderboard as HTML that holds all it needs and asks no other host."""
    return (
        templates(board.unit)
        .get_template("compare/page.html")
        .render(
            board=board,
            weather=[_row(result) for result in board.knowing_weather],
            load=[_row(result) for results in board.knowing_load for result in results],
            judged=[(result, result.verdicts) for result in board.judged],
            targets=[target.shown for target in TARGETS],
            chart=_chart(board) if board.knowing_load else None,
            plotly=Markup(get_plotlyjs()),  # noqa: S704 - a script of the package, not of the data
        )
    )


def _row(result: ModelResult) -> dict[str, object]:
    """Return the figures under the names that tables have headings for."""
    figures = result.figures
    return {
        "model": result.model,
        "split": result.split + ", LEAK" * result.trained_on_this_data,
        "lead_minutes": result.lead_minutes,
        "rmse_kw": figures["rmse_kw"],
        "mae_kw": figures["mae_kw"],
        "mape_ratio": figures["mape"],
        "r2": figures["r2"],
        "fit_cpu_s": result.fit_cpu_s,
        "predict_cpu_us": result.predict_us,
    }


def _chart(board: Leaderboard) -> Chart:
    lines = {
        results[0].model: [(result.lead_minutes or 0, result.figures["rmse_kw"] / board.unit.kw) for result in results]
        for results in board.knowing_load
    }
    return Chart(
        "RMSE of the stream and of each naive rule by lead time",
        "Each line is one model that knows the load up to the origin: the lower, the better. The scale is logarithmic.",
        charts.rmse_of_models(lines, board.unit.name),
    )
