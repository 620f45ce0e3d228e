"""Keeps the nodes current: first from the history, then from what comes on the topics."""

from __future__ import annotations

import asyncio
import gc
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from services.gateway.http.doors import is_loopback
from services.gateway.live.hub import SlowError
from services.gateway.opcua.board import Board
from services.gateway.opcua.recalled import all_sites, drift_now, told_of
from services.gateway.opcua.server import AddressSpace
from services.gateway.opcua.told import told_by
from services.gateway.queries import AwayError
from shared.runtime.clock import monotonic_s
from shared.runtime.settings import PREFIX, Refused
from shared.runtime.threads import LoopThread, run_in_thread

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from services.gateway.live.events import Event
    from services.gateway.live.hub import Hub
    from services.gateway.opcua.board import Change
    from services.gateway.opcua.metrics import OpcUaMetrics
    from services.gateway.queries import History
    from services.gateway.settings import GatewaySettings
    from shared.runtime.health import Health

__all__ = ["OpcUa"]

DRIFT_S = 60.0  # from one look into the history for what drifts to the next
LOOK_S = 5.0  # from one look for what is overdue to the next
SITES_AT_ONCE = 20  # each change of threads takes milliseconds
HISTORY_S = 30.0  # wait for the tables; then start without the history
NOTE = "opcua"
OPEN = "whoever reaches the OPC UA server reads all without a password: let a firewall decide who does"

log = structlog.get_logger()


@dataclass(frozen=True)
class _Place:
    """Where the server listens."""

    host: str
    port: int

    def require(self) -> None:
        """Raise ``Refused`` where it cannot be had."""
        try:
            socket.create_server((self.host, self.port), family=_family(self.host)).close()
        except OSError as error:
            raise Refused(
                f"{PREFIX}OPCUA_PORT={self.port}: {self.host} cannot be listened on there ({error.strerror}): "
                "give another port or host, or unset it"
            ) from None


class OpcUa:
    """The OPC UA server of a gateway, which runs beside the consume loop.

    Clients are answered in a thread with an event loop of its own, as thousands of nodes that one reads at once take
    the processor for a tenth of a second. The consume loop, and who asks over HTTP, do not wait for it.

    Parameters
    ----------
    settings
        Where it listens, and of what it has nodes.
    hub
        Where events come from; one that is no longer there is passed over: the next one of its zone tells more, and
        what drifts is read from the history every minute.
    history, prepared
        What the nodes hold at the start, and how to wait for its tables.
    metrics, health
        Where it is counted and told.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        hub: Hub,
        history: History,
        prepared: Callable[[], Awaitable[None]],
        metrics: OpcUaMetrics,
        health: Health,
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        port = settings.opcua_port or 0
        self._place = _Place(settings.opcua_host, port)
        self._place.require()
        self._board = Board(settings.opcua_leads_minutes, settings.opcua_max_zones)
        self._space = AddressSpace(settings.opcua_host, port, self._board.tags)
        self._thread = LoopThread()
        self._hub = hub
        self._history = history
        self._prepared = prepared
        self._metrics = metrics
        self._health = health
        self._clock = clock
        self._frozen_zones = 0
        metrics.clients.set_function(lambda: self._space.clients)

    async def run(self) -> None:
        """Serve until the gateway stops."""
        cursor = self._hub.end  # what comes while the history is read is newer, and is taken after it
        with self._thread:
            try:
                await self._thread.run(self._space.prepare())
                await self._recall()
                await self._recall_drift()
                gc.collect()
                self._freeze()
                await self._thread.run(self._space.start())
                log.info("the OPC UA server listens", host=self._place.host, port=self._place.port)
                if not is_loopback(self._place.host):
                    log.warning(OPEN, host=self._place.host, port=self._place.port)
                await self._follow(cursor)
            finally:
                await self._thread.run(self._space.stop())

    async def _follow(self, cursor: int) -> None:
        looked_s = recalled_s = self._clock()
        while not self._hub.closed:
            cursor = await self._take(cursor)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._hub.moved(cursor), LOOK_S)
            if self._clock() - looked_s >= LOOK_S:
                looked_s = self._clock()
                await self._write(self._board.overdue(looked_s))
                self._freeze()
                self._metrics.cut_off.inc(await self._thread.run(self._space.cut_off()))
            if self._clock() - recalled_s >= DRIFT_S:
                recalled_s = self._clock()
                await self._recall_drift()

    def _freeze(self) -> None:
        """Let the garbage collector pass over the nodes, which stay: it would take half a second for 1,000 zones."""
        if self._board.zones > self._frozen_zones:
            self._frozen_zones = self._board.zones
            gc.freeze()

    async def _recall(self) -> None:
        """Make the nodes of all zones that the history has; without it they are made as messages come."""
        try:
            await asyncio.wait_for(_awaited(self._prepared), HISTORY_S)
            sites = await run_in_thread(None, all_sites, self._history)
            for first in range(0, len(sites), SITES_AT_ONCE):
                found = await run_in_thread(None, told_of, self._history, sites[first : first + SITES_AT_ONCE])
                await self._write([change for told in found for change in self._board.recall(told)])
        except (AwayError, TimeoutError) as error:
            log.warning("the OPC UA server begins without the history", error=str(error) or "it is not there yet")

    async def _recall_drift(self) -> None:
        """Take from the history what drifts: a message of it may have come before there was anyone to hear it."""
        with suppress(AwayError):  # the next look tells
            found = await run_in_thread(None, drift_now, self._history, self._board.drift_events)
            await self._write([change for told in found for change in self._board.recall(told)])

    async def _take(self, cursor: int) -> int:
        """Write the values of the events from ``cursor`` on; return the next cursor."""
        try:
            events, following = self._hub.events(cursor)
        except SlowError:
            self._metrics.skipped.labels("behind").inc()
            return self._hub.end
        changes: list[Change] = []
        for event in events:
            changes += self._told_by(event)
            await asyncio.sleep(0)  # so many may have come that others would wait
        await self._write(changes)
        return following

    def _told_by(self, event: Event) -> Sequence[Change]:
        try:
            told = told_by(event.kind, event.message)
        except ValueError:  # the history has a dead letter of it
            self._metrics.skipped.labels("unreadable").inc()
            return ()
        return self._board.take(told, self._clock())

    async def _write(self, changes: Sequence[Change]) -> None:
        if not changes:
            return
        await self._thread.run(self._space.write(changes))
        self._metrics.values.inc(len(changes))
        self._metrics.zones.set(self._board.zones)
        if self._board.left_out:
            self._metrics.left_out.set(self._board.left_out)
            self._health.notes[NOTE] = (
                f"{self._board.left_out} zones have no OPC UA nodes: raise {PREFIX}OPCUA_MAX_ZONES"
            )


async def _awaited(wait: Callable[[], Awaitable[None]]) -> None:
    await wait()


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
