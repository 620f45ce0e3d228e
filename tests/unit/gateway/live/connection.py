"""A client of the live stream without a server: it takes what it is sent, or nothing."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from fastapi import FastAPI

from services.gateway.http.doors import VISITOR, Visitor
from services.gateway.live.stream import stream_router

if TYPE_CHECKING:
    from starlette.types import Message, Scope

    from services.gateway.live.stream import Streams

__all__ = ["Connection"]

PATIENCE_S = 5.0


class Connection:
    """A request for the stream, and all that came of it; ``name`` says whose it is, ``query`` are the parameters.

    It is its own transport: what the server cuts off, returns from every send.
    """

    def __init__(self, streams: Streams, *, last: str | None = None, name: str = "a", **query: str) -> None:
        self.may_stay = True
        self._application = FastAPI()
        self._application.include_router(stream_router(streams))
        headers = [(b"host", b"localhost")] + ([(b"last-event-id", last.encode())] if last else [])
        self._scope: Scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": "/api/v1/stream",
            "raw_path": b"/api/v1/stream",
            "query_string": "&".join(f"{name}={quote(value)}" for name, value in query.items()).encode(),
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "extensions": {"tetouan.transport": self, VISITOR: Visitor(name, self._stays)},
        }
        self._changed = asyncio.Event()
        self._gone = asyncio.Event()
        self._takes = asyncio.Event()
        self._takes.set()
        self._task: asyncio.Task[None] | None = None
        self.socket = socket.socket()
        self.text = ""
        self.ended = False

    async def __aenter__(self) -> Self:
        """Ask."""
        self._task = asyncio.create_task(self._application(self._scope, self._receive, self._send))
        return self

    async def __aexit__(self, *_: object) -> None:
        """Go away, and wait until the server has let go."""
        self._gone.set()
        assert self._task is not None
        await asyncio.wait_for(self._task, PATIENCE_S)
        self.socket.close()

    def stall(self) -> None:
        """Take nothing from now on."""
        self._takes.clear()

    def go_on(self) -> None:
        """Take again what comes."""
        self._takes.set()

    async def until(self, text: str) -> str:
        """Wait until that has come; return all that has."""
        async with asyncio.timeout(PATIENCE_S):
            while text not in self.text:
                await self._changed.wait()
                self._changed.clear()
        return self.text

    async def until_ended(self) -> None:
        """Wait until the server has ended the stream."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.ended:
                await self._changed.wait()
                self._changed.clear()

    @property
    def ids(self) -> list[str]:
        """The ids of the events that have come."""
        return [line.removeprefix("id: ") for line in self.text.splitlines() if line.startswith("id: ")]

    def get_extra_info(self, name: str) -> Any:
        """Return the socket, as a transport does."""
        return {"socket": self.socket}[name]

    def abort(self) -> None:
        """Lose the connection."""
        self._gone.set()
        self._takes.set()

    async def wait_gone(self) -> None:
        """Wait until the connection is lost."""
        await asyncio.wait_for(self._gone.wait(), PATIENCE_S)

    async def _stays(self) -> bool:
        return self.may_stay

    async def _receive(self) -> Message:
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self._takes.wait()
        if message["type"] == "http.response.body":
            self.text += message["body"].decode()
            self.ended = not message.get("more_body", False)
        self._changed.set()
