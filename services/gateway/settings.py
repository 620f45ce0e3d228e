"""The settings of the gateway."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, field_validator

from shared.runtime.concerns import Commas, HttpPort, ModelSettings, ServiceSettings, StateSettings

__all__ = ["DatabaseSettings", "GatewaySettings"]

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
    """How long the history is kept, which models answer, and who may ask."""

    http_port: HttpPort = 8000
    history_days: int = Field(
        default=90,
        ge=0,
        le=36500,
        description="days of event time for which the history keeps all leads of a forecast, then those of the lead "
        "groups alone; 0: for ever",
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
    http_requests_per_minute: int = Field(
        default=12_000,
        ge=0,
        le=10_000_000,
        description="requests that the gateway takes of one key, or of one address without a key; 0: any number",
    )
