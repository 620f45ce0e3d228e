"""Routes whose parameters may contain anything: a path is split before it is decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from fastapi.routing import APIRoute
from starlette.routing import Match, Mount

if TYPE_CHECKING:
    from starlette.types import Scope

__all__ = ["EncodedRoute", "Everything", "encoded_path"]

KEPT = "/%:@!$&'()*+,;=~"  # what a path may hold as it is


def encoded_path(scope: Scope) -> str:
    """Return the path of a request as it came, percent-encoded; what may not stand in a path is encoded here."""
    raw: bytes | None = scope.get("raw_path")  # a server need not give it
    return quote(scope["path"], safe="/") if raw is None else quote(raw, safe=KEPT)


class EncodedRoute(APIRoute):
    """A route that takes `%2F` for a part of a name, and every other byte, too."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Tell whether a request is for this route, and its parameters, decoded."""
        if scope["type"] != "http":
            return Match.NONE, {}
        match, found = super().matches({**scope, "path": encoded_path(scope)})
        if match != Match.NONE:
            found["path_params"] = {name: unquote(value) for name, value in found["path_params"].items()}
        return match, found


class Everything(Mount):
    """An application that is asked for every path, also for one with a line break."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Take each request."""
        return (Match.FULL, {"endpoint": self.app}) if scope["type"] == "http" else (Match.NONE, {})
