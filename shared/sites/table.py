"""The table of sites: those of the package, in ``sites.toml`` beside this module, and those of a user's own file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from shared.sites.country import doubt_of_holidays, in_its_country
from shared.sites.likeness import closest
from shared.sites.refusal import refusal_of
from shared.sites.shown import shown
from shared.sites.site import WEATHER_FIELDS, Column, Site
from shared.sites.toml_file import tables_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["BUILT_IN", "Sites", "known_sites", "site"]

BUILT_IN = "tetouan"
SHOWN = 8  # sites that a line lists


@dataclass(frozen=True, eq=False)
class Sites(Mapping[str, Site]):
    """The sites of a table by name.

    Attributes
    ----------
    refused
        Why an entry is none, by its name: one line that names the field.
    doubts
        What is probably a mistake in an entry that is a site, by its name: one line.
    """

    known: Mapping[str, Site]
    refused: Mapping[str, str] = field(default_factory=dict)
    doubts: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Site:
        return self.known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)

    def require(self, name: str) -> Site:
        """Return the site of that name; raises ``ValueError`` that says why there is none."""
        if name in self.refused:
            raise ValueError(self.refused[name])
        if name not in self.known:
            raise ValueError(f"site {name!r} is not known: {self._advice(name)}")
        return self.known[name]

    def _advice(self, name: str) -> str:
        """Return which site is probably meant, and some of those that there are."""
        like, names = closest(name, self.known), list(self.known)
        hint = f"did you mean {like}? Choose" if like else "choose"
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        return f"{hint} one of {', '.join(names[:SHOWN])}{more}; TETOUAN_SITES names the file of your own"


def site(name: str, file: Path | None = None) -> Site:
    """Return the site of that name; raises ``ValueError`` as `Sites.require` and `known_sites` do."""
    return known_sites(file).require(name)


@cache
def known_sites(file: Path | None = None) -> Sites:
    """Return the sites of the package, and those of a TOML file with one table a site.

    A table of a known name replaces what it gives, key by key, and leaves the rest as it is; with other columns all
    their zones are forecast where it does not say. The tables are independent: one that is wrong is refused by its
    name. What was read once holds as long as the process lives.

    Raises
    ------
    ValueError
        If the file cannot be read, or is no file of tables: one line that says what to change.
    """
    tables = tables_of(files(__package__).joinpath("sites.toml").read_bytes())
    own = tables_of(_read(file)) if file else {}
    known = {name: _site(name, table) for name, table in tables.items() if name not in own}
    refused, doubts = {}, {}
    for name, table in own.items():
        try:
            described = _site(name, _changed(tables.get(name, {}), table))
            known[name] = in_its_country(described)
            if doubt := doubt_of_holidays(described):
                doubts[name] = doubt
        except ValueError as error:
            refused[name] = str(error)
    return Sites(known, refused, doubts)


def _changed(built_in: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return the table of the package with what an own one changes: other columns have other zones to forecast."""
    return {key: value for key, value in built_in.items() if key != "zones" or "columns" not in own} | own


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ValueError(f"{error.strerror}: give the path of a TOML file that can be read") from None


def _site(name: str, table: dict[str, Any]) -> Site:
    if "name" in table:
        raise ValueError(f"{name}.name = {shown(table['name'])}: the heading [{name}] is the name: leave the key out")
    described = {path: cell for path, cell in _columns(table).items() if isinstance(cell, dict)}
    read = {column: _column(f"{name}.columns.{column}", cell) for column, cell in described.items()}
    if read:
        fields = {column: described.field for column, described in read.items()}
        measures = {column.field: column.measure for column in read.values()}
        table = {**table, "columns": _columns(table) | fields, "measures": table.get("measures", {}) | measures}
    try:
        return Site(name=name, **table)
    except ValidationError as error:
        raise refusal_of(name, error, Site) from None


def _columns(table: dict[str, Any]) -> dict[str, Any]:
    columns = table.get("columns")
    return columns if isinstance(columns, dict) else {}


def _column(path: str, cell: dict[str, Any]) -> Column:
    try:
        column = Column(**cell)
    except ValidationError as error:
        raise refusal_of(path, error, Column) from None
    if column.field in WEATHER_FIELDS:
        raise ValueError(f'{path} = {shown(cell)}: weather has no unit and no kind: write "{column.field}" alone')
    return column
