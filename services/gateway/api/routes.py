"""Routes whose parameters may contain anything: a path is split before it is decoded.

HEAD is answered as GET is, and a query parameter that a route does not have is refused.
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount

from services.gateway.http.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from fastapi.dependencies.models import Dependant
    from starlette.types import Message, Receive, Scope, Send

__all__ = ["EncodedRoute", "Everything", "encoded_path", "is_head"]

KEPT = "/%:@!$&'()*+,;=~"  # what a path may hold as it is
LONGEST_NAME = 80  # characters of a parameter that is told back
IS_HEAD = "tetouan.is_head"


def encoded_path(scope: Scope) -> str:
    """Return the path of a request as it came, percent-encoded; what may not stand in a path is encoded here."""
    raw: bytes | None = scope.get("raw_path")  # a server need not give it
    return quote(scope["path"], safe="/") if raw is None else quote(raw, safe=KEPT)


def is_head(request: Request) -> bool:
    """Tell whether a request that a route answers as GET came as HEAD: nobody reads the body of its answer."""
    return request.scope.get(IS_HEAD, False) is True


class EncodedRoute(APIRoute):
    """A route that takes `%2F` for a part of a name, and every other byte, too; where GET is, HEAD is as well.

    A misspelt parameter would be an answer to another question than was meant: it is 422.

    HEAD is none of its ``methods``, each of which would be an operation of its own in the OpenAPI document.
    """

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is for this route, and its parameters, decoded."""
        if scope["type"] != "http":
            return Match.NONE, {}
        match, found = super().matches({**scope, "path": encoded_path(scope), "method": self._method_of(scope)})
        if match != Match.NONE:
            found["path_params"] = {name: unquote(value) for name, value in found["path_params"].items()}
        return match, found

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; to HEAD with the headers alone."""
        method = self._method_of(scope)
        own = self.methods or set()
        if method not in own:
            takes = [*own, "HEAD"] if "GET" in own else own
            raise HTTPException(405, headers={"Allow": ", ".join(takes)})
        self._refuse_unknown(Request(scope).query_params)
        if method == scope["method"]:
            await super().handle(scope, receive, send)
        else:
            await super().handle({**scope, "method": method, IS_HEAD: True}, receive, _without_body(send))

    @cached_property
    def _parameters(self) -> list[str]:
        """The names of its query parameters."""
        return list(_parameters_of(self.dependant))

    def _refuse_unknown(self, given: Mapping[str, str]) -> None:
        """Raise ``Problem`` that names the first parameter that is none of this route's, and what may be meant."""
        for name, value in given.items():
            if name not in self._parameters:
                nearest = get_close_matches(name.lower(), self._parameters) or self._parameters
                wanted = f"use {' or '.join(nearest)}" if nearest else "leave it out, this path takes none"
                raise Problem.of(422, name[:LONGEST_NAME], value, f"there is no such parameter here: {wanted}")

    def _method_of(self, scope: Scope) -> str:
        """Return the method by which a request is answered."""
        method: str = scope["method"]
        return "GET" if method == "HEAD" and "GET" in (self.methods or ()) else method


def _parameters_of(dependant: Dependant) -> Iterator[str]:
    """Yield the names of the query parameters of a route, and of what it depends on."""
    yield from (field.alias for field in dependant.query_params)
    for each in dependant.dependencies:
        yield from _parameters_of(each)


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head


class Everything(Mount):
    """An application that is asked for every path, also for one with a line break."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Take each request."""
        return (Match.FULL, {"endpoint": self.app}) if scope["type"] == "http" else (Match.NONE, {})
