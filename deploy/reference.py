"""The tables of all settings and metrics: `python -m deploy.reference` writes them from the code."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deploy.exposition import SERVICES, declared_in
from services.forecaster.settings import ForecasterSettings
from services.gateway.settings import GatewaySettings
from services.ingestor.settings import IngestorSettings
from services.monitor.settings import MonitorSettings
from shared.runtime.settings import PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.metrics_core import Metric
    from pydantic.fields import FieldInfo

__all__ = ["FILE", "reference"]

FILE = Path(__file__).parents[1] / "docs" / "reference.md"

_OF_SERVICES = {
    "ingestor": IngestorSettings,
    "forecaster": ForecasterSettings,
    "monitor": MonitorSettings,
    "gateway": GatewaySettings,
}
_DEFAULT = "; default: "  # in a description: what stands for a default that is no constant

_HEAD = """# Reference: settings and metrics

Written from the code by `python -m deploy.reference`; a test holds both together. [operate.md](operate.md) says how
they are used.

## Settings

Settings are environment variables. A bad value stops the start with one line that says what to change, and so does a
variable that looks like a misspelt setting. Any other variable with the prefix `TETOUAN_` is ignored, with a line on
standard error; those that Kubernetes makes of its services (`TETOUAN_FORECASTER_SERVICE_HOST`) without a word.
"""
_TESTS = {
    "TEST_KAFKA": "address of an Apache Kafka for the tests, where no Docker engine can run one",
    "TEST_KAFKA_SCRIPT": "a program that runs a Kafka with passwords and certificates for the tests: "
    "`start DIR --port 0 [--sasl] [--tls] [--client-auth]`, `stop DIR`",
    "TEST_POSTGRES": "address of a PostgreSQL for the tests, `postgresql://user:password@host/database` of a user that "
    "may make databases, where no Docker engine can run one",
}
_METRICS = """## Metrics

Each service serves them under `/metrics`, beside those of the Python process. A counter ends in `_total`; a histogram
has the series `_bucket`, `_sum` and `_count`.
"""


def reference() -> str:
    """Return the page as Markdown."""
    settings = [_setting(name, field) for name, field in Settings.model_fields.items()]
    settings += [_row(f"`{PREFIX}{name}`", "", meaning) for name, meaning in _TESTS.items()]
    return "\n".join((_HEAD, *_table("variable", "default", "meaning"), *settings, "", _METRICS, *_metrics(), ""))


def _setting(name: str, field: FieldInfo) -> str:
    meaning, _, default = (field.description or "").partition(_DEFAULT)
    own = {service: kind.model_fields[name].default for service, kind in _OF_SERVICES.items()}
    if set(own.values()) != {field.default}:
        default = ", ".join(f"{service} {value}" for service, value in own.items())
    return _row(f"`{PREFIX}{name.upper()}`", default or _shown(field.default), meaning)


def _shown(default: object) -> str:
    match default:
        case None | "" | ():
            return ""
        case bool():
            return f"`{str(default).lower()}`"
        case tuple():
            return f"`{','.join(map(str, default))}`"
        case float():
            return f"`{default:g}`"
        case _:
            return f"`{default}`"


def _metrics() -> Iterator[str]:
    declared = {service: {family.name: family for family in declared_in(service).collect()} for service in SERVICES}
    common = set.intersection(*(set(families) for families in declared.values()))
    yield from _metrics_of("All services", {name: declared[SERVICES[0]][name] for name in sorted(common)})
    for service, families in declared.items():
        own = {name: family for name, family in sorted(families.items()) if name not in common}
        yield from _metrics_of(f"The {service}", own)


def _metrics_of(title: str, families: Mapping[str, Metric]) -> Iterator[str]:
    yield from (f"### {title}", "", *_table("metric", "type", "labels", "meaning"))
    for name, family in families.items():
        labels = sorted({label for sample in family.samples for label in sample.labels} - {"le"})
        full_name = f"{name}_total" if family.type == "counter" else name
        yield _row(f"`{full_name}`", family.type, ", ".join(f"`{label}`" for label in labels), family.documentation)
    yield ""


def _table(*columns: str) -> tuple[str, str]:
    return _row(*columns), _row(*("---" for _ in columns))


def _row(*cells: str) -> str:
    return " ".join(f"| {cell}".rstrip() for cell in cells) + " |"


if __name__ == "__main__":
    FILE.write_text(reference(), encoding="utf-8")
