"""Writes the API's answers: JSON or CSV, with an entity tag, gzipped where the client accepts it."""

import csv
import gzip
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import orjson
from fastapi import Depends, Request, Response
from pydantic import BaseModel

from services.gateway.api.examples import EXAMPLES, Example
from services.gateway.api.parameters import Format
from services.gateway.api.routes import encoded_path
from services.gateway.http import problems

__all__ = ["Answering", "Answers", "CsvTable", "Untagged", "documented"]

JSON, CSV = "application/json", "text/csv"
COMPRESSED_FROM = 1_000  # bytes: a shorter answer fits into one packet uncompressed
GZIP_LEVEL = 4


class Untagged(NamedTuple):
    """A value that the entity tag leaves out, such as an age: it changes with the clock alone."""

    value: int | None


class CsvTable(NamedTuple):
    """An answer as CSV: its heading, which is written even without rows, and its rows.

    A cell that a row lacks is empty. Columns that the heading does not name come after it.
    """

    heading: Sequence[str]
    rows: Iterable[Mapping[str, Any]]


class Answering:
    """Answers one request in the form that it wants."""

    def __init__(self, request: Request, *, is_csv: bool) -> None:
        self._request = request
        self._is_csv = is_csv

    def document(self, body: Mapping[str, Any], table: Callable[[], CsvTable]) -> Response:
        """Return an answer that is one document.

        Parameters
        ----------
        body
            As JSON.
        table
            Returns the same for CSV; it is called where that is wanted.
        """
        return self._answered(body, table, {})

    def page(self, items: Sequence[Mapping[str, Any]], table: Callable[[], CsvTable], cursor: str | None) -> Response:
        """Return a page of a list; the cursor of the next one also stands in the header ``Link``."""
        headers = {} if cursor is None else {"Link": self._link(cursor)}
        return self._answered({"items": items, "next": cursor}, table, headers)

    def _link(self, cursor: str) -> str:
        following = self._request.url.include_query_params(cursor=cursor)
        return f'<{encoded_path(self._request.scope)}?{following.query}>; rel="next"'

    def _answered(self, body: Mapping[str, Any], table: Callable[[], CsvTable], headers: Mapping[str, str]) -> Response:
        kind, csv_table = (CSV, table()) if self._is_csv else (JSON, None)
        known = body if csv_table is None else [csv_table.heading, body]
        tag = f'W/"{hashlib.blake2b(_json(known, _untagged_null), digest_size=16, key=kind.encode()).hexdigest()}"'
        common = {"ETag": tag, "Vary": "Accept, Accept-Encoding, Authorization, X-API-Key", **headers}
        asked = self._request.headers
        if tag.removeprefix("W/") in asked.get("if-none-match", ""):
            return Response(status_code=304, headers=common)
        raw = _json(body, _untagged_value) if csv_table is None else _csv(csv_table)
        if len(raw) >= COMPRESSED_FROM and "gzip" in asked.get("accept-encoding", ""):
            raw = gzip.compress(raw, GZIP_LEVEL, mtime=0)
            common["Content-Encoding"] = "gzip"
        return Response(raw, headers=common, media_type=f"{kind}; charset=utf-8" if self._is_csv else kind)


async def _answering(request: Request, wanted: Format = None) -> Answering:
    accepted = request.headers.get("accept", "").lower()
    return Answering(request, is_csv=accepted.startswith(CSV) if wanted is None else wanted == "csv")


Answers = Annotated[Answering, Depends(_answering)]


def documented(model: type[BaseModel], *others: int, example: Example | None = None) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document says of the answers of a route: the model, the same as CSV, and 304.

    ``others`` are problems that the route may answer with, beside those of all routes; ``example`` is that of an answer
    which ``EXAMPLES`` does not have.
    """
    headers = {
        "ETag": {"description": "Send it as If-None-Match.", "schema": {"type": "string"}},
        "Link": {"description": "Where the next page is, if there is one.", "schema": {"type": "string"}},
    }
    example = example or EXAMPLES[model]
    content = {JSON: {"example": example.json}, CSV: {"schema": {"type": "string"}, "example": example.csv}}
    return {
        200: {"model": model, "content": content, "headers": headers},
        304: {"description": "Nothing has changed since the answer with this entity tag."},
        **problems.documented(*others),
    }


def _json(body: Any, default: Callable[[Any], Any]) -> bytes:
    return orjson.dumps(body, default, orjson.OPT_UTC_Z)


def _untagged_value(value: Any) -> Any:
    if isinstance(value, Untagged):
        return value.value
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _untagged_null(value: Any) -> None:
    _untagged_value(value)


def _csv(table: CsvTable) -> bytes:
    text = io.StringIO()
    rows = list(table.rows)
    names = dict.fromkeys([*table.heading, *(name for row in rows for name in row)])
    writer = csv.DictWriter(text, list(names), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    match value:
        case Untagged():
            return value.value
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.strftime("%Y-%m-%dT%H:%M:%SZ")
        case _:
            return value
