"""The tables of all settings and metrics: `python -m deploy.reference` writes them from the code."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.exposition import SERVICES, declared_in
from shared.runtime import concerns
from shared.runtime.settings import PREFIX, READERS, Settings, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.metrics_core import Metric

__all__ = ["FILE", "reference"]

FILE = Path(__file__).parents[1] / "docs" / "reference.md"

_COLUMNS = ("variable", "default", "meaning")
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
    return "\n".join((_HEAD, *_settings(), _METRICS, *_metrics(), ""))


def _settings() -> Iterator[str]:
    readers = {reader: settings_of(reader) for reader in READERS}
    kinds = [*vars(concerns).values(), *(kind for reader in readers.values() for kind in reversed(reader.mro()))]
    for kind in dict.fromkeys(kind for kind in kinds if inspect.isclass(kind) and issubclass(kind, Settings)):
        read_by = {reader: each for reader, each in readers.items() if issubclass(each, kind)}
        if own := _own(kind):
            who = "all services and commands" if read_by == readers else ", ".join(read_by)
            yield from (f"### {kind.__name__.removesuffix('Settings')}", "")
            yield from (f"{inspect.getdoc(kind)} Read by {who}.", "", *_table(*_COLUMNS))
            yield from (_setting(name, read_by) for name in own)
            yield ""
    yield from ("### Tests", "", *_table(*_COLUMNS))
    yield from (_row(f"`{PREFIX}{name}`", "", meaning) for name, meaning in _TESTS.items())
    yield ""


def _own(kind: type[Settings]) -> list[str]:
    """Return the settings that a class adds to those that it inherits."""
    inherited = {name for base in kind.__bases__ if issubclass(base, Settings) for name in base.model_fields}
    return [name for name in kind.model_fields if name not in inherited]


def _setting(name: str, readers: Mapping[str, type[Settings]]) -> str:
    fields = {reader: kind.model_fields[name] for reader, kind in readers.items()}
    first, *others = fields.values()
    meaning, _, default = (first.description or "").partition(_DEFAULT)
    if any(other.default != first.default for other in others):
        default = ", ".join(f"{reader} {field.default}" for reader, field in fields.items())
    return _row(f"`{PREFIX}{name.upper()}`", default or _shown(first.default), meaning)


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
