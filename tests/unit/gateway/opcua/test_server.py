"""The address space, read over a connection of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asyncua import Client, ua

from harness.brokers import free_port
from services.gateway.opcua.board import Board, Change, ZoneName
from services.gateway.opcua.server import NAMESPACE, STATUS, AddressSpace
from services.gateway.opcua.tags import Quality, TagValue
from tests.unit.gateway.told import START

Asking = Callable[[AddressSpace, Client, int], Awaitable[None]]


def serve(ask: Asking) -> None:
    """Let a client ask an address space of the tags of one lead."""

    async def run() -> None:
        port = free_port()
        space = AddressSpace("127.0.0.1", port, Board((60,), 1).tags)
        await space.prepare()
        await space.start()
        try:
            async with Client(f"opc.tcp://127.0.0.1:{port}/", timeout=30) as client:
                await ask(space, client, await client.get_namespace_index(NAMESPACE))
        finally:
            await space.stop()

    asyncio.run(run())


@pytest.mark.slow
def test_names_of_sites_are_never_those_of_other_nodes() -> None:
    """Whatever they are: that of the folder, of another zone, or with slashes and colons."""
    sites = ("Sites", "a", "a/1", "a/1/Load", "1:x;s=y", "ä b")

    async def ask(space: AddressSpace, client: Client, namespace: int) -> None:
        for number, site in enumerate(sites):
            await space.write([Change(ZoneName(site, 1), "Load", TagValue(float(number), START, Quality.GOOD))])
        folder = await client.nodes.objects.get_child(f"{namespace}:Sites")
        assert [(await site.read_browse_name()).Name for site in await folder.get_children()] == list(sites)
        nodes = [client.get_node(ua.NodeId(f"{site}/1/Load", namespace)) for site in sites]
        assert await client.read_values(nodes) == list(range(len(sites)))

    serve(ask)


@pytest.mark.slow
def test_each_quality_is_a_status() -> None:
    """A bad one has no value; the source time stays; what was not told yet waits; a good value comes back."""
    zone = ZoneName("a", 1)

    async def ask(space: AddressSpace, client: Client, namespace: int) -> None:
        async def read(tag: str) -> Any:
            node = client.get_node(ua.NodeId(f"a/1/{tag}", namespace))
            return await node.read_data_value(raise_on_bad_status=False)

        for quality in (*Quality, Quality.GOOD):
            await space.write([Change(zone, "Load", TagValue(1.5, START, quality))])
            found = await read("Load")
            name = found.StatusCode.name
            assert name == ua.StatusCode(STATUS[quality]).name
            assert found.Value.Value == (None if name.startswith("Bad") else 1.5)
            assert found.SourceTimestamp.replace(tzinfo=START.tzinfo) == START
        assert (await read("Rmse")).StatusCode.name == "BadWaitingForInitialData"

    serve(ask)


@pytest.mark.slow
def test_who_does_not_take_what_it_has_asked_for_is_cut_off() -> None:
    """The answers are let go; one that takes them stays."""

    async def ask(space: AddressSpace, client: Client, namespace: int) -> None:
        await space.write([Change(ZoneName("a", 1), "DriftText", TagValue("x" * 100_000, START, Quality.GOOD))])
        node = client.get_node(ua.NodeId("a/1/DriftText", namespace))
        idle = Client(client.server_url.geturl(), timeout=30)
        await idle.connect()
        idle.uaclient.protocol.transport.pause_reading()
        thirty = ua.ReadParameters(NodesToRead=[ua.ReadValueId(node.nodeid, ua.AttributeIds.Value)] * 30)
        asking = [asyncio.create_task(idle.uaclient.read(thirty)) for _ in range(20)]
        async with asyncio.timeout(60):
            while await space.cut_off() == 0:  # noqa: ASYNC110 - what waits in memory grows without an event
                await asyncio.sleep(0.01)
        assert await node.read_value() == "x" * 100_000
        idle.uaclient.protocol.transport.resume_reading()
        assert any(isinstance(outcome, Exception) for outcome in await asyncio.gather(*asking, return_exceptions=True))
        await idle.disconnect()
        assert space.clients == 1

    serve(ask)
