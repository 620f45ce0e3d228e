"""Countries and time zones of sites: the holidays of a subdivision, and hints at what a misspelt name means."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import available_timezones

from shared.sites.likeness import closest
from shared.sites.shown import shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from shared.sites.site import Site

__all__ = ["doubt_of_holidays", "in_its_country", "zone_like"]

YEARS = range(2000, 2051)
"""The years whose holidays of a subdivision are known."""

SHORT = 3
"""Letters that a code of a country has at most."""

SURE = 0.8
"""How like, 0..1, the name of a country or a zone must be to one that is known to be hinted at."""


@cache
def _countries() -> Mapping[str, str]:
    """Return the codes of the countries whose holidays are known, by what else a country is called."""
    from holidays.registry import COUNTRIES  # noqa: PLC0415 - as in `_subdivisions`

    names = {name.replace("_", " "): code for name, (_, code, *_) in COUNTRIES.items()}
    codes = {other: code for _, code, *others in COUNTRIES.values() for other in (code, *others)}
    return names | codes


def _is_country(text: str) -> bool:
    """Tell whether a text is a code of two or three letters of a country whose holidays are known."""
    from holidays.registry import COUNTRIES  # noqa: PLC0415 - as above

    return any(text in codes[1:3] for codes in COUNTRIES.values())


def _country_like(country: str) -> str | None:
    """Return code and name of the country that is probably meant: by its code in lower case, its name, or one alike."""
    known = _countries()
    if len(country.strip()) <= SHORT:  # any two letters are like two others
        code = known.get(country.strip().upper())
    else:
        meant = closest(country, known, SURE)
        code = known[meant] if meant else None
    return code and f"{code} ({next(name for name, of in known.items() if of == code).title()})"


def zone_like(time_zone: str) -> str | None:
    """Return the IANA name that is probably meant: by the name of its city, or one like it."""
    zones = sorted(zone for zone in available_timezones() if not re.search(r"\d|^Etc/", zone))
    cities = {zone.rpartition("/")[2]: zone for zone in reversed(zones)}
    whole, city = closest(time_zone, zones, SURE), closest(time_zone.rpartition("/")[2], cities, SURE)
    return whole or (cities[city] if city else None)


def in_its_country(site: Site) -> Site:
    """Return the site with the holidays of its subdivision; raises ``ValueError`` where its country is not known."""
    if site.country is None:
        if site.subdivision is not None:
            raise ValueError(f"{site.name}.country is missing: give that of {site.subdivision}")
        return site
    if not _is_country(site.country):
        meant = _country_like(site.country)
        hint = f"did you mean {meant}? Use" if meant else "use"
        advice = f"no holidays are known of it: {hint} an ISO 3166-1 code like ES"
        raise ValueError(f"{site.name}.country = {shown(site.country)}: {advice}")
    if site.subdivision is None:
        return site
    if site.subdivision not in (known := _subdivisions(site.country)):
        advice = f"no part of {site.country}: " + (f"use one of {', '.join(known)}" if known else "leave it out")
        raise ValueError(f"{site.name}.subdivision = {shown(site.subdivision)}: {advice}")
    national, regional = _dates(site.country, None), _dates(site.country, site.subdivision)
    add, remove = set(site.holidays.add), set(site.holidays.remove)
    add, remove = add | (regional - national - remove), remove | (national - regional - add)
    dates = {"add": tuple(sorted(add)), "remove": tuple(sorted(remove))}
    return site.model_copy(update={"holidays": site.holidays.model_copy(update=dates)})


def doubt_of_holidays(site: Site) -> str | None:
    """Return which days are removed from the holidays of a site although they are none; None where there is no such.

    It may be no mistake: another version of the package may list other days. ``site`` is as its table has it.
    """
    if not site.holidays.remove:
        return None
    where = "a site without a country"
    listed: frozenset[date] = frozenset()
    if site.country is not None:
        where = site.country if site.subdivision is None else f"{site.country}, {site.subdivision}"
        listed = _dates(site.country, site.subdivision)
    vain = [str(day) for day in site.holidays.remove if day.year in YEARS and day not in listed]
    if not vain:
        return None
    said = f"{site.name}.holidays.remove has {', '.join(vain)}, which {'is' if len(vain) == 1 else 'are'} no public"
    return f"{said} holiday of {where}: mend the date, or take it out"


@cache
def _subdivisions(country: str) -> tuple[str, ...]:
    import holidays  # noqa: PLC0415 - it takes a third of a second, which the sites of the package need not wait for

    return tuple(holidays.country_holidays(country).subdivisions)


@cache
def _dates(country: str, subdivision: str | None) -> frozenset[date]:
    """Return the public holidays of a country or one of its parts in the years in which those of a part are known."""
    import holidays  # noqa: PLC0415 - as in `_subdivisions`

    return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=YEARS))
