"""The settings of the gateway."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, field_validator

from shared.runtime.concerns import Commas, HttpPort, ModelSettings, ServiceSettings, StateSettings

__all__ = ["DatabaseSettings", "GatewaySettings"]

MINUTES_A_DAY = 1440  # no forecast looks further ahead

_HOST = re.compile(r"[A-Za-z0-9._-]+")


def _host_name(name: str) -> str:
    if not _HOST.fullmatch(name):
        raise ValueError("a name of a host has letters, digits, dots and dashes alone: give it without port and path")
    return name


HostName = Annotated[str, AfterValidator(_host_name)]


class DatabaseSettings(StateSettings):
    """Where the history is kept."""

    database_url: SecretStr | None = Field(
        default=None,
        description="where the gateway keeps the history: `sqlite:////absolute/file.db`, or "
        "`postgresql://user:password@host/database`; default: SQLite in the state folder",
    )

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("sqlite:////", "postgresql://", "postgres://")):
            raise ValueError("give sqlite:////absolute/file.db, or postgresql://user:password@host/database")
        return url


class GatewaySettings(ServiceSettings, ModelSettings, DatabaseSettings):
    """How long the history is kept, which models answer, who may ask, and the OPC UA server."""

    http_port: HttpPort = 8000
    history_days: int = Field(
        default=90,
        ge=0,
        le=36500,
        description="days of event time for which the history keeps all leads of a forecast, then those of the lead "
        "groups alone; 0: for ever",
    )
    replay_control: str | None = Field(
        default=None,
        description="address of `/control` of a replay on this machine, such as `http://127.0.0.1:9000/control`: "
        "who may come in may pause it and change its pace; the demo sets it",
    )
    http_open: bool = Field(
        default=False,
        description="whether the gateway listens where others reach it without asking them for a key: something else "
        "decides who comes in",
    )
    http_hosts: Commas[HostName] = Field(
        default=(),
        description="names that requests may call the gateway by where it is open and no key is needed, besides "
        "addresses and names without a dot: no page of another site can have its own name point here",
    )
    http_streams_per_client: int = Field(
        default=250,
        ge=0,
        le=10_000,
        description="live streams that one key, or one address without a key, has open at a replica; 0: any number",
    )
    opcua_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="port of the OPC UA server, 4840 by custom, of which any client may read the newest figures; "
        "default: none is started",
    )
    opcua_host: str = Field(
        default="127.0.0.1",
        description="address that the OPC UA server listens on: clients need no password, and nothing is encrypted",
    )
    opcua_leads_minutes: Commas[int] = Field(
        default=(10, 60, 1440),
        description="the leads whose forecasts are nodes of the OPC UA server, in minutes",
    )
    opcua_max_zones: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="zones of which the OPC UA server has nodes: each takes 0.2 MB of memory; more are left out",
    )
    http_requests_per_minute: int = Field(
        default=12_000,
        ge=0,
        le=10_000_000,
        description="requests that the gateway takes of one key, or of one address without a key; 0: any number",
    )

    @field_validator("opcua_leads_minutes")
    @classmethod
    def _different_leads(cls, leads_minutes: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(leads_minutes)) < len(leads_minutes) or not all(0 < lead <= MINUTES_A_DAY for lead in leads_minutes):
            raise ValueError(f"name different leads from 1 to {MINUTES_A_DAY} minutes, such as 10,60")
        return leads_minutes

    @field_validator("replay_control")
    @classmethod
    def _on_this_machine(cls, url: str | None) -> str | None:
        if url and not re.fullmatch(r"http://(127\.0\.0\.1|localhost|\[::1\]):\d+/control", url):
            raise ValueError("give http://127.0.0.1:PORT/control: a replay is changed on this machine alone")
        return url or None
