"""`tetouan models list` and `compare`: the registered versions, as tables and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.table import Table
from rich.text import Text

from cli.printing import waiting
from shared.data.errors import DataError
from shared.forecasting.digits import digits
from shared.runtime.registered import WEATHER_DEMAND, named_model
from shared.runtime.registry import CHALLENGER, CHAMPION, PREVIOUS, REASON, Registry, nobody_has_made
from shared.runtime.settings import Refused
from shared.sites.likeness import closest
from shared.training.verdicts import headline_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from shared.runtime.concerns import RegistrySettings
    from shared.runtime.registry import ModelVersion

__all__ = [
    "Comparison",
    "card_of",
    "comparison_table",
    "labelled_version",
    "listed",
    "named_version",
    "opened",
    "require_model",
    "told",
    "version_table",
]

ALIASES = (CHAMPION, CHALLENGER, PREVIOUS)
CHECKSUM_SHOWN = 12  # characters: enough to tell files apart, and `sha256sum` prints the same


def opened(settings: RegistrySettings, console: Console) -> Registry:
    """Return the registry in force; raises ``Refused`` where nobody has made it, or it cannot be used."""
    uri = settings.registry_uri
    if nobody_has_made(uri):
        raise Refused(f"there is no registry at {uri}: run `tetouan train`, or set TETOUAN_MLFLOW_URI")
    with waiting(console, "opening the model registry"):
        return Registry(uri, settings.artifact_root)


def listed(registry: Registry) -> list[ModelVersion]:
    """Return all versions of our models: by site, zone and kind, the newest of each first."""
    ours = [(named, version) for version in registry.versions("") if (named := named_model(version.name))]
    ours.sort(key=lambda each: (each[0].site, each[0].zone, each[0].kind == WEATHER_DEMAND))
    return [version for _, version in ours]


def require_model(registry: Registry, name: str) -> None:
    """Raise ``Refused`` where no model of that name is registered."""
    known = registry.aliases("")
    if name not in known:
        like = closest(name, known)
        hint = f"did you mean {like}? " if like else ""
        raise Refused(f"no model {name!r} is registered: {hint}`tetouan models list` shows all")


def labelled_version(registry: Registry, label: str, model: str | None = None) -> ModelVersion:
    """Return the version that ``NAME/VERSION`` names, or of ``model`` where it has no name; ``Refused`` as below."""
    name, _, version = label.rpartition("/")
    if not (name := name or model or ""):
        raise Refused(f"{label!r} names no model: give NAME/VERSION, such as zone-demand-tetouan-2/{CHALLENGER}")
    require_model(registry, name)
    return named_version(registry, name, version)


def named_version(registry: Registry, name: str, version: str) -> ModelVersion:
    """Return the version of a model with a number or an alias; raises ``Refused`` where there is none."""
    found = registry.called(name, version) if version in ALIASES else registry.known(name, version)
    if found is None:
        what = f"no {version}" if version in ALIASES else f"no version {version!r}"
        raise Refused(f"{name} has {what}: give one of those that `tetouan models list` shows, or {', '.join(ALIASES)}")
    return found


def card_of(version: ModelVersion, result: Path | None) -> str:
    """Return the card of a version, with the seasons of a backtest; raises ``Refused`` where they do not fit."""
    from backtest.model_card import model_card_of  # noqa: PLC0415 - it takes a second that the other commands need not
    from backtest.result_file import ResultFile  # noqa: PLC0415 - as above

    try:
        return model_card_of(version, ResultFile.read(result) if result else None)
    except DataError as error:
        raise Refused(str(error)) from None


def told(version: ModelVersion) -> dict[str, Any]:
    """Return what is known of a version, for JSON."""
    named, tags = named_model(version.name), version.tags
    return {
        "site": named and named.site,
        "zone": named and named.zone,
        "model": version.name,
        "version": version.version,
        "aliases": list(version.aliases),
        "as_of": tags.get("as_of"),
        "data_sha256": tags.get("data_sha256"),
        "data_source": tags.get("data_source"),
        "rmse_kw": headline_of(version),
        "registered": version.registered and version.registered.isoformat(),
        "reason": tags.get(REASON),
    }


def version_table(versions: Iterable[ModelVersion]) -> Table:
    """Return what is known of versions, for people."""
    table = Table(box=SIMPLE, title="registered models (times are UTC)", title_justify="left")
    for head in ("site", "zone", "model", "version", "aliases", "as of", "data", "RMSE kW", "registered"):
        table.add_column(head, justify="right" if head in ("zone", "version", "RMSE kW") else "left", no_wrap=True)
    for version in versions:
        known = told(version)
        score, data = known["rmse_kw"], (known["data_sha256"] or "-")[:CHECKSUM_SHOWN]
        cells = (
            known["site"],
            str(known["zone"]),
            version.name,
            version.version,
            ", ".join(version.aliases),
            _minute(known["as_of"]),
            f"{data} synthetic" if known["data_source"] == "synthetic" else data,
            "-" if score is None else digits(score),
            _minute(known["registered"]),
        )
        table.add_row(*map(Text, cells))
    return table


@dataclass(frozen=True)
class Comparison:
    """Two versions, and of each kind of thing that is known of them what differs and what is equal, by name."""

    one: ModelVersion
    other: ModelVersion

    @property
    def sides(self) -> dict[str, tuple[Mapping[str, object], Mapping[str, object]]]:
        """What is compared."""
        one, other = self.one, self.other
        return {
            "parameters": (one.params, other.params),
            "metrics": (one.metrics, other.metrics),
            "tags": (one.tags, other.tags),
        }

    def differing(self) -> dict[str, dict[str, tuple[object, object]]]:
        """Return both values of what differs; None stands for what one of them does not have."""
        return {
            what: {name: (a.get(name), b.get(name)) for name in _names(a, b) if a.get(name) != b.get(name)}
            for what, (a, b) in self.sides.items()
        }

    def equal(self) -> dict[str, dict[str, object]]:
        """Return the values that both have."""
        return {
            what: {name: a[name] for name in _names(a, b) if a.get(name) == b.get(name)}
            for what, (a, b) in self.sides.items()
        }

    def to_json(self) -> dict[str, Any]:
        """Return all of it as one JSON object."""
        return {
            "a": told(self.one),
            "b": told(self.other),
            "differing": self.differing(),
            "equal": self.equal(),
        }


def comparison_table(found: Comparison) -> Table:
    """Return what differs, side by side, for people; one line counts what is equal."""
    equal = ", ".join(f"{len(names)} {what}" for what, names in found.equal().items())
    table = Table(box=SIMPLE, caption=f"equal: {equal}", caption_justify="left")
    for head in ("", "", found.one.label, found.other.label, "difference"):
        table.add_column(Text(head), justify="right" if head == "difference" else "left", no_wrap=True)
    for what, names in found.differing().items():
        for row, (name, values) in enumerate(names.items()):
            cells = ("" if row else what, name, *map(_shown, values), _difference(values))
            table.add_row(*map(Text, cells))  # what people write is no markup of Rich
    return table


def _names(one: Mapping[str, object], other: Mapping[str, object]) -> Sequence[str]:
    return sorted(one.keys() | other.keys())


def _shown(value: object) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _difference(values: tuple[object, object]) -> str:
    one, other = values
    return f"{other - one:+.4g}" if isinstance(one, float) and isinstance(other, float) else ""


def _minute(iso: str | None) -> str:
    return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M}" if iso else "-"
