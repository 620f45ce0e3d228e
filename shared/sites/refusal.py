"""What is wrong with the table of a site, in one line that says what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from shared.sites.likeness import closest
from shared.sites.shown import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic import ValidationError
    from pydantic.fields import FieldInfo

__all__ = ["refusal_of"]

_NAME = "name"  # stands as the heading above the keys


def refusal_of(above: str, refused: ValidationError, table: type[BaseModel]) -> ValueError:
    """Return the error that says in one line what is wrong first below that path, where such a table stands.

    A key that is not known comes before one that is missing: it may be that one, misspelt.
    """
    errors = refused.errors(include_url=False)
    error = next((error for error in errors if error["type"] == "extra_forbidden"), errors[0])
    path, (*inner, key) = above + "".join(map(_part, error["loc"])), error["loc"]
    if error["type"] == "extra_forbidden":
        keys = [known for known in _table_at(table, inner).model_fields if known != _NAME]
        meant = closest(str(key), keys) or next((known for known in keys if known.startswith(str(key))), None)
        hint = f"did you mean {meant}? Use" if meant else "use"
        return ValueError(f"{path} is no field: {hint} one of {', '.join(keys)}")
    if error["type"] == "value_error":
        return ValueError(f"{path} = {shown(error['input'])}: {error['msg'].removeprefix('Value error, ')}")
    expected = _field_at(table, error["loc"]).description
    if error["type"] != "missing":
        return ValueError(f"{path} = {shown(error['input'])}: write {expected}")
    if isinstance(key, int):  # a row that is too short
        return ValueError(f"{above}{''.join(map(_part, inner))} = {shown(error['input'])}: write {expected}")
    others = [str(other["loc"][-1]) for other in errors if other["type"] == "missing" and other is not error]
    more = f"; so {'is' if len(others) == 1 else 'are'} {', '.join(others)}" if others else ""
    return ValueError(f"{path} is missing: give {expected}{more}")


def _part(part: int | str) -> str:
    return f"[{part}]" if isinstance(part, int) else f".{part}"


def _field_at(table: type[BaseModel], path: Sequence[int | str]) -> FieldInfo:
    """Return the innermost field on a path; what lies in an array, or under a name of the user's, has none."""
    field = table.model_fields[str(path[0])]
    for n, part in enumerate(path[1:], 1):
        within = _table_in(field.annotation)
        if within is not None and part in within.model_fields:
            return _field_at(within, path[n:])
    return field


def _table_at(table: type[BaseModel], path: Sequence[int | str]) -> type[BaseModel]:
    """Return the table that holds the keys at a path."""
    return (_table_in(_field_at(table, path).annotation) or table) if path else table


def _table_in(annotation: Any) -> type[BaseModel] | None:
    """Return the table that a field holds, itself or under names of the user's; None where it holds none."""
    kinds = (annotation, *get_args(annotation))
    return next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)
