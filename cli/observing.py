"""Looks at the machine for `tetouan doctor`; what cannot be seen is said, and nothing is made or changed."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from importlib.metadata import distributions
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are public, its stub forgets it
    AdminClient,
    OffsetSpec,
)
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import cli
from cli.findings import BrokerFindings
from replay.backlog import Backlog, Lag
from shared.contracts import topics
from shared.data.dialect import Survey
from shared.data.errors import DataError
from shared.data.published import is_published
from shared.data.unpacking import unpacked
from shared.data.year import CACHED_NAME, SYNTHETIC
from shared.runtime import embedded
from shared.runtime.administration import check_topics
from shared.runtime.diagnosis import explain
from shared.runtime.registry import Registry, RegistryError, nobody_has_made

if TYPE_CHECKING:
    from cli.settings import CommandSettings, HistorySettings
    from shared.runtime.concerns import KafkaSettings

__all__ = [
    "broker_of",
    "data_of",
    "docker_of",
    "installed",
    "lags_of",
    "locked",
    "newest_file",
    "record_ahead",
    "registry_of",
    "write_fault",
]

ANSWER_S = 5.0
PROBE_BYTES = 2**20
CODE = Path(cli.__file__).parents[1]
LOCK = CODE / "requirements.lock"


def locked(file: Path = LOCK) -> dict[str, str] | None:
    """Return the version of each package of a lock file that belongs on this machine, None without a file."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    pins = [Requirement(line.rstrip("\\ ")) for line in lines if line and not line.startswith((" ", "#"))]
    return {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for pin in pins
        if pin.marker is None or pin.marker.evaluate()
    }


def installed() -> dict[str, str]:
    """Return the version of each package that is installed."""
    return {canonicalize_name(each.metadata["Name"]): each.version for each in distributions()}


def write_fault(folder: Path) -> tuple[Path, int, str | None]:
    """Return the nearest folder that is there, its free bytes, and why a megabyte cannot be written to it."""
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.is_dir())
    try:
        with NamedTemporaryFile(dir=there, prefix=".tetouan-doctor-") as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
    except OSError as error:
        return there, shutil.disk_usage(there).free, os.strerror(error.errno or errno.EIO)
    return there, shutil.disk_usage(there).free, None


def data_of(settings: HistorySettings) -> tuple[str, str | None, str | None, bool]:
    """Return where the year lies, its checksum if it is there, what is wrong with it, and whether it is published."""
    if settings.data == SYNTHETIC:
        return SYNTHETIC, None, None, False
    file = Path(settings.data).expanduser() if settings.data else settings.cache_dir / CACHED_NAME
    if settings.data is None and not file.exists():
        return str(file), None, None, False
    try:
        with unpacked(lambda: file.open("rb"), str(file))() as table:
            sha256 = Survey.of(table).sha256
    except DataError as error:
        return str(file), None, str(error), False
    except OSError as error:
        return str(file), None, os.strerror(error.errno or errno.EIO), False
    return str(file), sha256, None, is_published(sha256)


def broker_of(settings: KafkaSettings) -> BrokerFindings:
    """Return what the brokers say of the topics, or why they say nothing."""
    access = settings.kafka
    address, security = access.bootstrap, access.security
    try:
        metadata = AdminClient(access.confluent()).list_topics(timeout=ANSWER_S)
        complaints = tuple(check_topics(access, settings.topic_prefix))
    except KafkaException as error:
        return BrokerFindings(address, security, {}, explain(access, error))
    partitions = {name: len(topic.partitions) for name, topic in metadata.topics.items()}
    of_ours = embedded.is_embedded(str(metadata.cluster_id))
    return BrokerFindings(address, security, partitions, None, complaints, is_embedded=of_ours)


def lags_of(settings: CommandSettings, broker: BrokerFindings) -> list[Lag] | None:
    """Return what the groups have not read, None where the brokers do not say."""
    if broker.fault is not None:
        return None
    try:
        with Backlog(settings.kafka, settings.lag_groups, settings.topic_prefix) as backlog:
            return backlog.unread()
    except KafkaException:
        return None


def record_ahead(settings: KafkaSettings, broker: BrokerFindings, now: datetime) -> timedelta | None:
    """Return how far the newest raw record was sent after now, None where there is no record."""
    name = settings.topic_prefix + topics.RAW.name
    if broker.fault is not None or broker.is_embedded or not broker.partitions.get(name):
        return None  # the embedded one does not tell, and its records are of this machine
    newest = OffsetSpec.max_timestamp()  # type: ignore[no-untyped-call]  # the client annotates in part
    asked = {TopicPartition(name, number): newest for number in range(broker.partitions[name])}
    try:
        answers = AdminClient(settings.kafka.confluent()).list_offsets(asked, request_timeout=ANSWER_S)
        times_ms = [answer.result(ANSWER_S).timestamp for answer in answers.values()]
    except (KafkaException, TimeoutError):
        return None
    newest_ms = max(times_ms, default=-1)
    return datetime.fromtimestamp(newest_ms / 1000, UTC) - now if newest_ms > 0 else None


def registry_of(uri: str, artifact_root: Path | None) -> tuple[int | None, str | None]:
    """Return how many zones have a champion, None where nobody has made the registry; and why it cannot be used."""
    try:
        if nobody_has_made(uri):
            return None, None
        return len(Registry(uri, artifact_root).champions("zone-demand-")), None
    except RegistryError as error:
        return None, str(error)


def newest_file() -> datetime:
    """Return when the newest file of this package was written."""
    newest_s = max(file.stat().st_mtime for file in Path(cli.__file__).parent.glob("*.py"))
    return datetime.fromtimestamp(newest_s, UTC)


def docker_of() -> tuple[str | None, str | None]:
    """Return the version of the Docker engine, or why it does not answer."""
    docker = shutil.which("docker")
    if docker is None:
        return None, "docker is not installed"
    try:
        asked = [docker, "version", "--format", "{{.Server.Version}}"]
        ran = subprocess.run(asked, capture_output=True, text=True, timeout=ANSWER_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None, f"the engine does not answer within {ANSWER_S:.0f} s"
    lines = (ran.stderr or ran.stdout).strip().splitlines()
    return (ran.stdout.strip(), None) if ran.returncode == 0 else (None, lines[-1] if lines else "it says nothing")
