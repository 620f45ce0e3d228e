"""The card of a registered version: what it is for, what it cannot know, and how good it was, from the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backtest.explore.card import LICENCES
from backtest.markdown import bullets, document, table
from shared.data.errors import DataError
from shared.forecasting.digits import digits
from shared.forecasting.leads import MEAN, lead_name
from shared.runtime.registered import WEATHER_DEMAND, named_model

if TYPE_CHECKING:
    from collections.abc import Mapping

    from backtest.result_file import ResultFile
    from shared.runtime.registered import NamedModel
    from shared.runtime.registry import ModelVersion

__all__ = ["model_card_of"]

_USE = {
    True: (
        "What the load at a time is by weather and calendar alone: it stands in for a silent meter (the virtual "
        "meter), and answers `/predict`. It looks at no load."
    ),
    False: (
        "The load of the zone in the next 24 hours, from every reading on, with intervals of 50, 80, 90 and 95 %: for "
        "people who operate the network, plan reserve and buy power. It learns on from every reading."
    ),
}
_KNOWS = {
    True: "The weather fields `{weather}` as measured at the time, the time of day, the weekday and the season.",
    False: (
        "The loads of the zone up to the origin; time of day, weekday, public holidays and Ramadan of the site's "
        "calendar. No weather."
    ),
}
_CANNOT_KNOW = (
    "What nobody has told it: planned outages, switching between zones, customers that come or go, strikes, tariffs.",
    "A lasting change before its readings: it is learned in days, and a fallback level may answer meanwhile.",
    "Holidays that the site's calendar does not have.",
    "Anything beyond 24 hours, and other zones: a zone has a model of its own.",
    "Loads outside of what it has seen: its intervals then widen late.",
)
_FIGURES = {
    "rmse_kw": "RMSE kW",
    "mae_kw": "MAE kW",
    "mape": "MAPE",
    "bias_kw": "bias kW",
    "coverage": "in 90 %",
    "r2": "R2",
}
_WHOM = (
    "Of this version: whoever runs the registry that it stands in, and has promoted it. Of the code: its repository, "
    "for flaws of its security by SECURITY.md."
)


def model_card_of(version: ModelVersion, result: ResultFile | None = None) -> str:
    """Return the card of a version as Markdown; figures are those that were registered, by season those of a backtest.

    Raises `DataError` where the backtest is of another zone or of other data, or the model is none of ours.
    """
    named = named_model(version.name)
    if named is None:
        raise DataError(f"{version.name}: no model of this program: `tetouan models list` shows those that are")
    if result is not None:
        _require_same(version, named, result)
    of_weather, tags = named.kind == WEATHER_DEMAND, version.tags
    return document(
        (
            f"# Model card: {version.label}",
            f"Zone {named.zone} of {named.site}. {_standing(version)}",
            "**Trained on synthetic data, which nobody measured.**" * (tags.get("data_source") == "synthetic"),
            "## Intended use",
            _USE[of_weather],
            "## What it knows",
            _KNOWS[of_weather].format(weather=tags.get("weather", "none").replace("+", ", ")),
            "## What it cannot know",
            bullets(_CANNOT_KNOW),
            "## Training",
            bullets(f"{name}: `{value}`" for name, value in _training(version).items()),
            "## Accuracy",
            _accuracy(version),
            *_seasons(result),
            "## Parameters",
            bullets(f"`{name}`: {value}" for name, value in sorted(version.params.items())),
            "## Licence",
            f"The code and the model: Apache-2.0. The data: {_terms(tags.get('data_source'))}.",
            "## Whom to ask",
            _WHOM,
        )
    )


def _require_same(version: ModelVersion, named: NamedModel, result: ResultFile) -> None:
    told = result.told
    if (told["site"], told["zone"]) != (named.site, named.zone):
        raise DataError(
            f"the backtest is of zone {told['zone']} of {told['site']}, {version.label} of zone {named.zone} "
            f"of {named.site}: give one of that zone"
        )
    if told["data_sha256"] != version.tags.get("data_sha256"):
        raise DataError(
            f"the backtest and {version.label} are of other data: run `tetouan backtest` on those of the model"
        )


def _standing(version: ModelVersion) -> str:
    aliases = f"It is the {', '.join(version.aliases)}." if version.aliases else "It has no alias: it does not run."
    registered = f" Registered {version.registered:%Y-%m-%d %H:%M} UTC." if version.registered else ""
    return aliases + registered


def _terms(source: str | None) -> str:
    """Return on which terms the data of a source may be used."""
    return LICENCES.get(source or "file", LICENCES["file"])


def _training(version: ModelVersion) -> Mapping[str, str]:
    """Return what is known of the readings that it was fitted on."""
    known = {
        "first reading": version.params.get("train_from"),
        "last reading": version.tags.get("as_of"),
        "data, sha256": version.tags.get("data_sha256"),
        "source": version.tags.get("data_source"),
        "table of the site": version.tags.get("site_digest"),
        "weather": version.tags.get("weather"),
        "format": version.tags.get("format"),
        "code": version.tags.get("code_version"),
    }
    return {name: value for name, value in known.items() if value}


def _accuracy(version: ModelVersion) -> str:
    """Return the registered figures, a row a lead group, or a row a way in which the model was asked."""
    figures: dict[str, dict[str, float]] = {}
    for name, value in version.metrics.items():
        figure, _, group = name.partition("/")
        if figure in _FIGURES and group:
            figures.setdefault(group, {})[figure] = value
    if not figures:
        return "Not scored: a demo registers its models without a score. `tetouan train` scores what it fits."
    until = version.params.get("test_until")
    window = f"On the readings after `{version.tags.get('as_of', '?')}`" + (f" up to `{until}`." if until else ".")
    rows = [
        [_group(group), *(_shown(name, figures[group].get(name)) for name in _FIGURES)]
        for group in sorted(figures, key=_place)
    ]
    return f"{window}\n\n{table(['lead', *_FIGURES.values()], rows)}"


def _seasons(result: ResultFile | None) -> tuple[str, ...]:
    if result is None:
        return ("By season: give the result of a backtest of the same data and zone with --backtest.",)
    columns = {"rmse_kw": "RMSE kW", "bias_kw": "bias kW", "coverage_ratio": "in 90 %"}
    rows = [
        [
            row["season_months"],
            lead_name(row["lead_minutes"]),
            f"{row['pairs']:,}",
            *(_shown(name, row[name]) for name in columns),
        ]
        for row in result.told["seasons"]
    ]
    return (
        f"By season, in the backtest of {result.label}:",
        table(["months", "lead", "pairs", *columns.values()], rows),
    )


def _group(group: str) -> str:
    return lead_name(int(group)) if group.isdecimal() else "mean of all leads" if group == MEAN else group


def _place(group: str) -> tuple[bool, int, str]:
    return (not group.isdecimal(), int(group) if group.isdecimal() else 0, group)


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    if name in {"mape", "coverage", "coverage_ratio"}:
        return f"{100 * value:.1f} %"
    return f"{value:.3f}" if name == "r2" else digits(value)
