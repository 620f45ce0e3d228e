"""How much may come in: requests a minute, and bytes of a body."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from limits import RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import Headers

from services.gateway.http.problems import Problem, answered

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from services.gateway.http.metrics import HttpMetrics

__all__ = ["MOST_BYTES", "Bodies", "RateLimit"]

MOST_BYTES = 1_000_000  # of a body
WHOLE_S = 30.0  # from the head of a request to the end of its body
LINGER_BYTES = 8_000_000  # of a refused body, thrown away so that its sender comes to read the answer
LINGER_S = 2.0
WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")


class RateLimit:
    """How many requests one key or address may make; each replica counts for itself.

    Parameters
    ----------
    per_minute
        0: any number.
    """

    def __init__(self, per_minute: int) -> None:
        self._limit = RateLimitItemPerMinute(per_minute) if per_minute else None
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def take(self, who: str) -> None:
        """Count a request; raises ``Problem`` where it is one too many."""
        if self._limit is None or await self._limiter.hit(self._limit, who):
            return
        raise Problem(
            429,
            f"more than {self._limit.amount} requests a minute: wait, or raise TETOUAN_HTTP_REQUESTS_PER_MINUTE",
            headers={"Retry-After": "5"},
        )


class Bodies:
    """Middleware that takes the body of a request whole before a route runs, or refuses it without reading it whole.

    Starlette has a limit of its own, which answers with plain text.

    Parameters
    ----------
    app
        What is behind it.
    metrics
        Where refusals are counted.
    """

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not _has_body(headers := Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        try:
            _check_type(scope["method"], headers)
            body = await _whole(headers, receive)
        except Problem as problem:
            self._metrics.refuse(problem.status)
            await _refuse(problem, scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _replayed(body, receive), send)


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _check_type(method: str, headers: Headers) -> None:
    given = headers.get("content-type", "")
    if method not in WITHOUT_BODY and given.partition(";")[0].strip().lower() != "application/json":
        raise Problem.of(415, "Content-Type", given, "send JSON as application/json")


async def _whole(headers: Headers, receive: Receive) -> bytes | None:
    """Return the body, None where its sender has gone; raises ``Problem`` where it is too long or too slow."""
    given = headers.get("content-length", "0")
    if int(given) > MOST_BYTES:  # the server has refused what is no number
        raise Problem.of(413, "Content-Length", given, f"a body may have {MOST_BYTES} bytes: send it in parts")
    body = bytearray()
    try:
        async with asyncio.timeout(WHOLE_S):
            while (message := await receive())["type"] == "http.request":
                body += message.get("body", b"")
                if len(body) > MOST_BYTES:
                    raise Problem.of(413, "body", "", f"it may have {MOST_BYTES} bytes: send it in parts")
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise Problem.of(408, "body", "", f"it was not there after {WHOLE_S:.0f} s: send it faster") from None
    return None


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a source of messages that begins with the whole body."""
    first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once, then take a little more of the body: a connection closed upon unread bytes loses the answer."""
    response = answered(problem)
    response.headers["connection"] = "close"

    async def send_open(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    await response(scope, receive, send_open)
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            await _throw_away(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _throw_away(receive: Receive) -> None:
    left = LINGER_BYTES
    while left > 0:
        message = await receive()
        if message["type"] != "http.request" or not message.get("more_body", False):
            return
        left -= len(message["body"])
