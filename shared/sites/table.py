"""The table of sites: those of the package, in ``sites.toml`` beside this module, and those of a user's own file."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import BaseModel, ValidationError

from shared.sites.country import in_its_country
from shared.sites.likeness import closest
from shared.sites.shown import shown
from shared.sites.site import WEATHER, Column, Measure, Overrides, Site

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pydantic_core import ErrorDetails

__all__ = ["BUILT_IN", "known_sites", "site"]

BUILT_IN = "tetouan"


def site(name: str, file: Path | None = None) -> Site:
    """Return the site of that name; raises ``ValueError`` that lists the known ones, and as `known_sites` does."""
    known = known_sites(file)
    if name not in known:
        raise ValueError(f"site {name!r} is not known: choose one of {', '.join(known)}")
    return known[name]


@cache
def known_sites(file: Path | None = None) -> Mapping[str, Site]:
    """Return the sites of the package by name, and those of a TOML file with one table a site.

    A table of a known name replaces what it gives, key by key, and leaves the rest as it is; with other columns all
    their zones are forecast where it does not say. What was read once holds as long as the process lives.

    Raises
    ------
    ValueError
        If the file cannot be read or a site is not one: one line that names field and value and says what to change.
    """
    tables = _tables(files(__package__).joinpath("sites.toml").read_bytes())
    own = _tables(_read(file)) if file else {}
    known = {name: _site(name, table) for name, table in tables.items() if name not in own}
    return known | {
        name: in_its_country(_site(name, _changed(tables.get(name, {}), table))) for name, table in own.items()
    }


def _changed(built_in: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Return the table of the package with what an own one changes: other columns have other zones to forecast."""
    return {key: value for key, value in built_in.items() if key != "zones" or "columns" not in own} | own


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ValueError(f"{error.strerror}: give the path of a TOML file that can be read") from None


def _tables(raw: bytes) -> dict[str, dict[str, Any]]:
    try:
        tables = tomllib.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"no UTF-8 at byte {error.start}: save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"no TOML: {error}: mend it there") from None
    for name, table in tables.items():
        if not isinstance(table, dict):
            raise ValueError(f"{name} = {shown(table)} belongs to no site: write [NAME], its name, above it")  # noqa: TRY004 - a file is at fault, no caller
    return tables


def _site(name: str, table: dict[str, Any]) -> Site:
    described = {path: cell for path, cell in _columns(table).items() if isinstance(cell, dict)}
    read = {column: _column(f"{name}.columns.{column}", cell) for column, cell in described.items()}
    if read:
        fields = {column: described.field for column, described in read.items()}
        measures = {column.field: column.measure for column in read.values()}
        table = {**table, "columns": _columns(table) | fields, "measures": table.get("measures", {}) | measures}
    try:
        return Site(**{"name": name, **table})
    except ValidationError as error:
        _refuse(name, error.errors(include_url=False), Site)


def _columns(table: dict[str, Any]) -> dict[str, Any]:
    columns = table.get("columns")
    return columns if isinstance(columns, dict) else {}


def _column(path: str, cell: dict[str, Any]) -> Column:
    try:
        column = Column(**cell)
    except ValidationError as error:
        _refuse(path, error.errors(include_url=False), Column)
    if column.field in WEATHER:
        raise ValueError(f'{path} = {shown(cell)}: weather has no unit and no kind: write "{column.field}" alone')
    return column


def _refuse(above: str, errors: Sequence[ErrorDetails], table: type[BaseModel]) -> NoReturn:
    """Raise as one line what is wrong first below that path, where such a table stands.

    A key that is not known comes before one that is missing: it may be that one, misspelt.
    """
    error = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    *inner, field = error["loc"]
    path = ".".join(str(part) for part in (above, *inner, field))
    if error["type"] == "missing":
        raise ValueError(f"{path} is missing: give it")
    if error["type"] == "extra_forbidden":
        known: type[BaseModel] = table
        if inner:
            known = Overrides if inner[0] == "holidays" else Measure
        meant = closest(str(field), known.model_fields)
        hint = f"did you mean {meant}? Use" if meant else "use"
        raise ValueError(f"{path} is no field: {hint} one of {', '.join(known.model_fields)}")
    raise ValueError(f"{path} = {shown(error['input'])}: {error['msg'].removeprefix('Value error, ')}")
