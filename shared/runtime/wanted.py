"""What a setting takes, in the words of the one who sets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

__all__ = ["wanted"]

ONE = {int: "a whole number", float: "a number", bool: "true or false"}
SEVERAL = {int: "whole numbers", float: "numbers"}


def wanted(field: FieldInfo) -> str:
    """Return what to give for a setting of numbers, of words to choose from, or of true and false."""
    kind, several = _kind(field.annotation)
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    if several:
        example = next(iter(field.examples or []), None) or ",".join(map(str, field.default))
        return f"{SEVERAL[kind]} with commas between them, such as {example}"
    return ONE[kind] + _range(field)


def _kind(annotation: Any) -> tuple[Any, bool]:
    """Return the type of a value without None, and whether there may be several of it."""
    if get_origin(annotation) is Literal:
        return annotation, False
    kinds = [kind for kind in get_args(annotation) if kind not in (type(None), ...)] or [annotation]
    return kinds[0], get_origin(annotation) is tuple


def _range(field: FieldInfo) -> str:
    low = next((limit.ge for limit in field.metadata if isinstance(limit, Ge)), None)
    above = next((limit.gt for limit in field.metadata if isinstance(limit, Gt)), None)
    high = next((limit.le for limit in field.metadata if isinstance(limit, Le)), None)
    least = f"above {above}" if above is not None else f"from {low} on" if high is None else f"from {low}"
    if low is None and above is None:
        return ""
    return f" {least}" + ("" if high is None else f" and up to {high}" if above is not None else f" to {high}")
