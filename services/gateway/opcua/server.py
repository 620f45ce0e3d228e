"""The address space, on asyncua: read-only, anonymous, bounded.

Objects / Sites / SITE / zone N / TAG: the node of a tag is `ns=NAMESPACE;s=SITE/N/TAG`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from asyncua import Server, ua
from asyncua.crypto.permission_rules import PermissionRuleset, User, UserRole
from asyncua.server.user_managers import UserManager

from services.gateway.opcua.tags import NOTHING, Kind, Quality
from shared.runtime.clock import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.gateway.opcua.board import Change, ZoneName
    from services.gateway.opcua.tags import Tag, TagValue

__all__ = ["NAMESPACE", "AddressSpace"]

NAMESPACE = "urn:tetouan-streaming-forecaster"
FOLDER = "Sites"
UNIT = "EngineeringUnits"
UNITS = "http://www.opcfoundation.org/UA/units/un/cefact"
UNIT_CODES = {Kind.KW: "KWT", Kind.PER_CENT: "P1"}  # of UN/CEFACT, recommendation 20

MOST_CONNECTIONS = 100
MOST_SUBSCRIPTIONS = 200
MOST_WAITING_BYTES = 8 * 1024 * 1024  # of answers that a client has not taken
MOST_PENDING = 50  # requests of a connection
SESSION_MS = 120_000  # that a client may be silent
MOST_QUEUED = 100  # values of a node that a client has not fetched, and messages of a subscription
MOST_BYTES = 4 * 1024 * 1024  # of a request
CHUNK_BYTES = 65_535

TYPES: dict[Kind, tuple[ua.VariantType, int]] = {
    Kind.KW: (ua.VariantType.Double, ua.ObjectIds.AnalogUnitType),
    Kind.PER_CENT: (ua.VariantType.Double, ua.ObjectIds.AnalogUnitType),
    Kind.NUMBER: (ua.VariantType.Int32, ua.ObjectIds.BaseDataVariableType),
    Kind.TEXT: (ua.VariantType.String, ua.ObjectIds.BaseDataVariableType),
    Kind.TIME: (ua.VariantType.DateTime, ua.ObjectIds.BaseDataVariableType),
}
STATUS: dict[Quality, int] = {
    Quality.GOOD: ua.StatusCodes.Good,
    Quality.INITIAL: ua.StatusCodes.UncertainInitialValue,
    Quality.STALE: ua.StatusCodes.UncertainLastUsableValue,
    Quality.WAITING: ua.StatusCodes.BadWaitingForInitialData,
    Quality.MISSING: ua.StatusCodes.BadNoData,
    Quality.OUTLIER: ua.StatusCodes.BadOutOfRange,
    Quality.FAILED: ua.StatusCodes.BadSensorFailure,
    Quality.SUBSTITUTE: ua.StatusCodes.UncertainSubstituteValue,
}

_READING = (  # the services that reading needs: no write, no call, no change of nodes
    *("CreateSession", "ActivateSession", "CloseSession", "CloseSecureChannel", "GetEndpoints", "FindServers"),
    *("Read", "Browse", "TranslateBrowsePathsToNodeIds", "RegisterNodes", "UnregisterNodes"),
    *("CreateSubscription", "ModifySubscription", "DeleteSubscriptions", "TransferSubscriptions"),
    *("CreateMonitoredItems", "ModifyMonitoredItems", "DeleteMonitoredItems", "SetMonitoringMode"),
    *("SetPublishingMode", "Publish", "Republish"),
)
_PERMITTED = frozenset(ua.NodeId(getattr(ua.ObjectIds, f"{name}Request_Encoding_DefaultBinary")) for name in _READING)


class _ReadOnly(PermissionRuleset):  # type: ignore[misc]  # asyncua is read without its types
    """Lets anybody read, and nobody write; asyncua would also take an `admin` for one who may."""

    def check_validity(self, user: User, action_type: ua.NodeId, body: object) -> bool:  # noqa: ARG002 - asyncua's call
        return action_type in _PERMITTED


class _Everybody(UserManager):  # type: ignore[misc]  # likewise
    """Takes everybody for a reader."""

    def get_user(self, *_: Any, **__: Any) -> User:
        return User(role=UserRole.User)


class AddressSpace:
    """The nodes, and the server that answers for them.

    Parameters
    ----------
    host, port
        Where it listens.
    tags
        Those of each zone.
    """

    def __init__(self, host: str, port: int, tags: Sequence[Tag]) -> None:
        logging.getLogger("asyncua").setLevel(logging.ERROR)  # it tells each connection, and what clients do wrong
        self._host = host
        self._port = port
        self._kinds = {tag.name: tag.kind for tag in tags}
        self._tags = tags
        self._nodes: dict[ZoneName, dict[str, ua.NodeId]] = {}
        self._sites: dict[str, ua.NodeId] = {}
        self._objects = 0
        self._namespace = 0
        self._folder = ua.NodeId()
        self._server = Server(user_manager=_Everybody())

    @property
    def clients(self) -> int:
        """How many connections are open."""
        return 0 if self._server.bserver is None else len(self._server.bserver.clients)

    async def prepare(self) -> None:
        """Make the nodes that every server has; takes two seconds of a processor in a thread."""
        server = self._server
        server.name, server.manufacturer_name = "Tetouan streaming forecaster", "The Tetouan authors"
        server.product_uri = NAMESPACE
        server.set_endpoint(f"opc.tcp://{_bracketed(self._host)}:{self._port}/")
        server.application_type = ua.ApplicationType.Server
        server.set_security_policy([ua.SecurityPolicyType.NoSecurity], permission_ruleset=_ReadOnly())
        server.set_identity_tokens([ua.AnonymousIdentityToken])
        _bound(server)
        await server.init()
        await server.set_application_uri(f"{NAMESPACE}:server")
        self._namespace = await server.register_namespace(NAMESPACE)
        self._folder = await self._add_object(server.nodes.objects.nodeid, FOLDER, ua.ObjectIds.FolderType)

    async def start(self) -> None:
        """Listen; raises ``OSError`` where that address or port cannot be had."""
        await self._server.start()

    async def stop(self) -> None:
        """End all connections."""
        await self._server.stop()

    async def cut_off(self) -> int:
        """Cut off clients that ask and do not take the answers, which wait in memory; return how many."""
        asking = [] if self._server.bserver is None else self._server.bserver.clients
        idle = [one for one in asking if one.transport.get_write_buffer_size() > MOST_WAITING_BYTES]
        for one in idle:
            one.transport.abort()
        return len(idle)

    async def write(self, changes: Sequence[Change]) -> None:
        """Write values to their nodes, which are made where they are missing."""
        for zone, tag, value in changes:
            if zone not in self._nodes:
                await self._add_zone(zone)
            await self._put(zone, tag, value)

    async def _put(self, zone: ZoneName, tag: str, value: TagValue) -> None:
        node, held = self._nodes[zone][tag], _data_value(self._kinds[tag], value)
        (await self._server.iserver.aspace.write_attribute_value(node, ua.AttributeIds.Value, held)).check()

    async def _add_zone(self, zone: ZoneName) -> None:
        if zone.site not in self._sites:
            self._sites[zone.site] = await self._add_object(self._folder, zone.site, ua.ObjectIds.FolderType)
        parent = await self._add_object(self._sites[zone.site], f"zone {zone.zone}", ua.ObjectIds.BaseObjectType)
        ids = {tag.name: ua.NodeId(f"{zone.site}/{zone.zone}/{tag.name}", self._namespace) for tag in self._tags}
        await self._add([item for tag in self._tags for item in self._variable(parent, ids[tag.name], tag)])
        self._nodes[zone] = ids
        for tag in self._tags:
            await self._put(zone, tag.name, NOTHING)

    async def _add(self, items: Sequence[ua.AddNodesItem]) -> None:
        for added in await self._server.iserver.isession.add_nodes(list(items)):
            added.StatusCode.check()

    async def _add_object(self, parent: ua.NodeId, name: str, kind: int) -> ua.NodeId:
        """Add an object, whose identifier is a number: no name of a site can be that of another node."""
        self._objects += 1
        item = self._item(parent, ua.NodeId(self._objects, self._namespace), name, kind)
        item.NodeClass = ua.NodeClass.Object
        item.ReferenceTypeId = ua.NodeId(ua.ObjectIds.Organizes)
        item.NodeAttributes = ua.ObjectAttributes(DisplayName=ua.LocalizedText(name))
        await self._add([item])
        return item.RequestedNewNodeId

    def _variable(self, parent: ua.NodeId, node_id: ua.NodeId, tag: Tag) -> list[ua.AddNodesItem]:
        """Return the node of a tag, and that of its unit if it has one."""
        variant, kind = TYPES[tag.kind]
        item = self._item(parent, node_id, tag.name, kind)
        item.NodeClass = ua.NodeClass.Variable
        item.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HasComponent)
        item.NodeAttributes = _variable_attributes(tag.name, tag.meaning, ua.NodeId(variant.value), ua.Variant())
        if tag.kind not in UNIT_CODES:
            return [item]
        unit_id = ua.NodeId(f"{node_id.Identifier}/{UNIT}", self._namespace)
        unit = self._item(node_id, unit_id, UNIT, ua.ObjectIds.PropertyType)
        unit.BrowseName = ua.QualifiedName(UNIT, 0)
        unit.NodeClass = ua.NodeClass.Variable
        unit.ReferenceTypeId = ua.NodeId(ua.ObjectIds.HasProperty)
        held = ua.Variant(_unit(tag.kind), ua.VariantType.ExtensionObject)
        unit.NodeAttributes = _variable_attributes(UNIT, "", ua.NodeId(ua.ObjectIds.EUInformation), held)
        return [item, unit]

    def _item(self, parent: ua.NodeId, node_id: ua.NodeId, name: str, kind: int) -> ua.AddNodesItem:
        item = ua.AddNodesItem()
        item.ParentNodeId = parent
        item.RequestedNewNodeId = node_id
        item.BrowseName = ua.QualifiedName(name, self._namespace)
        item.TypeDefinition = ua.NodeId(kind)
        return item


def _bound(server: Server) -> None:
    """Bound what clients may take of the memory."""
    inner = server.iserver
    inner.allow_remote_admin = False
    inner.max_connections = MOST_CONNECTIONS
    inner.max_pending_messages_per_connection = MOST_PENDING
    inner.max_session_timeout_ms = SESSION_MS
    inner.max_subscriptions = MOST_SUBSCRIPTIONS
    inner.max_monitored_item_queue_size = MOST_QUEUED
    inner.max_unacked_messages_per_subscription = MOST_QUEUED
    server.limits.max_message_size = MOST_BYTES
    server.limits.max_chunk_count = MOST_BYTES // CHUNK_BYTES + 1


def _variable_attributes(name: str, meaning: str, data_type: ua.NodeId, value: ua.Variant) -> ua.VariableAttributes:
    readable = ua.AccessLevel.CurrentRead.mask
    return ua.VariableAttributes(
        DisplayName=ua.LocalizedText(name),
        Description=ua.LocalizedText(meaning),
        Value=value,
        DataType=data_type,
        ValueRank=ua.ValueRank.Scalar,
        AccessLevel=readable,
        UserAccessLevel=readable,
        Historizing=False,
    )


def _unit(kind: Kind) -> ua.EUInformation:
    """Return a unit as OPC UA has it: its number is made of the letters of its code."""
    number = int.from_bytes(UNIT_CODES[kind].encode(), "big")
    return ua.EUInformation(NamespaceUri=UNITS, UnitId=number, DisplayName=ua.LocalizedText(kind.value))


def _data_value(kind: Kind, value: TagValue) -> ua.DataValue:
    variant_type, _ = TYPES[kind]
    variant = ua.Variant() if value.value is None else ua.Variant(value.value, variant_type)
    return ua.DataValue(
        variant,
        ua.StatusCode(STATUS[value.quality]),
        SourceTimestamp=value.time,
        ServerTimestamp=now(),
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
