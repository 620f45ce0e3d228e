"""The two kinds of panel of the dashboard, as they look everywhere: a coloured figure, and lines over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.models import common, dashboard

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SOURCE", "Query", "Step", "dashed", "figure", "lines", "texts"]

SOURCE = common.DataSourceRef("prometheus", "prometheus")
"""The data source by the uid that the provisioning gives it."""

Query = tuple[str, str]
"""A PromQL expression and the legend of its series."""

Step = tuple[float | None, str]
"""From which value on a colour holds; None for the first, which holds from below."""

P = TypeVar("P", stat.Panel, timeseries.Panel)


def figure(
    title: str, advice: str, unit: str, queries: Sequence[Query], *, width: int, steps: Sequence[Step] = ()
) -> stat.Panel:
    """Return a panel of one figure a series, coloured by the steps.

    It asks for this instant alone: over a range, a service that died would go on showing its last figure.

    Parameters
    ----------
    advice
        What the figure says and what to do when it is red.
    unit
        Grafana's id of the unit.
    width
        Of the 24 columns of the dashboard.
    """
    panel = (
        _filled(stat.Panel(), title, advice, unit, steps)
        .targets([_query(number, *query).instant() for number, query in enumerate(queries)])
        .span(width)
        .height(4)
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.BACKGROUND if steps else common.BigValueColorMode.NONE)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    )
    return panel.color_scheme(builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))


def lines(
    title: str, advice: str, unit: str, queries: Sequence[Query], *, width: int, steps: Sequence[Step] = ()
) -> timeseries.Panel:
    """Return a panel of lines over time, the steps drawn as dashed levels; parameters as in ``figure``."""
    style = common.GraphThresholdsStyleMode.DASHED if steps else common.GraphThresholdsStyleMode.OFF
    return (
        _filled(timeseries.Panel(), title, advice, unit, steps)
        .targets([_query(number, *query).range() for number, query in enumerate(queries)])
        .span(width)
        .height(8)
        .show_points(common.VisibilityMode.NEVER)
        .thresholds_style(common_builders.GraphThresholdsStyleConfig().mode(style))
        .tooltip(
            common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
        )
        .legend(
            common_builders.VizLegendOptions()
            .show_legend(show_legend=True)
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.BOTTOM)
            .calcs(["lastNotNull", "max"])
        )
    )


def dashed(panel: timeseries.Panel, legend: str) -> timeseries.Panel:
    """Draw the series whose legend matches the regular expression as dashed lines."""
    style = dashboard.DynamicConfigValue("custom.lineStyle", common.LineStyle("dash", [8, 8]))
    return panel.override_by_regexp(legend, [style])


def texts(panel: stat.Panel, shown: dict[str, tuple[str, str]]) -> stat.Panel:
    """Show these values as a text and a colour."""
    results = {value: dashboard.ValueMappingResult(text, colour) for value, (text, colour) in shown.items()}
    return panel.mappings([dashboard.ValueMap(results)])


def _query(number: int, expr: str, legend: str) -> prometheus.Dataquery:
    letter = chr(ord("A") + number)  # as Grafana's editor names them
    return prometheus.Dataquery().ref_id(letter).datasource(SOURCE).expr(expr).legend_format(legend)


def _filled(panel: P, title: str, advice: str, unit: str, steps: Sequence[Step]) -> P:
    thresholds = [dashboard.Threshold(value, colour) for value, colour in steps or ((None, "text"),)]
    return (
        panel.title(title)
        .description(advice)
        .unit(unit)
        .datasource(SOURCE)
        .thresholds(builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(thresholds))
    )
