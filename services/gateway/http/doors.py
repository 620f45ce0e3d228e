"""Who may come in: by which address, with which key, and how often."""

from __future__ import annotations

import os
import socket
from base64 import b64decode
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from services.gateway.http.keys import KnownKeys, find
from services.gateway.http.limits import RateLimit
from services.gateway.http.problems import Problem, answered
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from services.gateway.http.key_store import KeyStore
    from services.gateway.http.keys import ApiKey
    from services.gateway.http.metrics import HttpMetrics
    from services.gateway.settings import GatewaySettings

__all__ = ["Admission", "Doors", "Visitor", "doors_of", "is_loopback"]

NETWORK_BITS = 64  # of an IPv6 address that one customer has
VISITOR = "tetouan.visitor"
# Chromium asks for a password only where Basic is the first scheme
CHALLENGE = 'Basic realm="tetouan: the key is the password", charset="UTF-8", Bearer realm="tetouan"'


@dataclass(frozen=True)
class Visitor:
    """Who has come in.

    Attributes
    ----------
    name
        Of the key, or the address where there is none: what one name may have is limited.
    may_stay
        Returns whether it could come in now: its key may have been revoked.
    """

    name: str
    may_stay: Callable[[], Awaitable[bool]]

    @classmethod
    def of(cls, scope: Scope) -> Visitor:
        """Return whose a request is that the doors have let in."""
        visitor: Visitor = scope["extensions"][VISITOR]
        return visitor


@dataclass(frozen=True)
class Doors:
    """What is asked of a request before anything else runs.

    Attributes
    ----------
    keys
        One of them is needed where there is any, also a revoked one, and wherever ``needs_key``.
    needs_key
        Whether one is needed in any case: others than this machine reach the address.
    takes_host
        Whether a request that needs no key may name this host: a page of another site that a browser shows here may
        have had its name point to this address.
    rate
        Counts requests by key, else by address.
    metrics
        Where refusals are counted.
    """

    keys: KnownKeys
    needs_key: bool
    takes_host: Callable[[str], bool]
    rate: RateLimit
    metrics: HttpMetrics

    async def admit(self, scope: Scope) -> Visitor:
        """Return whose the request is; raises ``Problem`` where it may not come in."""
        headers = Headers(scope=scope)
        known = await self.keys.all()
        given = _given(headers)
        key = find(known, given) if given else None
        name = f"key {key.name}" if key else _address(scope)
        await self.rate.take(name)
        self._check(headers, known)
        return Visitor(name, partial(self._may_stay, headers))

    async def _may_stay(self, headers: Headers) -> bool:
        try:
            self._check(headers, await self.keys.all())
        except Problem:
            return False
        return True

    def _check(self, headers: Headers, known: Sequence[ApiKey]) -> None:
        if self.needs_key or known:
            given = _given(headers)
            _check_key(given, find(known, given) if given else None)
        else:
            self._check_host(headers.get("host", ""))

    def _check_host(self, host: str) -> None:
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        if not self.takes_host(name.strip("[]").lower()):
            detail = (
                "no key is needed here, so ask for 127.0.0.1 or localhost; or close the door with `tetouan keys "
                "create`; or set TETOUAN_HTTP_OPEN=true, and name this host in TETOUAN_HTTP_HOSTS"
            )
            raise Problem.of(403, "Host", host, detail)


class Admission:
    """Middleware that lets nothing in that the doors refuse."""

    def __init__(self, app: ASGIApp, doors: Doors) -> None:
        self._app = app
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http":
            try:
                scope.setdefault("extensions", {})[VISITOR] = await self._doors.admit(scope)
            except Problem as problem:
                self._doors.metrics.refuse(problem.status)
                await answered(problem)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def doors_of(
    settings: GatewaySettings, store: KeyStore, metrics: HttpMetrics, prepared: Callable[[], Awaitable[None]]
) -> Doors:
    """Return the doors of a gateway; ``prepared`` returns once the tables of its database are there.

    Raises
    ------
    Refused
        If others reach the address, nobody says that the door is closed elsewhere, and there is no key: also while the
        database is away nobody comes in without one.
    """
    others = not is_loopback(_listens_on(settings))
    if others and not settings.http_open and store.holds_any() is False:
        raise Refused(
            f"TETOUAN_HTTP_HOST={settings.http_host} lets others in, and there is no key: make one with `tetouan keys "
            "create NAME`, or set TETOUAN_HTTP_OPEN=true where something else decides who comes in"
        )
    return Doors(
        KnownKeys(store.hashes, prepared=prepared),
        needs_key=others and not settings.http_open,
        takes_host=partial(_is_near, names=[*map(str.lower, settings.http_hosts)])
        if settings.http_open
        else is_loopback,
        rate=RateLimit(settings.http_requests_per_minute),
        metrics=metrics,
    )


def _listens_on(settings: GatewaySettings) -> str:
    """Return the host that the settings name, or the address of the socket that they give."""
    if settings.http_fd is None:
        return settings.http_host
    try:
        with socket.socket(fileno=os.dup(settings.http_fd)) as given:
            return str(given.getsockname()[0])
    except OSError:  # it is refused by name where it is to be listened on
        return settings.http_host


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address of a request or a setting is this machine, without asking anybody."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _is_near(host: str, names: Collection[str]) -> bool:
    """Tell whether a host is an address, one of these names, or one without a dot, which no page of others has."""
    try:
        ip_address(host)
    except ValueError:
        return "." not in host or host in names
    return True


def _given(headers: Headers) -> str | None:
    """Return what a request gives as its key."""
    if (written := headers.get("authorization")) is None:
        return headers.get("x-api-key")
    scheme, _, key = written.partition(" ")
    match scheme.lower():
        case "bearer":
            return key.strip()
        case "basic":
            return _password(key)
        case _:
            return ""


def _password(encoded: str) -> str:
    """Return what somebody has typed into a browser as the password; empty where it cannot be read."""
    try:
        return b64decode(encoded, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _check_key(given: str | None, key: ApiKey | None) -> None:
    if key is None:
        why = "this key is unknown or revoked" if given else "a key is needed"
        detail = f"{why}: send `Authorization: Bearer KEY`, with a key of `tetouan keys create`"
        raise Problem(401, detail, headers={"WWW-Authenticate": CHALLENGE})


def _address(scope: Scope) -> str:
    """Return whose a request without a key is."""
    client = scope.get("client")
    if client is None:
        return "nobody"
    address = ip_address(client[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(int(address) >> (128 - NETWORK_BITS))
    return str(address)
