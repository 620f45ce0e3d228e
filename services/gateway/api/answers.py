"""What answers look like: JSON or CSV, with an entity tag, compressed where the client takes it."""

import csv
import gzip
import hashlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import orjson
from fastapi import Depends, Request, Response
from pydantic import BaseModel

from services.gateway.api.parameters import Format
from services.gateway.api.routes import encoded_path
from services.gateway.http import problems

__all__ = ["Answering", "Answers", "Passing", "documented"]

JSON, CSV = "application/json", "text/csv"
COMPRESSED_FROM = 1_000  # bytes: fewer take one packet as they are
GZIP_LEVEL = 4


class Passing(NamedTuple):
    """A value of an answer that changes with the time alone: the entity tag stays as it is."""

    value: int | None


class Answering:
    """Answers one request in the form that it wants."""

    def __init__(self, request: Request, *, is_csv: bool) -> None:
        self._request = request
        self._is_csv = is_csv

    def document(self, body: Mapping[str, Any], rows: Iterable[Mapping[str, Any]]) -> Response:
        """Return the answer.

        Parameters
        ----------
        body
            As JSON.
        rows
            The same as CSV: the names of the first row are the heading.
        """
        return self._answered(body, rows, {})

    def page(
        self, items: Sequence[Mapping[str, Any]], rows: Iterable[Mapping[str, Any]], cursor: str | None
    ) -> Response:
        """Return a page of a list; the cursor of the next one also stands in the header ``Link``."""
        headers = {} if cursor is None else {"Link": self._link(cursor)}
        return self._answered({"items": items, "next": cursor}, rows, headers)

    def _link(self, cursor: str) -> str:
        following = self._request.url.include_query_params(cursor=cursor)
        return f'<{encoded_path(self._request.scope)}?{following.query}>; rel="next"'

    def _answered(
        self, body: Mapping[str, Any], rows: Iterable[Mapping[str, Any]], headers: Mapping[str, str]
    ) -> Response:
        kind = CSV if self._is_csv else JSON
        tag = f'W/"{hashlib.blake2b(_json(body, _nothing), digest_size=16, key=kind.encode()).hexdigest()}"'
        common = {"ETag": tag, "Vary": "Accept, Accept-Encoding, Authorization, X-API-Key", **headers}
        asked = self._request.headers
        if tag.removeprefix("W/") in asked.get("if-none-match", ""):
            return Response(status_code=304, headers=common)
        raw = _csv(list(rows)) if self._is_csv else _json(body, _passing)
        if len(raw) >= COMPRESSED_FROM and "gzip" in asked.get("accept-encoding", ""):
            raw = gzip.compress(raw, GZIP_LEVEL, mtime=0)
            common["Content-Encoding"] = "gzip"
        return Response(raw, headers=common, media_type=f"{kind}; charset=utf-8" if self._is_csv else kind)


async def _answering(request: Request, wanted: Format = None) -> Answering:
    accepted = request.headers.get("accept", "").lower()
    return Answering(request, is_csv=accepted.startswith(CSV) if wanted is None else wanted == "csv")


Answers = Annotated[Answering, Depends(_answering)]


def documented(model: type[BaseModel], *others: int) -> dict[int | str, dict[str, Any]]:
    """Return what the OpenAPI document says of the answers of a route: the model, the same as CSV, and 304.

    ``others`` are problems that the route may answer with, beside those of all routes.
    """
    headers = {
        "ETag": {"description": "Send it as If-None-Match.", "schema": {"type": "string"}},
        "Link": {"description": "Where the next page is, if there is one.", "schema": {"type": "string"}},
    }
    return {
        200: {"model": model, "content": {CSV: {"schema": {"type": "string"}}}, "headers": headers},
        304: {"description": "It is as it was."},
        **problems.documented(*others),
    }


def _json(body: Mapping[str, Any], default: Callable[[Any], Any]) -> bytes:
    return orjson.dumps(body, default, orjson.OPT_UTC_Z)


def _passing(value: Any) -> Any:
    if isinstance(value, Passing):
        return value.value
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _nothing(value: Any) -> None:
    _passing(value)


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator="\r\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, Passing):
        return value.value
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if hasattr(value, "strftime") else value
