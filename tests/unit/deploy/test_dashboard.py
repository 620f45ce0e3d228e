"""The dashboard asks only for what the services export, and says what to do about it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from deploy.grafana.dashboard import FILE, dashboard_json
from shared.forecasting.leads import NOMINAL_MINUTES
from shared.forecasting.scores import WINDOWS_DAYS
from tests.unit.deploy.promql import EXPORTED, MATCHER, SCRAPED, SELECTOR, groupings, metrics

DASHBOARD = json.loads(dashboard_json())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EACH_PANEL = pytest.mark.parametrize("panel", PANELS, ids=[panel["title"] for panel in PANELS])

VALUES = {
    "lead_minutes": {str(minutes) for minutes in NOMINAL_MINUTES},
    "window_days": {str(days) for days in WINDOWS_DAYS},
}


def exprs(panel: dict[str, Any]) -> list[str]:
    """Return the expressions of a panel."""
    return [target["expr"] for target in panel["targets"]]


def test_the_committed_dashboard_is_the_generated_one() -> None:
    """Whoever changes the code writes the file again: `python -m deploy.grafana.dashboard`."""
    assert FILE.read_text(encoding="utf-8") == dashboard_json()


def test_the_parts_of_an_expression_are_told_apart() -> None:
    """The checks below see each metric, whatever surrounds it, and nothing else."""
    expr = (
        'sum by (zone) (rate(a_total{site=~"$site", field=~"zone_${zone}_kw"}[5m])) / on (zone) b == 1.5e3 or vector(0)'
    )
    assert (metrics(expr), groupings(expr)) == ({"a_total", "b"}, {"zone"})


@EACH_PANEL
def test_a_panel_asks_for_metrics_that_are_exported(panel: dict[str, Any]) -> None:
    """No expression names a metric that no service has."""
    named = set().union(*map(metrics, exprs(panel)))
    assert named
    assert named <= set(EXPORTED)


@EACH_PANEL
def test_a_panel_selects_by_labels_that_exist(panel: dict[str, Any]) -> None:
    """Each selector uses labels of its metric; lead and window are among those that are scored."""
    for name, braces in [found for expr in exprs(panel) for found in SELECTOR.findall(expr)]:
        matchers = dict(MATCHER.findall(braces))
        assert set(matchers) <= EXPORTED[name] | SCRAPED, name
        assert all(matchers[label] in values for label, values in VALUES.items() if label in matchers), name


@EACH_PANEL
def test_a_panel_groups_and_names_by_labels_that_exist(panel: dict[str, Any]) -> None:
    """What an expression groups by, and what a legend shows, are labels of the metrics of that expression."""
    for target in panel["targets"]:
        known = SCRAPED.union(*(EXPORTED[name] for name in metrics(target["expr"])))
        assert groupings(target["expr"]) <= known
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= known


@EACH_PANEL
def test_a_panel_says_what_it_shows_and_in_which_unit(panel: dict[str, Any]) -> None:
    """Every panel has a title, a description, a unit and levels, and asks the provisioned data source."""
    defaults = panel["fieldConfig"]["defaults"]
    assert panel["title"]
    assert len(panel["description"]) > 60
    assert defaults["unit"]
    assert defaults["thresholds"]["steps"][0]["value"] is None
    assert {target["datasource"]["uid"] for target in (panel, *panel["targets"])} == {"prometheus"}


@EACH_PANEL
def test_a_panel_that_can_be_red_says_what_to_do_then(panel: dict[str, Any]) -> None:
    """A red level, drawn or written on the figure, has its advice in the description."""
    defaults = panel["fieldConfig"]["defaults"]
    if any(step["color"] == "red" for step in defaults["thresholds"]["steps"]):
        texts = [text["text"] for mapping in defaults.get("mappings", []) for text in mapping["options"].values()]
        assert re.search("|".join([r"\b[Rr]ed\b", *texts]), panel["description"])


def test_panels_stand_beside_and_below_each_other() -> None:
    """Each panel has an identity of its own, lies within the 24 columns and covers no other."""
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    cells = [
        (x, y)
        for position in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(position["x"], position["x"] + position["w"])
        for y in range(position["y"], position["y"] + position["h"])
    ]
    assert max(x for x, _ in cells) < 24
    assert len(set(cells)) == len(cells)
