"""`tetouan doctor`: checks the machine, and says what is wrong and which command corrects it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.table import Table

from cli import findings, observing
from cli.ports import ports_of
from cli.printing import waiting
from cli.processes import SERVICES
from shared.runtime.clock import now
from shared.runtime.settings import PREFIX, Refused, unknown_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rich.console import Console

    from cli.findings import Finding
    from cli.settings import CommandSettings, DemoSettings

__all__ = ["examined", "report", "show"]

STYLE = {"ok": "green", "note": "yellow", "wrong": "bold red"}


def examined(load: Callable[[], DemoSettings], environment: Mapping[str, str], console: Console) -> list[Finding]:
    """Run all checks and return their findings; where the settings are refused, those that need none."""
    with waiting(console, "looking at this machine") as say:
        found = [
            findings.of_python(sys.version_info[:3]),
            findings.of_packages(observing.locked(), observing.installed()),
        ]
        try:
            settings = load()
        except Refused as refusal:
            return [*found, findings.of_settings([], str(refusal)), findings.of_docker(*observing.docker_of())]
        found += [
            findings.of_settings(unknown_variables(), None),
            findings.of_disk(*observing.write_fault(settings.state_dir)),
            findings.of_ports(ports_of(settings.http_host, {**SERVICES, "gateway": settings.http_port})),
        ]
        source, sha256, fault, published = observing.data_of(settings)
        found.append(findings.of_data(source, sha256, fault, is_published=published))
        say("asking the Kafka broker")
        found += _of_kafka(settings, is_chosen=any(name.startswith(PREFIX + "KAFKA_") for name in environment))
        say("opening the model registry")
        champions, fault = observing.registry_of(settings.registry_uri, settings.artifact_root)
        found.append(findings.of_registry(settings.registry_uri, champions, fault))
        return [*found, findings.of_docker(*observing.docker_of())]


def _of_kafka(settings: CommandSettings, *, is_chosen: bool) -> list[Finding]:
    broker = observing.broker_of(settings)
    ahead = observing.record_ahead(settings, broker, now())
    return [
        findings.of_broker(broker, is_chosen=is_chosen),
        findings.of_topics(broker, settings.topic_prefix, is_chosen=is_chosen),
        findings.of_lag(observing.lags_of(settings, broker)),
        findings.of_clock(now(), observing.newest_file(), ahead),
    ]


def report(found: list[Finding]) -> dict[str, Any]:
    """Return the findings as one JSON object; ``well`` is true where no check is ``wrong``."""
    return {"well": all(each.state != "wrong" for each in found), "checks": [vars(each) for each in found]}


def show(found: list[Finding], console: Console) -> None:
    """Print the findings as a table."""
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False)
    for head in ("check", "", "found", "what to do"):
        table.add_column(head, overflow="fold", no_wrap=head in ("check", ""))
    for each in found:
        style = STYLE[each.state]
        table.add_row(each.check, f"[{style}]{each.state}[/]", each.found, each.advice)
    console.print(table)
