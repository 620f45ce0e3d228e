"""What fields are called, and how their values are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.forecasting.digits import digits
from shared.sites.site import zones_in

if TYPE_CHECKING:
    from collections.abc import Iterable

    from backtest.units import LoadUnit

__all__ = ["listed", "named", "share", "unit_of", "value_shown"]

_NAMES = {
    "temperature_c": ("temperature", "°C"),
    "humidity_pct": ("relative humidity", "%"),
    "wind_speed_ms": ("wind speed", "m/s"),
    "general_diffuse_flows_wm2": ("general diffuse flows", "W/m²"),
    "diffuse_flows_wm2": ("diffuse flows", "W/m²"),
}


def named(field: str) -> str:
    """Return what a field is called: ``zone_1_kw`` is zone 1.

    >>> named("zone_1_kw"), named("temperature_c")
    ('zone 1', 'temperature')
    """
    zones = zones_in([field])
    return f"zone {zones[0]}" if zones else _NAMES[field][0] if field in _NAMES else field


def unit_of(field: str, loads: LoadUnit) -> str:
    """Return the unit in which the values of a field are shown."""
    return _NAMES[field][1] if field in _NAMES else loads.name


def value_shown(value: float, field: str, loads: LoadUnit) -> str:
    """Return a value of a field as text, loads in their unit; a dash for NaN."""
    if value != value:  # noqa: PLR0124 - only NaN differs from itself
        return "-"
    return digits(value) if field in _NAMES else loads.shown(value)


def share(ratio: float) -> str:
    """Return a share as people read it.

    >>> share(0.1234), share(0.00004), share(-0.0371)
    ('12.3 %', '0.004 %', '-3.7 %')
    """
    return f"{100 * ratio:z.1f} %" if ratio == 0 or abs(ratio) >= 0.001 else f"{100 * ratio:.1g} %"


def listed(parts: Iterable[str]) -> str:
    """Return parts as a list in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *most, last = list(parts) or [""]
    return f"{', '.join(most)} and {last}" if most else last
