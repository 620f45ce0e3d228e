"""The table of a site as text, for a file of a user's own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from shared.sites.site import Overrides

if TYPE_CHECKING:
    from datetime import date

    from shared.sites.site import Site

__all__ = ["as_toml"]


def as_toml(site: Site) -> str:
    """Return the table of a site, to be saved in a file that ``TETOUAN_SITES`` names."""
    head = {
        "step_minutes": site.step_minutes,
        **({"country": site.country} if site.country else {}),
        **({"subdivision": site.subdivision} if site.subdivision else {}),
        "time_zone": site.time_zone,
        "time_column": site.time_column,
        **({"date_column": site.date_column} if site.date_column is not None else {}),
        **({"day_first": True} if site.day_first else {}),
        **({"time_format": site.time_format} if site.time_format else {}),
        **({"ignore": list(site.ignore)} if site.ignore else {}),
        "zones": list(site.zones),
    }
    lines = [
        f"[{site.name}]",
        *(f"{key} = {_toml(value)}" for key, value in head.items()),
        "",
        f"[{site.name}.columns]",
    ]
    for column, field in site.columns.items():
        measure = site.measures.get(field)
        cell = _toml(field)
        if measure is not None:
            cell = f"{{ field = {cell}, kind = {_toml(measure.kind)}, unit = {_toml(measure.unit)} }}"
        lines.append(f"{_toml(column)} = {cell}")
    if site.limits:
        lines += ["", f"[{site.name}.limits]"]
        lines += [f"{field} = {_toml(limits)}" for field, limits in site.limits.items()]
    if site.holidays != Overrides():
        lines += ["", f"[{site.name}.holidays]"]
        lines += [f"{name} = {_dates(dates)}" for name, dates in site.holidays]
    return "\n".join(lines) + "\n"


def _dates(dates: date | tuple[date, ...] | tuple[tuple[date, date], ...]) -> str:
    return f"[{', '.join(map(_dates, dates))}]" if isinstance(dates, tuple) else str(dates)


def _toml(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
