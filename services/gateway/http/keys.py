"""API keys: 256 random bits, shown once; what is kept is their SHA-256."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from secrets import token_urlsafe
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from services.gateway.http.problems import Problem
from shared.runtime.clock import monotonic_s
from shared.runtime.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

__all__ = ["ApiKey", "KnownKeys", "at_once", "find", "hash_of", "new_key"]

BITS = 256
FRESH_S = 2.0  # how long a key that was revoked may still be taken
ANSWER_S = 5.0  # of the database
AWAY_S = 60.0  # how long an error is a reason not to wait for the next answer
RETRY = {"Retry-After": "5"}
PREFIX = "tetouan_"  # by which scanners for leaked secrets can tell ours

log = structlog.get_logger()


def new_key() -> str:
    """Return a new key."""
    return PREFIX + token_urlsafe(BITS // 8)


def hash_of(key: str) -> str:
    """Return what is kept of a key: with 256 random bits, a slow hash would make nothing safer."""
    return sha256(key.encode(errors="surrogateescape")).hexdigest()


@dataclass(frozen=True)
class ApiKey:
    """A key as it is kept."""

    name: str
    hash: str
    is_revoked: bool


async def at_once() -> None:
    """Wait for nothing."""


class KnownKeys:
    """The keys of the database, read again when a request comes and they are two seconds old.

    Parameters
    ----------
    read
        Reads them all; may block, and may raise SQLAlchemy's errors.
    clock
        Seconds that never go back.
    prepared
        Returns once there is a table of keys to read.
    patience_s
        That a request waits for it.
    """

    def __init__(
        self,
        read: Callable[[], Sequence[ApiKey]],
        clock: Callable[[], float] = monotonic_s,
        prepared: Callable[[], Awaitable[None]] = at_once,
        patience_s: float = ANSWER_S,
    ) -> None:
        self._read = read
        self._clock = clock
        self._prepared = prepared
        self._patience_s = patience_s
        self._read_s = -FRESH_S
        self._refreshing: asyncio.Task[None] | None = None
        self._is_away = False
        self._keys: Sequence[ApiKey] | None = None

    async def all(self) -> Sequence[ApiKey]:
        """Return all keys, also those that are revoked.

        While the database is away they are those that were read last, at once; raises ``Problem`` where none ever were.
        """
        await self._wait_until_prepared()
        if self._refreshing is None and self._clock() - self._read_s >= FRESH_S:
            self._refreshing = asyncio.create_task(self._refresh())
        was_away = self._is_away and self._clock() - self._read_s < AWAY_S
        if self._refreshing is not None and (self._keys is None or not was_away):
            await asyncio.shield(self._refreshing)  # others wait for it as well
        if self._keys is None:
            raise Problem(
                503, "the database that holds the API keys does not answer: try again, and see /readyz", headers=RETRY
            )
        return self._keys

    async def _wait_until_prepared(self) -> None:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._prepared()
        except TimeoutError:
            raise Problem(
                503, "the tables of the history are not prepared yet: try again, and see /readyz", headers=RETRY
            ) from None

    async def _refresh(self) -> None:
        try:
            self._keys = await run_in_thread(ANSWER_S, self._read)
            self._is_away = False
        except (SQLAlchemyError, OSError) as error:
            self._is_away = True
            log.warning("the API keys cannot be read, the last ones hold", error=type(error).__name__)
        finally:
            self._read_s = self._clock()
            self._refreshing = None


def find(keys: Sequence[ApiKey], given: str) -> ApiKey | None:
    """Return the key that was given, None where there is none such, or it is revoked.

    All are compared, each in constant time.
    """
    digest = hash_of(given)
    found = [key for key in keys if compare_digest(key.hash, digest)]
    return next((key for key in found if not key.is_revoked), None)
