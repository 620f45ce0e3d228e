"""Judges what was observed on the machine: each check returns what it found, a state, and what to do."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shared.contracts import topics
from shared.data.year import SYNTHETIC
from shared.runtime.administration import lacking, uneven

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from replay.backlog import Lag

__all__ = [
    "BrokerFindings",
    "Finding",
    "Port",
    "State",
    "of_broker",
    "of_clock",
    "of_data",
    "of_disk",
    "of_docker",
    "of_lag",
    "of_packages",
    "of_ports",
    "of_python",
    "of_registry",
    "of_settings",
    "of_topics",
]

State = Literal["ok", "note", "wrong"]

OLDEST = (3, 11)
SCARCE_BYTES, ENOUGH_BYTES = 200 * 2**20, 2 * 2**30
MOST_BEHIND = 10_000
NAMED = 5  # packages, topics: more fill the screen
GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """What a check has found; ``advice`` is what to do about it, empty where there is nothing to do.

    ``wrong``: services or a command cannot work. ``note``: information only.
    """

    check: str
    state: State
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Port:
    """A port, the service that needs it, and the process or error that blocks it; None where it is free."""

    number: int
    wanted_by: str
    holder: str | None


@dataclass(frozen=True)
class BrokerFindings:
    """The answer of the brokers: the partitions of each topic, or ``fault``."""

    address: str
    security: str
    partitions: Mapping[str, int]
    fault: str | None = None
    complaints: tuple[str, ...] = ()
    is_embedded: bool = False


def of_python(version: tuple[int, int, int]) -> Finding:
    """Judge the interpreter."""
    shown = ".".join(map(str, version))
    if version[:2] < OLDEST:
        return Finding("Python", "wrong", shown, "install Python 3.11 or newer, then `make clean .venv/.ready`")
    return Finding("Python", "ok", shown)


def of_packages(locked: Mapping[str, str] | None, installed: Mapping[str, str]) -> Finding:
    """Compare the installed packages with the lines of the lock file for this machine; None: there is no such file."""
    if locked is None:
        return Finding("packages", "note", "no requirements.lock beside the code to compare with")
    missing = [name for name in locked if name not in installed]
    other = [
        f"{name} {installed[name]} (the lock has {version})"
        for name, version in locked.items()
        if name in installed and installed[name] != version
    ]
    wrong = [*(f"{name} is missing" for name in missing), *other]
    if wrong:
        return Finding("packages", "wrong", _some(wrong), "make clean .venv/.ready")
    return Finding("packages", "ok", f"{len(locked)} packages have the locked versions")


def of_settings(unknown: Sequence[str], refused: str | None) -> Finding:
    """Judge the variables of the environment."""
    if refused is not None:
        return Finding("settings", "wrong", refused, "change or unset it; docs/reference.md lists all")
    if unknown:
        return Finding("settings", "note", _some(unknown), "unset it, or write it as docs/reference.md does")
    return Finding("settings", "ok", "all TETOUAN_ variables are known")


def of_disk(folder: Path, free_bytes: int, fault: str | None) -> Finding:
    """Judge the disk of the state folder, or of the nearest folder above it; ``fault``: why it cannot be written."""
    shown = f"{folder}: {free_bytes / GIB:.1f} GiB free"
    advice = "free some space, or set TETOUAN_STATE_DIR to a folder elsewhere"
    if fault is not None:
        return Finding("disk", "wrong", f"{folder} cannot be written: {fault}", advice)
    if free_bytes < SCARCE_BYTES:
        return Finding("disk", "wrong", shown, advice)
    return Finding("disk", "note" if free_bytes < ENOUGH_BYTES else "ok", shown)


def of_ports(ports: Sequence[Port]) -> Finding:
    """Judge the ports. Services that are started by hand need them; a demo takes others."""
    taken = [f"{port.number} ({port.wanted_by}) is not free: {port.holder}" for port in ports if port.holder]
    if taken:
        advice = "nothing for a service of yours, or a demo, which takes another port; else set TETOUAN_HTTP_PORT"
        return Finding("ports", "note", "; ".join(taken), advice)
    return Finding("ports", "ok", f"{', '.join(str(port.number) for port in ports)} are free")


def of_data(source: str, sha256: str | None, fault: str | None, *, is_published: bool) -> Finding:
    """Judge the data file; ``sha256`` is None where there is no file."""
    if fault is not None:
        return Finding("data", "wrong", f"{source}: {fault}", "name another file with TETOUAN_DATA or --data")
    if source == SYNTHETIC:
        return Finding("data", "ok", "a synthetic year, generated at the start")
    if sha256 is None:
        advice = "nothing: `tetouan demo` downloads the year, or takes a synthetic one and says so"
        return Finding("data", "note", f"no data file at {source}", advice)
    what = "the published year" if is_published else "a file of your own"
    return Finding("data", "ok", f"{source}: {what}, sha256 {sha256[:12]}")


def of_broker(broker: BrokerFindings, *, is_chosen: bool) -> Finding:
    """Judge whether the brokers answer. Where none was chosen this is a note: a demo starts its own broker."""
    shown = f"{broker.address} ({broker.security})"
    if broker.fault is None:
        return Finding("broker", "ok", f"{shown} answers")
    what, _, advice = broker.fault.rpartition(": ")
    return Finding("broker", "wrong" if is_chosen else "note", what or broker.fault, advice)


def of_topics(broker: BrokerFindings, prefix: str, *, is_chosen: bool) -> Finding:
    """Judge whether all topics exist, have suitable numbers of partitions, and retain their records.

    Where no broker was chosen it is a note that there are none.
    """
    if broker.fault is not None:
        return Finding("topics", "note", "not looked at: no broker answers")
    wanted = [prefix + topic.name for topic in topics.ALL]
    if missing := [name for name in wanted if name not in broker.partitions]:
        state: State = "wrong" if is_chosen or len(missing) < len(wanted) else "note"
        return Finding("topics", state, f"missing: {_some(missing)}", "run `tetouan topics`")
    if doubt := _doubt_of_counts({name: broker.partitions[name] for name in wanted}, prefix):
        what, _, advice = doubt.rpartition(": ")
        return Finding("topics", "wrong", what, advice)
    if broker.complaints:
        what, _, advice = broker.complaints[0].rpartition(": ")
        more = f", and {len(broker.complaints) - 1} more" if len(broker.complaints) > 1 else ""
        return Finding("topics", "wrong", what + more, f"{advice}; `tetouan topics` names all")
    most = max(broker.partitions[name] for name in wanted)
    return Finding("topics", "ok", f"{len(wanted)} with {most} partitions")


def _doubt_of_counts(partitions: Mapping[str, int], prefix: str) -> str | None:
    """Return the first mismatch of the partitions of topics that a service reads or answers on; None without one."""
    by_reader: dict[str, dict[str, int]] = defaultdict(dict)
    for topic in topics.ALL:
        for reader in topic.read_by:
            by_reader[reader][prefix + topic.name] = partitions[prefix + topic.name]
    for read in by_reader.values():
        if line := uneven(read) or lacking(read, partitions):
            return line
    return None


def of_lag(lags: Iterable[Lag] | None) -> Finding:
    """Judge how far the consumer groups are behind; None where the brokers did not say."""
    if lags is None:
        return Finding("lag", "note", "not looked at: no broker answers")
    behind: dict[str, int] = defaultdict(int)
    for lag in lags:
        behind[lag.group] += lag.records
    # a broker counts the ends of transactions as records, so that these are upper bounds
    shown = ", ".join(f"{group} {'up to ' * (records > 0)}{records:,}" for group, records in behind.items())
    slowest = max(behind, key=lambda group: behind[group], default=None)
    if slowest is not None and behind[slowest] > MOST_BEHIND:
        advice = f"see the log and /readyz of the {slowest}, or start it: `tetouan run {topics.reader_of(slowest)}`"
        return Finding("lag", "wrong", f"{shown} records", advice)
    return Finding("lag", "ok", f"{shown} records")


def of_registry(uri: str, champions: int | None, fault: str | None) -> Finding:
    """Judge the model registry; ``champions`` is None where it does not exist yet."""
    if fault is not None:
        what, _, advice = fault.rpartition(": ")
        return Finding("registry", "wrong", what or fault, advice)
    if not champions:
        what = f"{uri} has no champion" if champions == 0 else f"no registry at {uri}"
        return Finding("registry", "note", what, "run `tetouan train`; a demo fits its own models")
    return Finding("registry", "ok", f"{uri}: champions of {champions} zones")


def of_clock(now: datetime, newest_file: datetime, record_ahead: timedelta | None) -> Finding:
    """Judge the clock: it is wrong before the date of a program file, or more than 60 s behind the newest record."""
    shown = f"{now:%Y-%m-%d %H:%M:%S} UTC"
    advice = "set the clock, such as with `timedatectl set-ntp true`"
    if now < newest_file:
        return Finding("clock", "wrong", f"{shown}, earlier than the program files ({newest_file:%Y-%m-%d})", advice)
    if record_ahead is not None and record_ahead.total_seconds() > 60:
        return Finding(
            "clock",
            "wrong",
            f"{shown}, {record_ahead.total_seconds():,.0f} s behind the newest record on Kafka",
            advice,
        )
    return Finding("clock", "ok", shown)


def of_docker(version: str | None, fault: str | None) -> Finding:
    """Judge the Docker engine, which only compose.yaml and some tests need."""
    if version is not None:
        return Finding("Docker", "ok", f"engine {version}")
    return Finding("Docker", "note", fault or "there is none", "only `docker compose up` and some tests need it")


def _some(lines: Sequence[str]) -> str:
    more = f", and {len(lines) - NAMED} more" if len(lines) > NAMED else ""
    return ", ".join(lines[:NAMED]) + more
