"""Runs one service: its consume loop and its HTTP answers in one event loop, until it is told to stop."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import signal
import socket
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import structlog
import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from threadpoolctl import threadpool_limits
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from shared.runtime import lifeline, logs
from shared.runtime.concerns import ServiceSettings
from shared.runtime.metrics import PipelineMetrics, exposition
from shared.runtime.pipeline import Pipeline
from shared.runtime.publishing import PACE_S, Fenced
from shared.runtime.records import Answer
from shared.runtime.settings import Refused, load, unknown_variables
from shared.runtime.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from prometheus_client import CollectorRegistry
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from shared.contracts.topics import Topic
    from shared.runtime.concerns import HttpSettings
    from shared.runtime.health import Health
    from shared.runtime.publishing import Plain, Sender
    from shared.runtime.state import Core

__all__ = ["Service", "main", "run"]

RENDER_S = 30.0
STOP_S = 9.0  # the pipeline gives up before
MOST_FILES = 65_536  # a connection is one, and often a process has 1,024 unless it asks for more

log = structlog.get_logger()

S = TypeVar("S", bound=ServiceSettings)


@dataclass(frozen=True)
class Service(Generic[Answer]):
    """What makes one service: its name (in its consumer group, too), its topics, how to make its core, and its metrics.

    A core is made for each partition number that the group assigns, and brought to where it has to go on, while the
    service already answers `/healthz`; it is made anew where its state has to go back (`shared.runtime.state`).
    ``Refused`` ends the start.
    ``restores`` are the topics from which its state is rebuilt where no snapshot is (`shared.runtime.restoring`), and
    ``publishes`` those of its answers; all of them are made at the start where they are missing, and checked.
    ``pace_s`` is the least time from one transaction of a partition to the next: a service for whose answers nobody
    waits takes more of them together.
    ``companions`` run beside the consume loop until the service stops: one that fails ends it. ``routes`` stand beside
    `/healthz`, `/readyz` and `/metrics`. ``make_sender`` makes what takes the answers of a partition where these are
    more than records: it is handed a sender that publishes records and commits, without a transaction. ``before_stop``
    is called as the service is told to stop, before open answers are waited for: one without an end has to end then.
    """

    name: str
    consumes: tuple[Topic, ...]
    make_core: Callable[[], Core[Answer]]
    registry: CollectorRegistry
    health: Health
    max_records: int = 500
    pace_s: float = PACE_S
    restores: tuple[Topic, ...] = ()
    publishes: tuple[Topic, ...] = ()
    companions: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = ()
    routes: tuple[BaseRoute, ...] = ()
    make_sender: Callable[[Plain], Sender[Answer]] | None = None
    before_stop: Callable[[], None] = lambda: None


def main(name: str, kind: type[S], build: Callable[[S], Service[Any]]) -> int:
    """Load the settings, build the service and run it; 2 and one line where the start is refused."""
    try:
        settings = load(kind)
        lifeline.hold(settings.lifeline_fd)
        logs.configure(name, settings.log_format, settings.log_level)
        for line in unknown_variables():
            log.warning(line)
        with threadpool_limits(1):  # one service, one core: more threads only fight over small matrices
            return run(build(settings), settings)
    except Refused as refusal:
        sys.stderr.write(f"{name}: {refusal}\n")
        return 2


def run(service: Service[Any], settings: ServiceSettings) -> int:
    """Serve until SIGTERM or SIGINT: 0 after a clean stop, 1 after a failure; ``Refused`` where it cannot start."""
    _allow_files()
    metrics = PipelineMetrics(service.registry)
    metrics.unreadable.set_function(lambda: len(service.health.unreadable))
    listener = _listener(settings)
    pipeline = Pipeline(service, settings, metrics=metrics)
    server = _Server(
        service.before_stop,
        uvicorn.Config(
            _application(service, pipeline),
            http=_Connection,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,  # anybody on this machine can say that he is somebody else
            timeout_graceful_shutdown=1,
            lifespan="on",
        ),
    )

    def stop() -> None:
        server.should_exit = True

    service.health.on_failure = stop
    for order in (signal.SIGTERM, signal.SIGINT):  # uvicorn takes them over, and raises them again when it has stopped
        signal.signal(order, lambda *_: stop())
    with listener:
        host, port = listener.getsockname()[:2]
        log.info("listening", address=f"http://{host}:{port}", pid=os.getpid())
        server.run(sockets=[listener])
    if isinstance(service.health.failure, Refused):
        raise service.health.failure
    if isinstance(service.health.failure, Fenced):
        log.error(str(service.health.failure))
        return 1
    if service.health.failure is not None:
        log.error("ended by a failure", error=repr(service.health.failure), exc_info=service.health.failure)
        return 1
    log.info("stopped")
    return 0


def _allow_files() -> None:
    """Let the process have as many files open as it may ask for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Server(uvicorn.Server):
    """A server that says that it stops before it waits for open answers."""

    def __init__(self, before_stop: Callable[[], None], config: uvicorn.Config) -> None:
        super().__init__(config)
        self._before_stop = before_stop

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop, once all has been told."""
        self._before_stop()
        await super().shutdown(sockets)


class _Connection(HttpToolsProtocol):
    """A connection that an application can bound and cut off: a client that takes nothing holds it up for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the base has it
        """Take the connection; each of its requests tells the application which it is."""
        super().connection_made(transport)
        application = self.app

        async def with_transport(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})["tetouan.transport"] = transport
            await application(scope, receive, send)

        self.app = with_transport


def _listener(settings: HttpSettings) -> socket.socket:
    try:
        if settings.http_fd is not None:
            return socket.socket(fileno=settings.http_fd)
        return socket.create_server((settings.http_host, settings.http_port))
    except OSError as error:
        raise Refused(_no_listener(settings, error)) from None


def _no_listener(settings: HttpSettings, error: OSError) -> str:
    """Return why nothing can listen there, and which setting to change."""
    if settings.http_fd is not None:
        why = f"TETOUAN_HTTP_FD={settings.http_fd}: cannot listen on it ({error.strerror})"
        return f"{why}: give a socket that listens, or take it away"
    if error.errno in (errno.EADDRINUSE, errno.EACCES):
        where = f"{settings.http_host}:{settings.http_port}"
        return f"cannot listen on {where} ({os.strerror(error.errno)}): set TETOUAN_HTTP_PORT to a free port"
    return (
        f"TETOUAN_HTTP_HOST={settings.http_host!r} is no address of this machine ({error.strerror}): give one that is"
    )


def _application(service: Service[Any], pipeline: Pipeline) -> Starlette:
    async def healthz(_: Request) -> JSONResponse:
        live, evidence = service.health.live()
        return JSONResponse({"live": live, **evidence}, status_code=200 if live else 503)

    async def readyz(_: Request) -> JSONResponse:
        ready, evidence = service.health.ready()
        return JSONResponse({"ready": ready, **evidence}, status_code=200 if ready else 503)

    async def metrics(_: Request) -> Response:
        # of thousands of sites it takes a second, for which no reading may wait
        rendered = await run_in_thread(RENDER_S, exposition, service.registry)
        return Response(rendered, media_type=CONTENT_TYPE_LATEST)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(_start(pipeline, service))]
        tasks += [asyncio.create_task(_accompany(companion, service)) for companion in service.companions]
        yield
        for task in tasks:
            task.cancel()
        # what a broker that does not answer holds up, even as it is cancelled, must not hold up the end
        ended, _held_up = await asyncio.wait([asyncio.create_task(pipeline.stop()), *tasks], timeout=STOP_S)
        await asyncio.gather(*ended, return_exceptions=True)  # what has failed has been noted

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
            *service.routes,
        ],
        lifespan=lifespan,
    )


async def _accompany(companion: Callable[[], Coroutine[Any, Any, None]], service: Service[Any]) -> None:
    try:
        await companion()
    except Exception as error:
        service.health.fail(error)
        raise


async def _start(pipeline: Pipeline, service: Service[Any]) -> None:
    """Start in the background, so that the health answers come while broker or models do not."""
    try:
        await pipeline.start()
    except Exception as error:
        service.health.fail(error)
        raise
