"""Routes whose parameters may contain anything: a path is split before it is decoded. HEAD is answered as GET is."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

__all__ = ["EncodedRoute", "Everything", "encoded_path"]

KEPT = "/%:@!$&'()*+,;=~"  # what a path may hold as it is


def encoded_path(scope: Scope) -> str:
    """Return the path of a request as it came, percent-encoded; what may not stand in a path is encoded here."""
    raw: bytes | None = scope.get("raw_path")  # a server need not give it
    return quote(scope["path"], safe="/") if raw is None else quote(raw, safe=KEPT)


class EncodedRoute(APIRoute):
    """A route that takes `%2F` for a part of a name, and every other byte, too; where GET is, HEAD is as well.

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
        answer = send if method == scope["method"] else _without_body(send)
        await super().handle({**scope, "method": method}, receive, answer)

    def _method_of(self, scope: Scope) -> str:
        """Return the method by which a request is answered."""
        method: str = scope["method"]
        return "GET" if method == "HEAD" and "GET" in (self.methods or ()) else method


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head


class Everything(Mount):
    """An application that is asked for every path, also for one with a line break."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Take each request."""
        return (Match.FULL, {"endpoint": self.app}) if scope["type"] == "http" else (Match.NONE, {})
