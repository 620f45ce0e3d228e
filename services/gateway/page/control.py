"""Forwards to the replay of a demo what an operator wants of it: a pause, another pace."""

from __future__ import annotations

import httpx
from fastapi import APIRouter, Body, Response

from services.gateway.api.routes import EncodedRoute
from services.gateway.http.problems import Problem

__all__ = ["control_router"]

ANSWER_S = 2.0


def control_router(url: str | None) -> APIRouter:
    """Return the route of `/control`; without an address it says that there is no replay."""
    router = APIRouter(include_in_schema=False, route_class=EncodedRoute)

    @router.get("/control")
    def tempo() -> Response:
        return _forwarded(url, None)

    @router.post("/control")
    def change(wanted: dict[str, object] = Body()) -> Response:  # noqa: B008 - so FastAPI is told where it stands
        return _forwarded(url, wanted)

    return router


def _forwarded(url: str | None, body: dict[str, object] | None) -> Response:
    if url is None:
        raise Problem(404, "no replay can be changed here: `tetouan demo` has one")
    try:
        answer = httpx.get(url, timeout=ANSWER_S) if body is None else httpx.post(url, json=body, timeout=ANSWER_S)
    except httpx.TransportError:
        raise Problem(503, "the replay does not answer: it may have ended") from None
    if answer.is_error:
        raise Problem(answer.status_code, answer.json()["detail"])
    return Response(answer.content, media_type="application/json")
