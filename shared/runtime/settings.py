"""Every setting of the project: environment variables with the prefix ``TETOUAN_``."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from shared.contracts import topics
from shared.forecasting.intervals import COVERAGES
from shared.runtime import failpoints
from shared.runtime.access import Access, Mechanism, Security
from shared.runtime.wanted import wanted
from shared.sites.table import BUILT_IN, known_sites

if TYPE_CHECKING:
    from shared.sites.site import Site

__all__ = ["PREFIX", "Refused", "Settings", "load", "unknown_variables", "unwritable"]

PREFIX = "TETOUAN_"
SCORED = 0.9

_WATCHED = ("ingestor", "forecaster", "monitor")
_LIKENESS = 0.75  # of two names without the prefix, from which on one looks like the other misspelt

_NAME = re.compile(r"[A-Za-z0-9._-]*")
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/\[\]]+)(:\d{1,5})?")
_TAG = re.compile(r"[^=]+=.+")

# what Kubernetes puts into every container for each service of the namespace, here one named tetouan or tetouan-*
_SERVICE_LINK = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$")
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S+")

S = TypeVar("S", bound="Settings")


class Refused(Exception):  # noqa: N818 - the start is refused: no error of ours, one line that says what to change
    """What is asked for cannot be done; the message is one line that says what to change."""


def unwritable(folder: Path, error: OSError) -> Refused:
    """Return the refusal of a command whose state folder, or a part of it, cannot be written."""
    why = os.strerror(error.errno or 0)
    return Refused(f"cannot write to {folder} ({why}): set TETOUAN_STATE_DIR to a folder of yours")


class Settings(BaseSettings):
    """The settings that any entry point may read; a service only changes defaults."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

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
    topic_prefix: str = Field(
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
    transactions: bool = Field(
        default=True,
        description="answers and offsets in one transaction; the embedded broker has none, and the demo turns it off",
    )
    group: str | None = Field(
        default=None,
        description="put before the consumer group of a service, which is else its name: `north` makes `north-monitor`",
    )
    group_instance_id: str | None = Field(
        default=None,
        description="a name of its own for each replica, so that one that was killed rejoins its group at once; one "
        "that stops keeps its partitions for ten seconds",
    )
    sites: Path | None = Field(
        default=None, description="a TOML file with sites of your own, or with changes to the one that is built in"
    )
    site: str = Field(default=BUILT_IN, description="the site that a command works on; services serve all of the table")
    zones: Annotated[tuple[int, ...], NoDecode] = Field(
        default_factory=lambda given: _zones_of(given["sites"], given["site"]),
        examples=["1,2"],
        description="the zones that a command works on, such as `1,2,3`; default: those of the site's table",
    )
    coverages: Annotated[tuple[float, ...], NoDecode] = Field(
        default=(0.8, 0.9), description="the intervals of each forecast: some of 0.5, 0.8, 0.9, 0.95, always 0.9"
    )
    max_gap_days: int = Field(
        default=30,
        ge=1,
        le=3650,
        description="a reading later than this after the last one is refused; six in a row are the new truth",
    )
    max_rejected_share: float = Field(
        default=0.5,
        gt=0,
        le=1,
        description="a service of whose last 50 records a larger share are dead letters is not ready; 1: never",
    )
    data: str | None = Field(
        default=None,
        description="the year: a CSV or Parquet file, also packed, or `synthetic`; default: the cache, else a "
        "download, else `synthetic`",
    )
    data_url: str | None = Field(
        default=None, description="address that the year is downloaded from, a zip file; default: the UCI repository"
    )
    state_dir: Path = Field(
        default=Path(".tetouan"), description="where cache, model registry, logs and results of demos lie"
    )
    snapshots: str | None = Field(
        default=None,
        description="where states are kept: a folder, or a place that `fsspec` knows; default: `snapshots` in the "
        "state folder",
    )
    snapshot_every_s: float = Field(
        default=10.0, ge=0.1, le=86400, description="seconds between two snapshots of the state while readings come in"
    )
    mlflow_uri: str | None = Field(
        default=None, description="the MLflow tracking server; default: SQLite in the state folder"
    )
    model_tags: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="run the newest model versions with these tags, such as `as_of=2017-10-19T04:30:00+00:00`, instead "
        "of the champions",
    )
    models_wait_s: float = Field(
        default=240.0,
        ge=0,
        le=86400,
        description="how long a site's first reading waits for the registry to answer, and how long after its start a "
        "forecaster without a snapshot waits for the registry's first champions; then sites begin without, from the "
        "readings alone, and take their champions over when they come; 0: nothing waits",
    )
    prior: Path | None = Field(
        default=None,
        description="a file of `tetouan train --prior` that sites without champions begin with, and `backtest` and "
        "`forecast` where no `--prior` is given",
    )
    report_every_hours: int = Field(
        default=24, ge=0, le=8760, description="hours of event time between two reports of the monitor; 0: none"
    )
    patience_days: int = Field(
        default=35,
        ge=1,
        le=3650,
        description="days of event time that the monitor's readings may be ahead of the forecasts that it waits for: "
        "more where years are replayed as fast as they go; 8 kB a day and zone while they wait",
    )
    report_dir: Path | None = Field(
        default=None, description="where reports are written; default: `reports` in the state folder"
    )
    reports_kept: int = Field(
        default=7, ge=1, le=1000, description="how many reports of each zone and window length are kept"
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="where the gateway keeps the history: `sqlite:////absolute/file.db`, or "
        "`postgresql://user:password@host/database`; default: SQLite in the state folder",
    )
    history_days: int = Field(
        default=90,
        ge=0,
        le=36500,
        description="days of event time for which the history keeps all leads of a forecast, then those of the lead "
        "groups alone; 0: for ever",
    )
    http_host: str = Field(default="127.0.0.1", description="address that health and metrics listen on")
    http_port: int = Field(default=8000, ge=0, le=65535, description="port of health and metrics; 0 takes a free one")
    http_fd: int | None = Field(
        default=None, ge=3, description="an inherited socket that listens already, in place of host and port"
    )
    http_open: bool = Field(
        default=False,
        description="whether the gateway listens where others reach it without asking them for a key: something else "
        "decides who comes in",
    )
    http_requests_per_minute: int = Field(
        default=12_000,
        ge=0,
        le=10_000_000,
        description="requests that the gateway takes of one key, or of one address without a key; 0: any number",
    )
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
    max_lag: int = Field(default=0, ge=0, description="records the replay may be ahead of the consumers; 0: no limit")
    lag_groups: Annotated[tuple[str, ...], NoDecode] = Field(
        default_factory=lambda given: tuple(_group(given.get("group"), service) for service in _WATCHED),
        description="the consumer groups that `TETOUAN_MAX_LAG` watches, such as `ingestor,north-forecaster`; default: "
        "those of ingestor, forecaster and monitor, with `TETOUAN_GROUP`",
    )

    @field_validator("zones", "coverages", "model_tags", "lag_groups", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if not (parts := tuple(part.strip() for part in value.split(",") if part.strip())):
            raise ValueError("it names nothing: give one or more, with commas between them, or leave it out")
        return parts

    @field_validator("kafka_bootstrap")
    @classmethod
    def _addresses(cls, addresses: str) -> str:
        if not all(_ADDRESS.fullmatch(address.strip()) for address in addresses.split(",")):
            raise ValueError("give host:port, with commas between several")
        return addresses

    @field_validator("data_url")
    @classmethod
    def _web_address(cls, url: str | None) -> str | None:
        if url is not None and not url.startswith(("http://", "https://")):
            raise ValueError("give http:// or https://, a host and a path; a file on this machine goes with --data")
        return url

    @field_validator("topic_prefix", "group", "group_instance_id")
    @classmethod
    def _kafka_name(cls, name: str | None) -> str | None:
        if name is not None and not _NAME.fullmatch(name):
            raise ValueError("Kafka takes letters, digits, dots, dashes and underscores alone: use these")
        return name

    @field_validator("model_tags")
    @classmethod
    def _named_tags(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := next((tag for tag in tags if not _TAG.fullmatch(tag)), None):
            raise ValueError(f"{wrong!r} is no tag: give name=value, with commas between several")
        return tags

    @field_validator("lag_groups")
    @classmethod
    def _known_groups(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        for group in groups:
            topics.reader_of(group)
        return groups

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("sqlite:////", "postgresql://", "postgres://")):
            raise ValueError("give sqlite:////absolute/file.db, or postgresql://user:password@host/database")
        return url

    @field_validator("mlflow_uri")
    @classmethod
    def _known_registry(cls, uri: str | None) -> str | None:
        if uri is not None and not uri.startswith(("sqlite:///", "http://", "https://")):
            raise ValueError("give http(s)://host:port of an MLflow server, or sqlite:/// and an absolute path")
        return uri

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

    @field_validator("coverages")
    @classmethod
    def _kept_coverages(cls, coverages: tuple[float, ...]) -> tuple[float, ...]:
        if SCORED not in coverages or not set(coverages) <= set(COVERAGES):
            raise ValueError(f"choose of {', '.join(map(str, COVERAGES))}, and {SCORED}, which is scored, among them")
        return tuple(sorted(set(coverages)))

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

    def group_of(self, service: str) -> str:
        """Return the consumer group of a service, without the prefix."""
        return _group(self.group, service)

    @property
    def cache_dir(self) -> Path:
        """Where downloaded data is kept."""
        return self.state_dir / "cache"

    @property
    def reports_dir(self) -> Path:
        """Where reports are written, absolute."""
        return (self.report_dir or self.state_dir / "reports").absolute()

    @property
    def snapshots_place(self) -> str:
        """Where states are kept."""
        return self.snapshots or str((self.state_dir / "snapshots").absolute())

    @property
    def registry_uri(self) -> str:
        """The MLflow address in force."""
        return self.mlflow_uri or f"sqlite:///{(self.state_dir / 'mlflow' / 'mlflow.db').absolute()}"

    @property
    def artifact_root(self) -> Path | None:
        """Where the artefacts of the default registry lie; a server of one's own knows its own place."""
        return None if self.mlflow_uri else (self.state_dir / "mlflow" / "artifacts").absolute()


def _zones_of(sites: Path | None, name: str) -> tuple[int, ...]:
    """Return the zones to forecast of a site; none where its table is refused, which who works on it is told."""
    site = known_sites(sites).get(name)
    return site.zones if site else ()


def _group(group: str | None, service: str) -> str:
    """Return the consumer group of a service: never that of another, as transactions and snapshots bear its name."""
    return f"{group}-{service}" if group else service


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


def load(kind: type[S], **overrides: object) -> S:
    """Return the settings from the environment; raises ``Refused`` that names the first bad one."""
    _refuse_misspelt()
    _refuse_service_links()
    try:
        return kind(**overrides)  # type: ignore[arg-type]  # pydantic validates what mypy cannot know of a dict
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:  # of several settings together: it names them, and what is given holds secrets
            raise Refused(reason) from None
        name, variable = str(first["loc"][0]), PREFIX + str(first["loc"][0]).upper()
        if first["type"] != "value_error":
            reason = f"give {wanted(kind.model_fields[name])}"
        given = overrides.get(name, os.environ.get(variable, first["input"]))  # of several numbers the input is one
        shown = re.sub(r"((?:\w+://)?)[^\s'\"]*@", r"\1", repr(given))  # an address may hold user and password
        raise Refused(f"{variable}={shown}: {reason}") from None


def unknown_variables() -> list[str]:
    """Return a line for each variable of the environment that has our prefix and is ignored: it is no setting.

    What Kubernetes tells of its services is passed over.
    """
    return [f"{name} is no setting and is ignored: see docs/reference.md" for name in _unknown()]


def _known() -> set[str]:
    of_tests = {PREFIX + "TEST_KAFKA", PREFIX + "TEST_KAFKA_SCRIPT", PREFIX + "TEST_POSTGRES", failpoints.VARIABLE}
    return {PREFIX + name.upper() for name in Settings.model_fields} | of_tests


def _unknown() -> list[str]:
    """Return the names of the variables that neither we nor Kubernetes know."""
    ours = {name for name in os.environ if name.startswith(PREFIX)} - _known()
    return sorted(name for name in ours if not _SERVICE_LINK.search(name) and not _is_service_address(name))


def _is_service_address(name: str) -> bool:
    return name.endswith("_PORT") and _SERVICE_ADDRESS.fullmatch(os.environ[name]) is not None


def _refuse_misspelt() -> None:
    """Refuse the first unknown variable whose name is close to that of a setting."""
    known = [name.removeprefix(PREFIX) for name in _known()]
    for name in _unknown():
        for close in difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1, cutoff=_LIKENESS):
            raise Refused(f"{name} is no setting: did you mean {PREFIX}{close}?")


def _refuse_service_links() -> None:
    """Refuse a setting that Kubernetes has overwritten with the address of a service."""
    for name in sorted(_known() & os.environ.keys()):
        if _is_service_address(name):
            service = name.removesuffix("_PORT").lower().replace("_", "-")
            raise Refused(
                f"{name}={os.environ[name]!r} is what Kubernetes says of its service {service}, no port: "
                "rename that service, or set enableServiceLinks: false in the pod"
            )
