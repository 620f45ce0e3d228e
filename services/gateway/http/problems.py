"""Errors as `application/problem+json` (RFC 9457): each names the field and the value, and says what to do."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from fastapi.exceptions import RequestValidationError
from markupsafe import escape
from starlette.exceptions import HTTPException
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

__all__ = ["MEDIA_TYPE", "SCHEMA", "Fault", "Problem", "answered", "documented", "problem_of", "shown"]

MEDIA_TYPE = "application/problem+json"
LONGEST = 200  # characters of a value that is quoted

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<h1>{title}</h1>
<p>{detail}</p>
<p><a href="/">Back to the newest forecast</a></p>
</html>
"""

ADVICE = {
    404: "there is nothing at this path: /openapi.json lists the paths",
    405: "this path does not take {method}: use {allowed}",
    500: "this is a fault of the gateway: its log has the details, report it",
}

UNREADABLE: Mapping[type[BaseException], str] = {
    RecursionError: "it is nested too deep: send JSON as /openapi.json describes it",
    UnicodeDecodeError: "it is not encoded as JSON has to be: send it in UTF-8",
    ValueError: "it holds a number of too many digits: send JSON as /openapi.json describes it",
}
"""What is said of a body by the error that reading it has raised, where that does not say where it is no JSON."""

WORDS = {"missing": "it is missing: give it", "model_attributes_type": "it should be a JSON object"}
"""What is said of some kinds of pydantic's findings instead of its words."""

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
        Its name; of a list, the number of the entry before it, from 0 on: ``[2].Temperature``.
    value
        What was given, as text: as JSON where it was none.
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
        return cls(status, _told(name, value, detail), (Fault(name, _text(value), detail),))

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


def answered(problem: Problem) -> Response:
    """Return the answer for a problem."""
    return Response(problem.to_bytes(), problem.status, dict(problem.headers), MEDIA_TYPE)


def shown(problem: Problem, request: Request) -> Response:
    """Return the answer for a problem: a page where a browser asks, but for no path of the API."""
    if request.url.path.startswith("/api/") or "text/html" not in request.headers.get("accept", ""):
        return answered(problem)
    page = PAGE.format(title=HTTPStatus(problem.status).phrase, detail=escape(problem.detail))
    headers = {**problem.headers, "Vary": "Accept"}
    return Response(page, problem.status, headers, "text/html; charset=utf-8")


def problem_of(request: Request, error: Exception) -> Problem:
    """Return what to answer for an error that a route or the framework has raised."""
    match error:
        case Problem():
            return error
        case RequestValidationError():
            return _invalid(error.errors())
        case HTTPException(status_code=400) if error.__cause__ is not None:
            return Problem.of(400, "body", "", _unreadable(error.__cause__))
        case HTTPException():
            headers = dict(error.headers or {})
            advice = ADVICE.get(error.status_code, str(error.detail))
            detail = advice.format(method=request.method, allowed=headers.get("allow", headers.get("Allow", "another")))
            return Problem(error.status_code, detail, headers=headers)
        case _:
            return Problem(500, ADVICE[500])


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document says of these statuses, each with an example."""
    schema = {"$ref": "#/components/schemas/Problem"}
    examples = {problem.status: orjson.loads(problem.to_bytes()) for problem in EXAMPLES}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": schema, "example": examples[status]}},
        }
        for status in statuses
    }


def _unreadable(error: BaseException) -> str:
    said = (why for kind, why in UNREADABLE.items() if isinstance(error, kind))
    return next(said, "it cannot be read: send JSON in UTF-8")


def _invalid(errors: Sequence[Mapping[str, Any]]) -> Problem:
    """Return what to say of pydantic's findings."""
    first = errors[0]
    if first["type"] == "json_invalid":
        why = f"{first['ctx']['error']} at character {first['loc'][1] + 1}"
        return Problem.of(400, "body", "", f"it is no JSON ({why}): send JSON in UTF-8")
    found = [_found(error) for error in errors]
    detail = "; ".join(_told(*one) for one in found[:3])
    return Problem(422, detail, [Fault(name, _text(value), wanted) for name, value, wanted in found])


def _found(error: Mapping[str, Any]) -> tuple[str, object, str]:
    """Return field, value, and what is wanted; the place of an error begins with query, path or body."""
    where, *names = error["loc"]
    path = "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in names).removeprefix(".")
    detail = WORDS.get(error["type"], error["msg"].removeprefix("Value error, "))
    if error["type"] != "missing":
        return path or where, error.get("input"), detail
    return path or where, "", detail if names else "it is missing: send JSON"


def _told(name: str, value: object, detail: str) -> str:
    if value == "":
        return f"{name}: {detail}"
    text = _text(value)
    return f"{name}={orjson.dumps(text).decode() if isinstance(value, str) else text}: {detail}"


def _text(value: object) -> str:
    """Return a value as text, cut where it is long, that any encoding can carry."""
    text = value if isinstance(value, str) else _json(value)
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
    return short.encode(errors="backslashreplace").decode()


def _json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        return "…"


EXAMPLES = (
    Problem.of(400, "body", "", "it is no JSON (Expecting value at character 1): send JSON in UTF-8"),
    Problem(401, "a key is needed: send `Authorization: Bearer KEY`, with a key of `tetouan keys create`"),
    Problem.of(403, "Host", "example.org", "no key is needed here, so ask for 127.0.0.1 or localhost"),
    Problem.of(404, "site", "atlantis", "no reading of such a site has come: /api/v1/sites lists those that have"),
    Problem.of(408, "body", "", "it was not there after 10 s: send it faster"),
    Problem.of(413, "body", "", "it may have 1000000 bytes: send it in parts"),
    Problem.of(415, "Content-Type", "text/plain", "send JSON as application/json"),
    Problem.of(422, "until", "yesterday", "it is no time: write one like 2017-10-19T04:40:00Z"),
    Problem(429, "more than 600 requests a minute: wait, or raise TETOUAN_HTTP_REQUESTS_PER_MINUTE"),
    Problem(500, ADVICE[500]),
    Problem(503, "the history cannot be read just now (the database is away): try again, and see /readyz"),
)
"""One for each status that a path may answer with, for the OpenAPI document."""
