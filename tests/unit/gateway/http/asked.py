"""An application of the gateway, asked without a server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
from prometheus_client import CollectorRegistry

from services.gateway.http.application import application
from services.gateway.http.doors import Doors, is_loopback
from services.gateway.http.keys import ApiKey, KnownKeys, hash_of
from services.gateway.http.limits import RateLimit
from services.gateway.http.metrics import HttpMetrics
from shared.runtime.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from fastapi import APIRouter, FastAPI

    from services.gateway.http.problems import Problem

__all__ = ["Gateway"]


class Gateway:
    """An application with its metrics; ``key`` is the only key, if any."""

    def __init__(
        self,
        *routers: APIRouter,
        keys: Mapping[str, str] | None = None,
        revoked: Sequence[str] = (),
        needs_key: bool = False,
        checks_host: bool = True,
        per_minute: int = 0,
        failures: Mapping[type[Exception], Callable[[Exception], Problem]] | None = None,
    ) -> None:
        self.registry = CollectorRegistry()
        self.keys = [ApiKey(name, hash_of(key), name in revoked) for name, key in (keys or {}).items()]
        self._routers = routers
        self._needs_key = needs_key
        self._checks_host = checks_host
        self._per_minute = per_minute
        self._failures = failures
        self._metrics = HttpMetrics(self.registry)

    def add(self, *routers: APIRouter) -> None:
        """Let it answer more."""
        self._routers += routers

    def doors(self, clock: Callable[[], float] = monotonic_s) -> Doors:
        """Return its doors; they belong to the event loop that they are asked in."""
        return Doors(
            KnownKeys(lambda: self.keys, clock),
            self._needs_key,
            is_loopback if self._checks_host else lambda _: True,
            RateLimit(self._per_minute),
            self._metrics,
        )

    def application(self) -> FastAPI:
        """Return the application; it belongs to the event loop that it is asked in."""
        return application(self._routers, self.doors(), self._metrics, self._failures)

    def ask(self, *requests: httpx.Request) -> list[httpx.Response]:
        """Return the answers to some requests, in turn."""

        async def ask() -> list[httpx.Response]:
            transport = httpx.ASGITransport(self.application(), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport) as client:
                return [await client.send(request) for request in requests]

        return asyncio.run(ask())

    def get(self, path: str, headers: Mapping[str, str] | None = None, host: str = "localhost:8000") -> httpx.Response:
        """Return the answer to one request without a body."""
        return self.ask(httpx.Request("GET", f"http://{host}{path}", headers=headers))[0]

    def post(
        self, path: str, content: bytes, kind: str = "application/json", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """Return the answer to one request with a body."""
        told = {"Content-Type": kind, **(headers or {})}
        return self.ask(httpx.Request("POST", f"http://localhost{path}", content=content, headers=told))[0]

    def metric(self, name: str, **labels: str) -> float:
        """Return a sample, 0 where there is none."""
        return self.registry.get_sample_value(name, labels) or 0.0
