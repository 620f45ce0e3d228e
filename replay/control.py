"""Lets others on this machine pause a replay, or change its pace: `/control` of a socket on loopback."""

from __future__ import annotations

import json
import socket
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

if TYPE_CHECKING:
    from replay.pacing import Tempo

__all__ = ["serve_control"]

PATH = "/control"
MOST_BYTES = 1000


class _Change(BaseModel):
    """What is to become of the tempo; what is not named stays."""

    model_config = ConfigDict(extra="forbid", strict=True)
    rate_per_s: float | None = Field(default=None, ge=0, le=1_000_000, allow_inf_nan=False)
    paused: bool | None = None


def serve_control(listener_fd: int, tempo: Tempo) -> str:
    """Answer on a socket that listens already, from now on; return its address.

    GET tells the tempo; POST changes it by a JSON object of ``rate_per_s`` and ``paused``, and answers with what holds
    then. A page of another site cannot send JSON here without being asked first, which is refused.
    """
    listener = socket.socket(fileno=listener_fd)
    host, port = listener.getsockname()[:2]
    server = ThreadingHTTPServer((host, port), _handler_of(tempo), bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    Thread(target=server.serve_forever, name="control", daemon=True).start()
    return f"http://{host}:{port}{PATH}"


def _handler_of(tempo: Tempo) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != PATH:
                self._answer(HTTPStatus.NOT_FOUND, {"detail": f"ask for {PATH}"})
            else:
                self._answer(HTTPStatus.OK, vars(tempo))

        def do_POST(self) -> None:
            if self.path != PATH or self.headers.get("Content-Type") != "application/json":
                self._answer(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, {"detail": f"send application/json to {PATH}"})
                return
            length = min(int(self.headers.get("Content-Length") or 0), MOST_BYTES)
            try:
                change = _Change.model_validate_json(self.rfile.read(length))
            except ValidationError as error:
                detail = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
                self._answer(HTTPStatus.UNPROCESSABLE_ENTITY, {"detail": detail})
                return
            for name, value in change.model_dump(exclude_none=True).items():
                setattr(tempo, name, value)
            self._answer(HTTPStatus.OK, vars(tempo))

        def _answer(self, status: HTTPStatus, body: dict[str, Any]) -> None:
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            """Say nothing: the log of the replay is about readings."""

    return Handler
