"""What a cell of a reading holds: the one way in which training, replayed files and the stream read it."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal

from shared.contracts.messages import LARGEST_KW

if TYPE_CHECKING:
    from shared.sites.site import Site

__all__ = ["Judged", "power_of", "register_of", "value_of"]

LOAD_DIGITS = 9  # of a load: what more there are come from arithmetic with units, not from a meter
LOADS_KW, ANY = (-LARGEST_KW, LARGEST_KW), (-math.inf, math.inf)
REGISTER_DIGITS = 14  # of a float that are those of the meter
# possessive, so that no input is scanned twice
NUMBER = re.compile(r"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:e[+-]?\d++)?", re.ASCII | re.IGNORECASE)

Judged = tuple[float | None, Literal["missing", "outlier"] | None]
"""A value, or None and the flag that says why."""


def value_of(cell: object, field: str, site: Site) -> Judged:
    """Return the value as it goes on the wire, or None and why there is none.

    Parameters
    ----------
    cell : object
        What came: the text of a number, blanks around it allowed. Anything else is missing.
    field : str
        The field of the clean reading; its unit ends it. Loads are rounded to nine digits, weather stays as given. No
        register: its power takes two cells, see `power_of`.
    site : Site
        The site, whose table tells the unit of the cell, and whose limits tell what the field can be at all; where it
        gives none, a load is at most ``LARGEST_KW``.
    """
    value = _number(cell)
    if value is None:
        return None, "missing"
    measure = site.measures.get(field)
    if measure is not None:  # else it is in the unit of the field already
        hours = site.step_minutes / 60 if measure.kind == "energy" else 1.0
        value = value * measure.kilo / hours
    return _judged(value, field, site)


def register_of(cell: object, field: str, site: Site) -> float | None:
    """Return the kWh that a register shows, None where the cell holds no number."""
    value = _number(cell)
    register_kwh = math.inf if value is None else value * site.measure(field).kilo
    return register_kwh if math.isfinite(register_kwh) else None


def power_of(register_kwh: float | None, before_kwh: float | None, field: str, site: Site) -> Judged:
    """Return the mean power of an interval as it goes on the wire, or None and why there is none.

    Parameters
    ----------
    register_kwh, before_kwh : float | None
        What the register shows at the end of the interval and a step before. Where either is not known the power is
        missing: the energy of a longer gap belongs to no single step. Where the register falls, because it rolled over
        or the meter was exchanged, it is an outlier.
    field, site
        As of `value_of`.
    """
    if register_kwh is None or before_kwh is None:
        return None, "missing"
    if register_kwh < before_kwh:
        return None, "outlier"
    digits = len(str(int(register_kwh)))
    energy_kwh = round(register_kwh - before_kwh, max(0, REGISTER_DIGITS - digits))
    return _judged(energy_kwh * 60 / site.step_minutes, field, site)


def _judged(value: float, field: str, site: Site) -> Judged:
    is_load = field.endswith("_kw")
    if is_load:
        value = float(f"{value:.{LOAD_DIGITS}g}") + 0.0  # the sum turns -0.0 into 0.0
    low, high = site.limits.get(field) or (LOADS_KW if is_load else ANY)
    return (value, None) if low <= value <= high and math.isfinite(value) else (None, "outlier")


def _number(cell: object) -> float | None:
    """Return the finite number that a cell holds: digits, point and exponent, no other spelling of ``float``."""
    if not isinstance(cell, str) or not NUMBER.fullmatch(cell := cell.strip()):
        return None
    value = float(cell)
    return value if math.isfinite(value) else None
