"""What Prometheus' own tool says of its configuration, of the services' metrics and of the dashboard's expressions."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import deploy
from deploy.exposition import SERVICES, exposition
from deploy.grafana.dashboard import dashboard_json

CONFIG = Path(deploy.__file__).parent / "prometheus" / "prometheus.yml"
GRAFANA = {"$__rate_interval": "20s", "${zone}": "2"}


@pytest.fixture(scope="module")
def promtool() -> str:
    """The path of promtool, or a skip that says how to provide it."""
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("promtool: install Debian's prometheus package to run this test")
    return path


def run(promtool: str, *arguments: str, given: bytes = b"") -> tuple[int, str]:
    """Return exit status and all output."""
    done = subprocess.run([promtool, *arguments], input=given, capture_output=True, timeout=60, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("service", SERVICES)
def test_the_metrics_of_a_service_are_clean(promtool: str, service: str) -> None:
    """Names, units, types and help texts are as Prometheus asks for: the lint has nothing to say."""
    assert run(promtool, "check", "metrics", given=exposition(service)) == (0, "")


def test_the_lint_would_speak(promtool: str) -> None:
    """A badly named metric is reported, so that silence means something."""
    text = b"# HELP tetouan_delay_ms Delay.\n# TYPE tetouan_delay_ms counter\ntetouan_delay_ms 1\n"
    status, output = run(promtool, "check", "metrics", given=text)
    assert status == 3
    assert "tetouan_delay_ms" in output


def test_the_configuration_is_valid(promtool: str) -> None:
    """Prometheus accepts its configuration file."""
    status, output = run(promtool, "check", "config", str(CONFIG))
    assert status == 0, output


def test_the_expressions_of_the_dashboard_are_promql(promtool: str, tmp_path: Path) -> None:
    """Each expression parses, once Grafana has put the values of its variables in."""
    targets = [target for panel in json.loads(dashboard_json())["panels"] for target in panel.get("targets", [])]
    rules = [{"record": f"panel:expression:{n}", "expr": filled(target["expr"])} for n, target in enumerate(targets)]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML
    status, output = run(promtool, "check", "rules", str(file))
    assert status == 0, output
    assert f"{len(targets)} rules found" in output


def filled(expr: str) -> str:
    """Return the expression with values in place of Grafana's variables."""
    for variable, value in GRAFANA.items():
        expr = expr.replace(variable, value)
    return re.sub(r"\$\w+", "x", expr)
