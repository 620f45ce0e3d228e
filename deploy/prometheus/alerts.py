"""The alerts as code: `python -m deploy.prometheus.alerts` writes the file of rules that Prometheus is given.

There is one where an operator has to act, and none where the services mend themselves.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

__all__ = ["ALERTS", "FILE", "Alert", "rules"]

FILE = Path(__file__).with_name("alerts.yml")


class Alert(NamedTuple):
    """One rule.

    Attributes
    ----------
    expr
        PromQL: there is an alert for each series that it returns.
    lasting
        How long the expression must hold before the alert fires, as a duration of Prometheus.
    severity
        ``critical``: at once; ``warning``: today.
    summary, advice
        What is wrong, in one line, and what to do.
    """

    name: str
    expr: str
    lasting: str
    severity: str
    summary: str
    advice: str


SERVICES = 'job=~"ingestor|forecaster|monitor|gateway"'
REQUESTS = "tetouan_http_requests_total"
FAULTS = f'sum(rate({REQUESTS}{{status=~"5.."}}[5m])) / sum(rate({REQUESTS}[5m]))'

ALERTS = (
    Alert(
        "ServiceDown",
        f"up{{{SERVICES}}} == 0",
        "2m",
        "critical",
        "{{ $labels.job }} does not answer",
        "Read the last line of its log (`docker compose logs {{ $labels.job }}`), and start it again.",
    ),
    Alert(
        "BrokerAway",
        "tetouan_broker_up == 0",
        "2m",
        "critical",
        "{{ $labels.job }} does not reach Kafka",
        "Start the broker. Where the others reach it, check TETOUAN_KAFKA_BOOTSTRAP and the network of this service.",
    ),
    Alert(
        "HistoryBehind",
        'sum(tetouan_consumer_lag_records{job="gateway"}) > 10000',
        "15m",
        "warning",
        "{{ $value }} records are not in the history yet",
        "See `/readyz` of the gateway: it names a database that is away or slow. Where it keeps up but began late, "
        "wait; else start more replicas on PostgreSQL.",
    ),
    Alert(
        "HistoryDatabaseAway",
        "increase(tetouan_history_retries_total[5m]) > 0",
        "5m",
        "critical",
        "the database of the history is away",
        "`/readyz` of the gateway has its words: start the database, or free its disk. Nothing is lost meanwhile.",
    ),
    Alert(
        "HistoryRefusesRecords",
        'increase(tetouan_dead_letters_total{job="gateway"}[30m]) > 0',
        "1m",
        "warning",
        "records did not get into the history: {{ $labels.reason }}",
        "`tetouan watch rejected` shows them: a sender writes what is no message, or of a later release.",
    ),
    Alert(
        "GatewayFaults",
        f"{FAULTS} > 0.05",
        "10m",
        "critical",
        "{{ $value | humanizePercentage }} of the HTTP requests end in a fault of the gateway",
        "503: see `/readyz`: the database or the registry is away, or no model is trained. 500: report its log.",
    ),
    Alert(
        "GatewaySlow",
        "histogram_quantile(0.95, sum by (le) (rate(tetouan_http_request_duration_seconds_bucket[5m]))) > 1",
        "10m",
        "warning",
        "one HTTP request in twenty takes longer than {{ $value }} s",
        "See the panel of the routes: ask for shorter ranges, or start another replica; see CPU, disk and database.",
    ),
    Alert(
        "StreamsCutOff",
        'sum(increase(tetouan_live_streams_ended_total{reason=~"slow|stalled"}[15m])) > 10',
        "15m",
        "warning",
        "clients of the live stream do not take what they ask for",
        "Their network or program is too slow: have them ask for fewer topics or sites, and go on by Last-Event-ID.",
    ),
)


def rules() -> str:
    """Return the file of rules: a string of JSON is one of YAML."""
    lines = ["# made by python -m deploy.prometheus.alerts", "groups:", "  - name: tetouan", "    rules:"]
    for alert in ALERTS:
        lines += [
            f"      - alert: {alert.name}",
            f"        expr: {json.dumps(alert.expr)}",
            f"        for: {alert.lasting}",
            f"        labels: {{severity: {alert.severity}}}",
            "        annotations:",
            f"          summary: {json.dumps(alert.summary)}",
            f"          description: {json.dumps(alert.advice)}",
        ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    FILE.write_text(rules(), encoding="utf-8")
