"""The sites whose readings we know: what their meters publish, and where they stand."""

from __future__ import annotations

import tomllib
from datetime import date  # noqa: TC003 - pydantic reads the annotation at run time
from functools import cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Site", "site"]


class Overrides(BaseModel):
    """Dates that are holidays for the load although the country's calendar does not say so, and the other way round."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    add: tuple[date, ...] = ()
    remove: tuple[date, ...] = ()


class Site(BaseModel):
    """What one site publishes; ``columns`` maps published names to the fields of a clean reading, in their order.

    ``limits`` are the lowest and highest value that a field can have, in the unit that ends its name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    step_minutes: int = Field(gt=0)
    country: str
    time_zone: str
    time_column: str
    columns: dict[str, str]
    limits: dict[str, tuple[float, float]] = {}
    holidays: Overrides = Overrides()

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of a clean reading, in the order of the columns."""
        return tuple(self.columns.values())

    @property
    def zones(self) -> tuple[int, ...]:
        """The numbers of the zones whose load the site publishes."""
        return tuple(int(field.split("_")[1]) for field in self.fields if field.startswith("zone_"))


@cache
def site(name: str) -> Site:
    """Return the site of that name; raises ``ValueError`` that lists the known ones."""
    known = tomllib.loads(files(__package__).joinpath("sites.toml").read_text(encoding="utf-8"))
    if name not in known:
        raise ValueError(f"site {name!r} is not known: choose one of {', '.join(known)}")
    return Site(name=name, **known[name])
