"""Errors as `application/problem+json` (RFC 9457): each names the field and the value, and says what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

__all__ = ["MEDIA_TYPE", "SCHEMA", "Fault", "Problem", "answered", "documented", "problem_of"]

MEDIA_TYPE = "application/problem+json"
LONGEST = 200  # characters of a value that is quoted

ADVICE = {
    400: "the body cannot be read: send JSON in UTF-8",
    404: "there is nothing at this path: /openapi.json lists the paths",
    405: "this path does not take {method}: use {allowed}",
    500: "this is a fault of the gateway: its log has the details, report it",
}

SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string", "description": "The name of the status."},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What was wrong, and what to do."},
        "field": {"type": "string", "description": "The first field that is wrong."},
        "value": {"type": "string", "description": "Its value as text, cut where it is long."},
        "errors": {
            "type": "array",
            "description": "All fields that are wrong.",
            "items": {
                "type": "object",
                "required": ["field", "value", "detail"],
                "properties": {
                    "field": {"type": "string"},
                    "value": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field.

    Attributes
    ----------
    field
        Its name; of a list, the number of the entry before it: ``2.Temperature``.
    value
        What was given, as text.
    detail
        What is wanted.
    """

    field: str
    value: str
    detail: str


@dataclass
class Problem(Exception):  # noqa: N818 - the word of RFC 9457
    """An answer that says what went wrong.

    Attributes
    ----------
    status
        Of HTTP.
    detail
        What was wrong, and what to do.
    faults
        The fields that are wrong, if any is.
    headers
        Of the answer.
    """

    status: int
    detail: str
    faults: Sequence[Fault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, status: int, name: str, value: object, detail: str) -> Problem:
        """Return what is wrong with one field."""
        fault = Fault(name, quoted(value), detail)
        return cls(status, _told(fault), (fault,))

    def to_bytes(self) -> bytes:
        """Return the body."""
        said: dict[str, object] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.faults:
            first = self.faults[0]
            said |= {"field": first.field, "value": first.value, "errors": list(self.faults)}
        return orjson.dumps(said)


def quoted(value: object) -> str:
    """Return a value as text, cut where it is long, that any encoding can carry."""
    text = value if isinstance(value, str) else repr(value)
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return short.encode(errors="backslashreplace").decode()


def answered(problem: Problem) -> Response:
    """Return the answer for a problem."""
    return Response(problem.to_bytes(), problem.status, dict(problem.headers), MEDIA_TYPE)


def problem_of(request: Request, error: Exception) -> Problem:
    """Return what to answer for an error that a route or the framework has raised."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            faults = [_fault(found) for found in error.errors()]
            return Problem(422, "; ".join(map(_told, faults[:3])), faults)
        case HTTPException():
            headers = dict(error.headers or {})
            advice = ADVICE.get(error.status_code, str(error.detail))
            detail = advice.format(method=request.method, allowed=headers.get("allow", headers.get("Allow", "another")))
            return Problem(error.status_code, detail, headers=headers)
        case _:
            return Problem(500, ADVICE[500])


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document says of these statuses."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def _fault(found: Mapping[str, Any]) -> Fault:
    """Return one of pydantic's findings, whose place begins with where the field stands: query, path, body."""
    where, *names = found["loc"]
    if found["type"] == "json_invalid":
        return Fault("body", "", f"it is no JSON ({found['ctx']['error']} at character {names[0]})")
    detail = found["msg"].removeprefix("Value error, ")
    if found["type"] == "missing":
        detail = "it is missing: give it" if names else "it is missing: send JSON"
    name = ".".join(map(str, names)) or str(where)
    return Fault(name, "" if found["type"] == "missing" else quoted(found.get("input")), detail)


def _told(fault: Fault) -> str:
    return f"{fault.field}={fault.value!r}: {fault.detail}" if fault.value else f"{fault.field}: {fault.detail}"
