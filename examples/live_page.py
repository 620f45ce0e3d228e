# /// script
# requires-python = ">=3.11"
# dependencies = ["httpx>=0.28,<1", "starlette>=1.0,<2", "uvicorn>=0.54,<1"]
# ///
"""Serve live_page.html, and pass the live stream of the gateway on to it.

No page of another origin may read the gateway, and a browser's EventSource cannot send a key. So the server of a page
asks the gateway in its place, and adds the key in the variable GATEWAY_KEY, which no browser sees: whoever may come to
this page sees the forecasts. It listens on this machine alone: before others may come, put what asks who they are
before it.
"""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import FileResponse, StreamingResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

PAGE = Path(__file__).with_name("live_page.html")
ANSWER_S = 10.0  # then nobody is there
SILENCE_S = 40.0  # the gateway sends a comment every 15 seconds
AWAY = b"retry: 2000\nevent: away\ndata: %b\n\n"  # without an id, so that the browser asks again behind the last one
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"


def main() -> int:
    """Serve until Ctrl-C; returns the exit code."""
    options = parse_arguments()
    key = {"Authorization": f"Bearer {os.environ['GATEWAY_KEY']}"} if os.environ.get("GATEWAY_KEY") else {}
    try:
        answer = httpx.get(f"{options.gateway}/api/v1/sites", params={"limit": "1"}, headers=key, timeout=ANSWER_S)
    except httpx.TransportError as error:
        print(
            f"{options.gateway}: {error}: run `tetouan run gateway` or `docker compose up`, or give --gateway",
            file=sys.stderr,
        )
        return 2
    if answer.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        print(f"{options.gateway}: it refuses us: give a key in GATEWAY_KEY", file=sys.stderr)
        return 2
    print(f"open http://127.0.0.1:{options.port}; Ctrl-C ends", file=sys.stderr)
    config = uvicorn.Config(
        application(options.gateway, key),
        port=options.port,
        log_level="warning",
        timeout_graceful_shutdown=1,
    )
    with suppress(KeyboardInterrupt):
        uvicorn.Server(config).run()
    return 0


def application(gateway: str, key: dict[str, str]) -> Starlette:
    """Return the page at `/` and the stream at `/stream`."""
    client = httpx.AsyncClient(base_url=gateway, timeout=httpx.Timeout(ANSWER_S, read=SILENCE_S), headers=key)

    async def page(_: Request) -> FileResponse:
        return FileResponse(PAGE, headers={"Content-Security-Policy": POLICY})

    async def stream(request: Request) -> StreamingResponse:
        passed_on = passing_on(client, request.headers.get("last-event-id"))
        return StreamingResponse(passed_on, media_type="text/event-stream", headers=HEADERS)

    @asynccontextmanager
    async def closing(_: Starlette) -> AsyncIterator[None]:
        async with client:
            yield

    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])  # against DNS rebinding
    return Starlette(routes=[Route("/", page), Route("/stream", stream)], middleware=[hosts], lifespan=closing)


async def passing_on(client: httpx.AsyncClient, last: str | None) -> AsyncIterator[bytes]:
    """Yield what the gateway sends; where it sends nothing, say so: the browser then asks again."""
    behind = {"Last-Event-ID": last} if last else {}
    try:
        async with client.stream("GET", "/api/v1/stream", params={"topics": "forecasts"}, headers=behind) as answer:
            if answer.status_code == httpx.codes.OK:
                async for piece in answer.aiter_raw():
                    yield piece
            else:
                yield AWAY % f"the gateway answers with status {answer.status_code}".encode()
    except httpx.TransportError as error:
        yield AWAY % f"the gateway does not answer: {type(error).__name__}".encode()


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Serve a page that shows forecasts as they come.")
    parser.add_argument("--gateway", default="http://127.0.0.1:8000", help="address of the gateway (%(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="port of the page on this machine (%(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
