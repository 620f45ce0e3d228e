"""The OPC UA server of a gateway, read by a real OPC UA client."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from asyncua import Client, ua

from harness.brokers import PATIENCE_S, service, until
from services.gateway.opcua.server import NAMESPACE
from shared.contracts import topics
from tests.unit.gateway import told
from tests.unit.gateway.told import START, STEP

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from harness.brokers import Broker, ServiceProcess

ENDPOINT = "opc.tcp://127.0.0.1:{}/"


@pytest.fixture
def port(free_port: Callable[[], int]) -> int:
    """Where the OPC UA server listens."""
    return free_port()


@pytest.fixture
def start(
    broker: Broker, tmp_path: Path, free_port: Callable[[], int], port: int
) -> Callable[[], AbstractContextManager[ServiceProcess]]:
    """Starts a gateway with an OPC UA server, again with the same history where it was ended."""
    settings = {"TETOUAN_STATE_DIR": str(tmp_path), "TETOUAN_OPCUA_PORT": str(port)}
    http_port = free_port()
    return lambda: service("gateway", broker, tmp_path, http_port, ready=True, **settings)


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[Client, int]]:
    """Connect as soon as somebody listens; yield the client, and the number of our namespace."""
    client = Client(ENDPOINT.format(port), timeout=PATIENCE_S)
    deadline_s = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        try:
            await client.connect()
            break
        except ConnectionRefusedError:
            assert asyncio.get_running_loop().time() < deadline_s
            await asyncio.sleep(0.05)
    try:
        yield client, await client.get_namespace_index(NAMESPACE)
    finally:
        await client.disconnect()


class Changes:
    """Notes the values that a subscription brings."""

    def __init__(self) -> None:
        self.values: asyncio.Queue[tuple[str, ua.DataValue]] = asyncio.Queue()

    def datachange_notification(self, node: Any, _: object, data: Any) -> None:
        """Note a value."""
        self.values.put_nowait((node.nodeid.Identifier, data.monitored_item.Value))


async def read(client: Client, namespace: int, tag: str) -> ua.DataValue:
    """Read a tag of the zone; the value may be bad."""
    node = client.get_node(ua.NodeId(f"tetouan/2/{tag}", namespace))
    return await node.read_data_value(raise_on_bad_status=False)


async def good(client: Client, namespace: int, tag: str) -> ua.DataValue:
    """Read a tag as soon as it has a good value."""
    deadline_s = asyncio.get_running_loop().time() + 60
    while not (found := await read(client, namespace, tag)).StatusCode.is_good():
        assert asyncio.get_running_loop().time() < deadline_s, f"{tag}: {found}"
        await asyncio.sleep(0.05)
    return found


def forecast_bytes(step: int, median_kw: float = 20_000.0) -> bytes:
    """Return the forecast of an origin so many steps after the start."""
    return told.forecast(step, median_kw).to_bytes()


def test_a_client_subscribes_and_is_told_what_comes(
    start: Callable[[], AbstractContextManager[ServiceProcess]], broker: Broker, port: int
) -> None:
    """Values with units, source times and states; a restarted gateway has the same nodes before anything comes."""

    async def watch(gateway: ServiceProcess) -> None:
        async with connected(port) as (client, namespace):
            broker.send(topics.CLEAN, [told.reading(0, 19_000.0).to_bytes()])
            broker.send(topics.FORECASTS, [forecast_bytes(0)])
            load = await good(client, namespace, "Load")
            assert (load.Value.Value, load.SourceTimestamp.replace(tzinfo=START.tzinfo)) == (19_000.0, START)
            unit = await client.get_node(ua.NodeId("tetouan/2/Load", namespace)).get_child("0:EngineeringUnits")
            held = await unit.read_value()
            assert (held.DisplayName.Text, held.UnitId) == ("kW", 4937556)
            assert (await good(client, namespace, "Forecast60min")).Value.Value == 20_005.0
            rmse = await read(client, namespace, "Rmse")
            assert (rmse.StatusCode.name, rmse.Value.Value) == ("BadWaitingForInitialData", None)

            changes = Changes()
            subscription = await client.create_subscription(50, changes)
            nodes = [client.get_node(ua.NodeId(f"tetouan/2/{tag}", namespace)) for tag in ("Load", "Forecast10min")]
            await subscription.subscribe_data_change(nodes)
            seen = [await asyncio.wait_for(changes.values.get(), PATIENCE_S) for _ in nodes]
            assert {value.Value.Value for _, value in seen} == {19_000.0, 20_000.0}
            broker.send(topics.CLEAN, [told.reading(1, None).to_bytes()])
            broker.send(topics.FORECASTS, [forecast_bytes(1, 21_000.0)])
            came = dict([await asyncio.wait_for(changes.values.get(), PATIENCE_S) for _ in nodes])
            assert came["tetouan/2/Forecast10min"].Value.Value == 21_000.0
            assert came["tetouan/2/Load"].StatusCode.name == "BadOutOfRange"
            assert gateway.metric("tetouan_opcua_clients") == 1

    async def look_again() -> None:
        async with connected(port) as (client, namespace):
            forecast = await read(client, namespace, "Forecast10min")
            assert (forecast.Value.Value, forecast.StatusCode.name) == (21_000.0, "UncertainInitialValue")
            assert forecast.SourceTimestamp.replace(tzinfo=START.tzinfo) == START + STEP

    with start() as gateway:
        asyncio.run(watch(gateway))
        latest = "/api/v1/sites/tetouan/zones/2/forecasts/latest"
        until(lambda: gateway.get(latest).json().get("origin") == "2017-10-19T00:10:00Z", "the history")
        gateway.process.terminate()
        assert gateway.process.wait(PATIENCE_S) == 0
    with start():
        asyncio.run(look_again())


def test_nobody_writes(start: Callable[[], AbstractContextManager[ServiceProcess]], broker: Broker, port: int) -> None:
    """Neither values nor nodes, whoever one says to be; the value stays."""

    async def try_to() -> None:
        async with connected(port) as (client, namespace):
            broker.send(topics.FORECASTS, [forecast_bytes(0)])
            await good(client, namespace, "Forecast10min")
            node = client.get_node(ua.NodeId("tetouan/2/Forecast10min", namespace))
            folder = await client.nodes.objects.get_child(f"{namespace}:Sites")
            with pytest.raises(ua.UaStatusCodeError, match="AccessDenied"):
                await node.write_value(1.0)
            with pytest.raises(ua.UaStatusCodeError, match="AccessDenied"):
                await folder.add_variable(namespace, "mine", 1.0)
            with pytest.raises(ua.UaStatusCodeError, match="AccessDenied"):
                await client.delete_nodes([node])
            with pytest.raises(ua.UaStatusCodeError, match="AccessDenied"):
                await client.nodes.server.call_method("0:GetMonitoredItems", 1)
            assert (await read(client, namespace, "Forecast10min")).Value.Value == 20_000.0
        admin = Client(ENDPOINT.format(port), timeout=PATIENCE_S)
        admin.set_user("admin")
        with pytest.raises(ua.UaError):
            await admin.connect()

    with start():
        asyncio.run(try_to())
