"""The FastAPI application of the gateway: routers behind its doors, problems for errors, headers for browsers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Mount

from services.gateway.http.doors import Admission
from services.gateway.http.limits import Bodies
from services.gateway.http.problems import SCHEMA, Problem, documented, problem_of, shown
from shared.runtime.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fastapi import APIRouter
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from services.gateway.http.doors import Doors
    from services.gateway.http.metrics import HttpMetrics

__all__ = ["application"]

# no script but those of files of ours; a chart sets the styles of its own elements
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "private, no-cache",
}
VERSION = "1.0.0"  # of the paths and the answers, which begin with /api/v1
OTHER = "other"
DESCRIPTION = (
    "Forecasts of electricity demand, what they were made of, and how good they were. "
    "Live events come from /api/v1/stream as server-sent events: docs/subscribe.md says how."
)

log = structlog.get_logger()


def application(
    routers: Sequence[APIRouter],
    doors: Doors,
    metrics: HttpMetrics,
    failures: Mapping[type[Exception], Callable[[Exception], Problem]] | None = None,
) -> FastAPI:
    """Return the application; it is mounted at `/`, behind the health paths of the service.

    Parameters
    ----------
    routers
        Each with the whole path of its routes: a prefix given as one is included is unknown to the metrics.
    doors
        Are passed before anything else runs.
    metrics
        What is counted.
    failures
        What to answer for errors that are none of ours, such as those of a database that is away.
    """
    made = _Application(
        title="Tetouan streaming forecaster",
        version=VERSION,
        description=DESCRIPTION,
        docs_url=None,  # its page loads scripts from another host
        redoc_url=None,
        redirect_slashes=False,
        responses=documented(401, 403, 408, 413, 415, 422, 429, 500, 503),
        middleware=[
            Middleware(_Answers, metrics=metrics),
            Middleware(Admission, doors=doors),
            Middleware(Bodies, metrics=metrics),
        ],
    )
    for ours in (Problem, HTTPException, RequestValidationError):
        made.add_exception_handler(ours, _say)
    for kind, problem in (failures or {}).items():
        made.add_exception_handler(kind, _saying(problem))
    made.add_exception_handler(Exception, _say_fault)
    for router in routers:
        made.include_router(router)
    routes = [route for router in routers for route in router.routes]
    made.described = [route for route in routes if isinstance(route, APIRoute) and route.include_in_schema]
    return made


class _Application(FastAPI):
    """Its document has the form of a problem, how a key is sent, and the examples of the routes ``described``."""

    described: Sequence[APIRoute] = ()

    def openapi(self) -> dict[str, Any]:
        """Return the OpenAPI document."""
        document = super().openapi()
        for route in self.described:
            _restore_examples(route, document["paths"][route.path_format])
        components = document.setdefault("components", {})
        components.setdefault("schemas", {})["Problem"] = SCHEMA
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer", "description": "a key of `tetouan keys create`"},
            "basic": {"type": "http", "scheme": "basic", "description": "the key as the password, for browsers"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        # none is needed where nobody has made a key
        document["security"] = [{}, {"bearer": []}, {"basic": []}, {"header": []}]
        return document


def _restore_examples(route: APIRoute, described: dict[str, Any]) -> None:
    """Put the examples of a route's answers into its description as they are: the framework leaves nulls out."""
    for method in route.methods or ():
        for status, answer in route.responses.items():
            for kind, media in answer.get("content", {}).items():
                if "example" in media:
                    described[method.lower()]["responses"][str(status)]["content"][kind]["example"] = media["example"]


async def _say(request: Request, error: Exception) -> Response:
    return shown(problem_of(request, error), request)


def _saying(problem: Callable[[Exception], Problem]) -> Callable[[Request, Exception], Response]:
    def say(request: Request, error: Exception) -> Response:
        return shown(problem(error), request)

    return say


async def _say_fault(request: Request, error: Exception) -> Response:
    """Answer for a bug of ours; the framework raises it again, and the server logs it."""
    response = shown(problem_of(request, error), request)
    response.headers.update(HEADERS)
    return response


class _Answers:
    """Middleware that counts answers, and tells browsers what these may do."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun_s, answers = monotonic_s(), False

        async def send_counted(message: Message) -> None:
            nonlocal answers
            if message["type"] == "http.response.start":
                answers = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                self._count(scope, message["status"], monotonic_s() - begun_s)
            await send(message)

        try:
            await self._app(scope, receive, send_counted)
        except Exception:
            if not answers:
                self._count(scope, 500, monotonic_s() - begun_s)
            raise

    def _count(self, scope: Scope, status: int, duration_s: float) -> None:
        route = scope.get("route")
        name = OTHER if route is None or isinstance(route, Mount) else route.path_format
        self._metrics.requests.labels(name, str(status)).inc()
        self._metrics.seconds.labels(name).observe(duration_s)
