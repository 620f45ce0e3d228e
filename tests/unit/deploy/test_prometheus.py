"""Prometheus looks for the services where they listen, and its alerts ask for what they export."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import deploy
from deploy.prometheus.alerts import ALERTS, FILE, Alert, rules
from services.forecaster.settings import ForecasterSettings
from services.gateway.settings import GatewaySettings
from services.ingestor.settings import IngestorSettings
from services.monitor.settings import MonitorSettings
from tests.unit.deploy.promql import EXPORTED, MATCHER, SCRAPED, SELECTOR, groupings, metrics

if TYPE_CHECKING:
    from shared.runtime.settings import Settings

CONFIG = (Path(deploy.__file__).parent / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("service", "kind"),
    [
        ("ingestor", IngestorSettings),
        ("forecaster", ForecasterSettings),
        ("monitor", MonitorSettings),
        ("gateway", GatewaySettings),
    ],
)
def test_a_service_is_scraped_at_its_port(service: str, kind: type[Settings]) -> None:
    """The job of a service bears its name and aims at the port that its settings default to."""
    port = kind.model_fields["http_port"].default
    assert f'job_name: {service}\n    static_configs:\n      - targets: ["{service}:{port}"]' in CONFIG


def test_the_committed_alerts_are_the_generated_ones() -> None:
    """Whoever changes the code writes the file again: `python -m deploy.prometheus.alerts`."""
    assert FILE.read_text(encoding="utf-8") == rules()
    assert f"  - {FILE.name}\n" in CONFIG


@pytest.mark.parametrize("alert", ALERTS, ids=[alert.name for alert in ALERTS])
def test_an_alert_asks_for_what_is_exported_and_says_what_to_do(alert: Alert) -> None:
    """Its metrics and labels exist, and so do those that its texts show."""
    named = metrics(alert.expr)
    assert named
    assert named <= set(EXPORTED)
    for name, braces in SELECTOR.findall(alert.expr):
        assert set(dict(MATCHER.findall(braces))) <= EXPORTED[name] | SCRAPED
    known = SCRAPED.union(*(EXPORTED[name] for name in named))
    assert groupings(alert.expr) <= known
    assert set(re.findall(r"\$labels\.(\w+)", alert.summary + alert.advice)) <= known
    assert len(alert.advice) > 40


@pytest.mark.parametrize("alert", ALERTS, ids=[alert.name for alert in ALERTS])
def test_an_alert_is_explained_to_operators(alert: Alert) -> None:
    """docs/operate.md names it, with its severity."""
    text = (Path(deploy.__file__).parents[1] / "docs" / "operate.md").read_text(encoding="utf-8")
    assert f"| `{alert.name}` ({alert.severity}) |" in text
