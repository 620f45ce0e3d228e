"""Prometheus looks for the services where they listen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import deploy
from services.forecaster.settings import ForecasterSettings
from services.gateway.settings import GatewaySettings
from services.ingestor.settings import IngestorSettings
from services.monitor.settings import MonitorSettings

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
