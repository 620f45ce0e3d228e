"""Settings by concern: each service and command inherits those that it reads, and adds its own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import NoDecode

from shared.contracts import topics
from shared.runtime.access import Access, Mechanism, Security
from shared.runtime.settings import PREFIX, Refused, Settings
from shared.sites.table import BUILT_IN, known_sites

if TYPE_CHECKING:
    from shared.sites.site import Site

__all__ = [
    "Commas",
    "GapSettings",
    "GroupSettings",
    "HostSettings",
    "HttpPort",
    "HttpSettings",
    "KafkaName",
    "KafkaSettings",
    "ModelSettings",
    "PriorSettings",
    "ProcessSettings",
    "RegistrySettings",
    "ServiceSettings",
    "SiteSettings",
    "SnapshotSettings",
    "StateSettings",
    "group_of",
]

_NAME = re.compile(r"[A-Za-z0-9._-]*")
_TAG = re.compile(r"[^=]+=.+")
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+)(:\d{1,5})?")


def _split(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not (parts := tuple(part.strip() for part in value.split(",") if part.strip())):
        raise ValueError("it names nothing: give one or more, with commas between them, or leave it out")
    return parts


def _kafka_name(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError("Kafka takes letters, digits, dots, dashes and underscores alone: use these")
    return name


T = TypeVar("T")
Commas = Annotated[tuple[T, ...], NoDecode, BeforeValidator(_split)]
"""Several values, in the environment one text with commas between them."""

KafkaName = Annotated[str, AfterValidator(_kafka_name)]
HttpPort = Annotated[int, Field(ge=0, le=65535, description="port of health and metrics; 0 takes a free one")]


class KafkaSettings(Settings):
    """Where the brokers are, how they let us in, and which topics are ours."""

    kafka_bootstrap: str = Field(
        default="127.0.0.1:9092", description="address of the Kafka brokers, host:port[,host:port]"
    )
    kafka_security: Security = Field(
        default="PLAINTEXT",
        description="how the brokers are spoken to: `PLAINTEXT`, `SSL`, `SASL_PLAINTEXT`, `SASL_SSL`",
    )
    kafka_sasl_mechanism: Mechanism | None = Field(
        default=None, description="how user and password are shown: `PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`"
    )
    kafka_username: str | None = Field(default=None, description="the user on the brokers, with SASL")
    kafka_password: SecretStr | None = Field(default=None, description="the password of the user")
    kafka_password_file: Path | None = Field(
        default=None, description="a file that holds the password of the user, in place of the password"
    )
    kafka_ca: Path | None = Field(
        default=None, description="PEM certificates that vouch for the brokers; default: those of the system"
    )
    kafka_certificate: Path | None = Field(
        default=None, description="our PEM certificate, where the brokers demand one"
    )
    kafka_key: Path | None = Field(default=None, description="the PEM key of our certificate")
    kafka_key_password: SecretStr | None = Field(default=None, description="the password of the key, if it has one")
    topic_prefix: KafkaName = Field(
        default="",
        description="put before the names of topics and consumer groups, so that installations can share brokers",
    )
    partitions: int = Field(
        default=topics.PARTITIONS,
        ge=1,
        le=10_000,
        description="how many partitions topics get that are made, where none of ours is there: the most replicas of a "
        "service that can share the work; 48 for a cluster",
    )

    @field_validator("kafka_bootstrap")
    @classmethod
    def _addresses(cls, addresses: str) -> str:
        if not all(_ADDRESS.fullmatch(address.strip()) for address in addresses.split(",")):
            raise ValueError("give host:port, with commas between several")
        return addresses

    @model_validator(mode="after")
    def _complete_access(self) -> Self:
        if self.kafka_password is not None and self.kafka_password_file is not None:
            raise ValueError(f"{PREFIX}KAFKA_PASSWORD and {PREFIX}KAFKA_PASSWORD_FILE are both set: take one away")
        _ = self.kafka
        return self

    @property
    def kafka(self) -> Access:
        """Where the brokers are and how they let us in; raises ``ValueError`` that names the setting to change."""
        return Access(
            bootstrap=self.kafka_bootstrap,
            security=self.kafka_security,
            mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_username,
            password=self.kafka_password or _password_in(self.kafka_password_file),
            ca=self.kafka_ca,
            certificate=self.kafka_certificate,
            key=self.kafka_key,
            key_password=self.kafka_key_password,
        )


class GroupSettings(Settings):
    """The consumer groups."""

    group: KafkaName | None = Field(
        default=None,
        description="put before the consumer group of a service, which is else its name: `north` makes `north-monitor`",
    )

    def group_of(self, service: str) -> str:
        """Return the consumer group of a service, without the prefix."""
        return group_of(self.group, service)


class SiteSettings(Settings):
    """The table of sites, and what of it a command works on."""

    sites: Path | None = Field(
        default=None, description="a TOML file with sites of your own, or with changes to the one that is built in"
    )
    site: str = Field(default=BUILT_IN, description="the site that a command works on; services serve all of the table")
    zones: Commas[int] = Field(
        default_factory=lambda given: _zones_of(given["sites"], given["site"]),
        examples=["1,2"],
        description="the zones that a command works on, such as `1,2,3`; default: those of the site's table",
    )

    @field_validator("sites")
    @classmethod
    def _readable_sites(cls, file: Path | None) -> Path | None:
        known_sites(file := file and file.expanduser())
        return file

    @field_validator("site")
    @classmethod
    def _known_site(cls, name: str, info: ValidationInfo) -> str:
        if "sites" in info.data and name not in (sites := known_sites(info.data["sites"])).refused:
            sites.require(name)  # one that is refused stops who works on it, and no service: see `chosen_site`
        return name

    @field_validator("zones")
    @classmethod
    def _different_zones(cls, zones: tuple[int, ...]) -> tuple[int, ...]:
        # which there are is known with the data; a site whose table is refused has none
        if len(set(zones)) < len(zones) or min(zones, default=1) < 1:
            raise ValueError("name one or more different zones, such as 1,2")
        return zones

    @property
    def chosen_site(self) -> Site:
        """The site that a command works on; raises ``Refused`` where its table is no site."""
        try:
            return known_sites(self.sites).require(self.site)
        except ValueError as error:
            raise Refused(f"{PREFIX}SITES={str(self.sites)!r}: {error}") from None

    def require_zones(self, site: Site, label: str) -> None:
        """Raise ``Refused`` where a site, or the data of that label, lacks the load of a zone to work on."""
        if lacking := set(self.zones) - set(site.load_zones):
            known, asked = (",".join(map(str, zones)) for zones in (site.load_zones, self.zones))
            raise Refused(
                f"{PREFIX}ZONES={asked}: {label} has no load of zone {min(lacking)}: set it to some of {known}"
            )


class StateSettings(Settings):
    """The folder that everything is kept in."""

    state_dir: Path = Field(
        default=Path(".tetouan"), description="where cache, model registry, logs and results of demos lie"
    )


class SnapshotSettings(StateSettings):
    """Where and how often states are kept."""

    snapshots: str | None = Field(
        default=None,
        description="where states are kept: a folder, or a place that `fsspec` knows; default: `snapshots` in the "
        "state folder",
    )
    snapshot_every_s: float = Field(
        default=10.0, ge=0.1, le=86400, description="seconds between two snapshots of the state while readings come in"
    )

    @property
    def snapshots_place(self) -> str:
        """Where states are kept."""
        return self.snapshots or str((self.state_dir / "snapshots").absolute())


class RegistrySettings(StateSettings):
    """The registry of models."""

    mlflow_uri: str | None = Field(
        default=None, description="the MLflow tracking server; default: SQLite in the state folder"
    )

    @field_validator("mlflow_uri")
    @classmethod
    def _known_registry(cls, uri: str | None) -> str | None:
        if uri is not None and not uri.startswith(("sqlite:///", "http://", "https://")):
            raise ValueError("give http(s)://host:port of an MLflow server, or sqlite:/// and an absolute path")
        return uri

    @property
    def registry_uri(self) -> str:
        """The MLflow address in force."""
        return self.mlflow_uri or f"sqlite:///{(self.state_dir / 'mlflow' / 'mlflow.db').absolute()}"

    @property
    def artifact_root(self) -> Path | None:
        """Where the artefacts of the default registry lie; a server of one's own knows its own place."""
        return None if self.mlflow_uri else (self.state_dir / "mlflow" / "artifacts").absolute()


class ModelSettings(RegistrySettings):
    """Which models of the registry are run."""

    model_tags: Commas[str] = Field(
        default=(),
        description="run the newest model versions with these tags, such as `as_of=2017-10-19T04:30:00+00:00`, instead "
        "of the champions",
    )

    @field_validator("model_tags")
    @classmethod
    def _named_tags(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := next((tag for tag in tags if not _TAG.fullmatch(tag)), None):
            raise ValueError(f"{wrong!r} is no tag: give name=value, with commas between several")
        return tags


class PriorSettings(Settings):
    """What sites without a trained model begin with."""

    prior: Path | None = Field(
        default=None,
        description="a file of `tetouan train --prior` that sites without champions begin with, and `backtest` and "
        "`forecast` where no `--prior` is given",
    )


class GapSettings(Settings):
    """How long a gap between readings may be."""

    max_gap_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="a reading later than this after the last one is refused; six in a row are the new truth",
    )


class HostSettings(Settings):
    """The address of services over HTTP."""

    http_host: str = Field(default="127.0.0.1", description="address that health and metrics listen on")


class HttpSettings(HostSettings):
    """Where a service listens; each has a port of its own."""

    http_port: HttpPort = 8000
    http_fd: int | None = Field(
        default=None, ge=3, description="an inherited socket that listens already, in place of host and port"
    )


class ProcessSettings(Settings):
    """How a process logs, and with whom it ends."""

    lifeline_fd: int | None = Field(
        default=None,
        ge=3,
        description="an inherited pipe: a service or a replay ends as soon as nobody holds its other end",
    )
    log_format: Literal["console", "json"] = Field(
        default="console", description="how log lines look: `console` or `json`"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least level logged: `debug`, `info`, `warning`, `error`"
    )


class ServiceSettings(KafkaSettings, GroupSettings, SiteSettings, SnapshotSettings, HttpSettings, ProcessSettings):
    """What every service reads."""

    group_instance_id: KafkaName | None = Field(
        default=None,
        description="a name of its own for each replica, so that one that was killed rejoins its group at once; one "
        "that stops keeps its partitions for ten seconds",
    )
    transactions: bool = Field(
        default=True,
        description="answers and offsets in one transaction; the embedded broker has none, and the demo turns it off",
    )
    max_rejected_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="a service of whose last 50 records a larger share are dead letters is not ready; 1: never",
    )


def group_of(group: str | None, service: str) -> str:
    """Return the consumer group of a service: never that of another, as transactions and snapshots bear its name."""
    return f"{group}-{service}" if group else service


def _zones_of(sites: Path | None, name: str) -> tuple[int, ...]:
    """Return the zones to forecast of a site; none where its table is refused, which who works on it is told."""
    site = known_sites(sites).get(name)
    return site.zones if site else ()


def _password_in(file: Path | None) -> SecretStr | None:
    """Return the password that a file holds, without the end of its line."""
    if file is None:
        return None
    try:
        password = file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise ValueError(f"{PREFIX}KAFKA_PASSWORD_FILE={str(file)!r}: {why}: give a file with the password") from None
    if not password:
        raise ValueError(f"{PREFIX}KAFKA_PASSWORD_FILE={str(file)!r}: it is empty: give a file with the password")
    return SecretStr(password)
