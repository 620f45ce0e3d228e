"""`GET /api/v1/stream`: the events as server-sent events.

FastAPI's own way frames each event for each subscriber, and moves it through two queues of that one. Here an event is
framed once for all of them, by FastAPI's function, and a subscriber is sent all that has come since its last turn in
one piece; the response is FastAPI's, too.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse

from services.gateway.api.routes import EncodedRoute, is_head
from services.gateway.http.doors import Visitor
from services.gateway.http.problems import Problem
from services.gateway.live.events import KINDS, EventId, Wanted, ending, gap
from services.gateway.live.hub import CHUNK_BYTES, SlowError
from services.gateway.live.past import UNKNOWN
from shared.runtime.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Iterator

    from aiokafka import TopicPartition
    from starlette.types import Message, Receive, Scope, Send

    from services.gateway.live.events import Event
    from services.gateway.live.hub import Hub
    from services.gateway.live.metrics import LiveMetrics
    from services.gateway.live.past import Past

__all__ = ["StreamLimits", "Streams", "stream_router"]

PATH = "/api/v1/stream"
SENDING_BYTES = 128 * 1024  # that the system holds for a client beside us
BEGUN = b": connected\n\n"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # no proxy is to collect events

SLOW = "more came than was taken: connect again with the last id, and ask for less"
REVOKED = ending("revoked", "its key was revoked, or one is needed now: connect with a key that holds")
STOPPING = "this gateway stops: connect again with the last id"


@dataclass(frozen=True)
class StreamLimits:
    """How long a stream is silent, how long a client may take nothing, and how many streams there are.

    After ``heartbeat_s`` it is looked again whether a client may stay, too. ``subscribers`` are all of a replica,
    ``per_client`` those of one key or address (0: any number).
    """

    heartbeat_s: float = 15.0
    stalled_s: float = 10.0
    subscribers: int = 1000
    per_client: int = 0


class Streams:
    """The open streams of a replica.

    Parameters
    ----------
    hub, past
        Where events come from: memory, or the topics.
    metrics
        What is counted.
    prefix
        Begins the names of the topics.
    bounds
        Of time and number.
    """

    def __init__(
        self, hub: Hub, past: Past, metrics: LiveMetrics, prefix: str = "", bounds: StreamLimits | None = None
    ) -> None:
        self._hub = hub
        self._past = past
        self._metrics = metrics
        self._prefix = prefix
        self._bounds = bounds or StreamLimits()
        self._open: Counter[str] = Counter()

    def open(self, wanted: Wanted, last: EventId | None, visitor: Visitor) -> EventSourceResponse:
        """Return a stream, behind an event or from now on; raises ``Problem`` where there are too many."""
        if self._open.total() >= self._bounds.subscribers:
            detail = f"{self._open.total()} streams are open: close some, or ask another replica"
            raise Problem(503, detail, headers={"Retry-After": "30"})
        if 0 < self._bounds.per_client <= self._open[visitor.name]:
            detail = (
                f"{self._open[visitor.name]} streams of this key or address are open: close some, or raise "
                "TETOUAN_HTTP_STREAMS_PER_CLIENT"
            )
            raise Problem(429, detail, headers={"Retry-After": "30"})
        return _EventStream(self._pieces(wanted, last, visitor.name), visitor, self._metrics, self._bounds)

    async def _pieces(self, wanted: Wanted, last: EventId | None, name: str) -> AsyncGenerator[bytes]:
        """Yield what is sent to one subscriber, piece by piece."""
        self._open[name] += 1
        self._metrics.subscribers.inc()
        try:
            await self._hub.begun()
            cursor = self._hub.end  # of what comes once somebody knows to be connected nothing is missed
            yield BEGUN
            if last is not None and not self._hub.closed:
                async with aclosing(self._missed(wanted, last)) as missed:
                    async for piece, goes_on in missed:
                        cursor = goes_on
                        yield piece
            async with aclosing(self._live(wanted, cursor)) as live:
                async for piece in live:
                    yield piece
        finally:
            self._open -= Counter([name])
            self._metrics.subscribers.dec()

    async def _live(self, wanted: Wanted, cursor: int) -> AsyncGenerator[bytes]:
        while not self._hub.closed:
            try:
                piece, count, cursor = self._hub.chunk(cursor, wanted)
            except SlowError:
                yield self._end("slow", SLOW)
                return
            if piece:
                self._metrics.sent.inc(count)
                yield piece
            else:
                await self._hub.moved(cursor)
        yield self._end("stopping", STOPPING)

    async def _missed(self, wanted: Wanted, last: EventId) -> AsyncGenerator[tuple[bytes, int]]:
        """Yield what somebody has missed, each time with where it goes on in memory behind all of it."""
        found = self._hub.behind(last)
        if found is not None:
            self._metrics.resumed.labels("memory").inc()
            events, cursor = found
            for piece in self._framed(events, wanted):
                yield piece, cursor
            yield BEGUN, cursor
            return
        self._metrics.resumed.labels("topics").inc()
        if not any(self._is_of(partition, last) for partition in self._hub.positions):
            yield gap(last, UNKNOWN), self._hub.end
            return
        async with aclosing(self._from_topics(wanted, last)) as missed:
            async for each in missed:
                yield each

    async def _from_topics(self, wanted: Wanted, last: EventId) -> AsyncGenerator[tuple[bytes, int]]:
        """Read up to what the follower has handed to memory, until memory reaches back to there."""
        names = {self._prefix + KINDS[kind] for kind in wanted.kinds}
        partitions = [partition for partition in self._hub.positions if partition.topic in names]
        positions, said = await self._past.behind(last, partitions)
        cursor = self._hub.end
        if said is not None:
            yield said, cursor
        is_whole = False
        while not is_whole:
            cursor, until = self._hub.end, {partition: self._hub.positions[partition] for partition in partitions}
            while any(positions[partition] < until[partition] for partition in partitions):
                events, positions = await self._past.read(positions, until)
                for piece in self._framed(events, wanted):
                    yield piece, cursor
            is_whole = self._hub.holds(cursor)
        yield BEGUN, cursor

    def _is_of(self, partition: TopicPartition, place: EventId) -> bool:
        return (partition.topic, partition.partition) == (self._prefix + place.topic, place.partition)

    def _framed(self, events: Iterable[Event], wanted: Wanted) -> Iterator[bytes]:
        """Yield events in pieces that a connection can hold."""
        piece = bytearray()
        for event in events:
            if not wanted.takes(event):
                continue
            if piece and len(piece) + len(event.frame) > CHUNK_BYTES:
                yield bytes(piece)
                piece.clear()
            piece += event.frame
            self._metrics.sent.inc()
        if piece:
            yield bytes(piece)

    def _end(self, reason: str, detail: str) -> bytes:
        self._metrics.ended.labels(reason).inc()
        return ending(reason, detail)


class _EventStream(EventSourceResponse):
    """Sends pieces as they come and a comment where none does, as long as the client may stay.

    The connection is cut off where it takes nothing.
    """

    def __init__(
        self, pieces: AsyncGenerator[bytes], visitor: Visitor, metrics: LiveMetrics, bounds: StreamLimits
    ) -> None:
        super().__init__(pieces, headers=HEADERS)
        self._pieces = pieces
        self._visitor = visitor
        self._checked_s = monotonic_s()
        self._bounds = bounds
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = scope["extensions"]["tetouan.transport"]
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENDING_BYTES)  # else it grows to megabytes
        await super().__call__(scope, receive, self._bounded(send, transport.abort))

    async def stream_response(self, send: Send) -> None:
        """Send until the pieces end."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with aclosing(self._pieces), aclosing(self._with_comments()) as pieces:
            async for piece in pieces:
                may_stay = await self._may_stay()
                await send({"type": "http.response.body", "body": piece if may_stay else REVOKED, "more_body": True})
                if not may_stay:
                    self._metrics.ended.labels("revoked").inc()
                    break
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _with_comments(self) -> AsyncGenerator[bytes]:
        """Yield the pieces, and comments meanwhile."""
        is_last = False
        while not is_last:
            coming = asyncio.ensure_future(anext(self._pieces, None))
            try:
                while not (await asyncio.wait({coming}, timeout=self._bounds.heartbeat_s))[0]:
                    yield KEEPALIVE_COMMENT
            finally:
                if not coming.done():
                    coming.cancel()
                    await asyncio.wait({coming})
            piece = coming.result()
            is_last = piece is None
            if piece is not None:
                yield piece

    async def _may_stay(self) -> bool:
        """Ask the doors again, where that was some time ago."""
        now_s = monotonic_s()
        if now_s - self._checked_s < self._bounds.heartbeat_s:
            return True
        self._checked_s = now_s
        return await self._visitor.may_stay()

    def _bounded(self, send: Send, abort: Callable[[], None]) -> Send:
        """Return how to send to a client that has to take something within some seconds.

        What waits to be sent returns once the connection is gone.
        """

        def cut_off() -> None:
            self._metrics.ended.labels("stalled").inc()
            abort()

        async def send_in_time(message: Message) -> None:
            timer = asyncio.get_running_loop().call_later(self._bounds.stalled_s, cut_off)
            try:
                await send(message)
            finally:
                timer.cancel()

        return send_in_time


def stream_router(streams: Streams) -> APIRouter:
    """Return the route of the live stream.

    It is in no OpenAPI document, since its answer has no end: `docs/subscribe.md` describes it.
    """
    router = APIRouter(route_class=EncodedRoute)

    @router.get(PATH, include_in_schema=False)
    async def stream(
        request: Request,
        topics: Annotated[list[str] | None, Query()] = None,
        site: Annotated[list[str] | None, Query()] = None,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        kinds = frozenset(name.strip() for given in topics or KINDS for name in given.split(",") if name.strip())
        if unknown := sorted(kinds - KINDS.keys()):
            raise Problem.of(422, "topics", unknown[0], f"give some of {', '.join(KINDS)}, with commas between them")
        wanted = Wanted(kinds or frozenset(KINDS), frozenset(site) if site else None)
        opened = streams.open(wanted, _place(last_event_id), Visitor.of(request.scope))
        if not is_head(request):
            return opened
        return Response(headers=HEADERS, media_type=opened.media_type)

    return router


def _place(event_id: str | None) -> EventId | None:
    """Return the place that a request names; raises ``Problem`` where it is none."""
    if not event_id:
        return None
    try:
        return EventId.parse(event_id)
    except ValueError:
        detail = "give the id of an event of this stream, or leave it out to begin now"
        raise Problem.of(422, "Last-Event-ID", event_id, detail) from None
