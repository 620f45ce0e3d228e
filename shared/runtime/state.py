"""The state of a service: its core, how far it has folded its topics, and where that is kept.

All of it is a fold. So a state is right as soon as it is that of the offsets at which the service goes on, whether it
was kept, rebuilt from the topics, or some of both; and one that is beyond them goes back by being made anew.
"""

from __future__ import annotations

import gc
from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import structlog
from aiokafka import TopicPartition

from shared.runtime.clock import monotonic_s, now
from shared.runtime.restoring import Foldable, Preparing
from shared.runtime.snapshots import Snapshot, SnapshotRefused
from shared.runtime.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from shared.runtime.fetching import Unreadable
    from shared.runtime.metrics import PipelineMetrics
    from shared.runtime.records import Outgoing, Record
    from shared.runtime.restoring import Offsets, TopicReplay
    from shared.runtime.snapshots import Reason, Snapshots

__all__ = ["Core", "Fetching", "OutdatedError", "Partitioned", "Resumable", "ServiceState"]

PLACE_S = 30.0  # for what a place of snapshots does in a second; one that is silent must not hold up the service

log = structlog.get_logger()


class Core(Foldable, Protocol):
    """The pure heart of a service: a batch of records in, the records that answer it out, in order."""

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """Fold the batch into the state and return the answers; any exception is a bug and ends the service."""


@runtime_checkable
class Resumable(Protocol):
    """A core whose state can be kept."""

    def identity(self) -> dict[str, str]:
        """Return what the state belongs to: site, zones, number of its format."""

    def state(self) -> dict[str, NDArray[Any]]:
        """Return every array of the state by name, safe to be written later; no objects."""

    def resume(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Take over what `state` returned; raises ``ValueError``, and stays as it was, where it does not fit."""


@runtime_checkable
class Partitioned(Protocol):
    """A core that has to know how its topics are divided."""

    def know_partitions(self, counts: Mapping[str, int]) -> None:
        """Take note of the number of partitions of each consumed topic, before a record of it comes."""


class OutdatedError(ValueError):
    """A state is whole and fits, but the core should begin with something else by now."""


@runtime_checkable
class Fetching(Preparing, Protocol):
    """A core of which what it has fetched may come to be superseded."""

    def outdated(self) -> bool:
        """Tell whether it should have begun with something else, so that it is to be made anew."""


class ServiceState:
    """The core of a service and how far it has folded.

    Parameters
    ----------
    make_core
        Makes a core that has seen nothing.
    past
        What stands on the topics.
    store
        Where snapshots are kept.
    metrics
        Of the service.
    """

    def __init__(
        self, make_core: Callable[[], Core], past: TopicReplay, store: Snapshots, metrics: PipelineMetrics
    ) -> None:
        self.make_core = make_core
        self._past = past
        self._store = store
        self._metrics = metrics
        self._core: Core | None = None
        self._folded: Offsets = {}
        self._unsettled: set[TopicPartition] = set()  # folded, and not committed
        self._kept: Offsets = {}  # by the last snapshot
        self._copied: Core | None = None  # whose state that is
        self.broker_identity: dict[str, str] = {}
        """Cluster, group and topics."""

    def outdated(self) -> bool:
        """Tell whether the core is to be made anew."""
        core: Core | Fetching | None = self._core
        return isinstance(core, Fetching) and core.outdated()

    async def rebuild(self) -> Core:
        """Give a fresh core the newest snapshot that it can use, or else fold the topics into it; returns the core."""
        started_s = monotonic_s()
        self._core = None  # half a fold must not be taken for one
        core = self.make_core()
        committed = await self.committed()
        _tell_partitions(core, committed)
        self._unsettled.clear()
        source, folded = await self._resumed(core, committed), 0
        if source is None:
            source = "the topics"
            self._folded, folded = await self._past.rebuild(core)
            self._kept = {}
        self._core = core
        gc.collect()
        gc.freeze()  # what is there by now stays: a full collection of it takes a quarter of a second
        self._account(source, folded, started_s)
        return core

    async def committed(self) -> Offsets:
        """Return what the group has committed, for each partition of the consumed topics."""
        return await self._past.committed()

    async def unreadable(self, partitions: Collection[TopicPartition]) -> list[Unreadable]:
        """Return, of each of these partitions, the first record behind what is committed that cannot be fetched."""
        committed = await self.committed()
        return await self._past.unreadable({part: offset for part, offset in committed.items() if part in partitions})

    async def catch_up(self, partitions: Collection[TopicPartition]) -> Offsets:
        """Bring the state to what is committed of these partitions; returns the offsets from which to go on."""
        everywhere = await self.committed()
        committed = {part: offset for part, offset in everywhere.items() if part in partitions}
        core = self._core
        if core is None or self.outdated():
            core = await self.rebuild()
        _tell_partitions(core, everywhere)
        if beyond := [part for part, offset in committed.items() if self._folded.get(part, 0) > offset]:
            log.warning("the state is beyond what is committed, it goes back and folds again", topic=beyond[0].topic)
            core = await self.rebuild()
        started_s = monotonic_s()
        if folded := await self._past.catch_up(core, self._folded, committed, self._folded.__setitem__):
            self._account("where it was", folded, started_s)
        self._unsettled.difference_update(partitions)
        return committed

    async def prepare(self, records: Sequence[Record]) -> None:
        """Let the core fetch what a batch needs, which is handed in next."""
        core: Core | Preparing | None = self._core
        if isinstance(core, Preparing):
            await core.prepare(records)

    def handle(self, records: Sequence[Record]) -> tuple[list[Outgoing], Offsets]:
        """Answer a batch; returns the answers, and the offsets to commit with them."""
        if self._core is None:
            raise RuntimeError("a batch came before the state was rebuilt: report it")
        offsets = {TopicPartition(record.topic, record.partition): record.offset + 1 for record in records}
        self._unsettled.update(offsets)  # before the core has them: half a batch must not be kept either
        outgoing = self._core.handle(records)
        self._folded |= offsets
        return outgoing, offsets

    def settle(self, offsets: Offsets) -> None:
        """Note that these are committed."""
        self._unsettled.difference_update(offsets)

    def snapshot(self) -> Snapshot | None:
        """Return what is to be kept now: nothing while the core cannot, or is not where its commits are."""
        if self._unsettled or self._folded == self._kept or not any(self._folded.values()):
            return None
        core: Core | Resumable | None = self._core
        if not isinstance(core, Resumable):
            return None
        self._copied = self._core
        offsets = {(partition.topic, partition.partition): offset for partition, offset in self._folded.items()}
        return Snapshot(offsets, {**self.broker_identity, **core.identity()}, core.state())

    async def keep(self, snapshot: Snapshot) -> None:
        """Write a snapshot beside the running service; where that fails the next one will do."""
        try:
            size = await run_in_thread(PLACE_S, self._store.save, snapshot)
        except OSError as error:
            self._metrics.snapshot_failures.inc()
            log.warning(
                "the snapshot was not written, the next start may have to rebuild the state: free or open the place",
                place=self._store.place,
                error=str(error),
            )
            return
        if self._copied is self._core:  # else there is a new one meanwhile, of which nothing is kept
            self._kept = _offsets(snapshot)
        self._metrics.snapshot_bytes.set(size)
        self._metrics.snapshot_time_s.set(now().timestamp())

    async def _resumed(self, core: Core, committed: Offsets) -> str | None:
        """Give the core the newest snapshot that it can use; returns which, None where there is none."""
        if not isinstance(core, Resumable):
            return None
        identity = {**self.broker_identity, **core.identity()}
        try:
            await run_in_thread(PLACE_S, self._store.tidy)
            names = await run_in_thread(PLACE_S, self._store.names)
        except OSError as error:
            log.warning("no snapshot can be read, rebuilding the state", place=self._store.place, error=str(error))
            return None
        for name in names:
            try:
                self._folded = await self._take(core, name, identity, committed)
            except SnapshotRefused as refusal:
                self._metrics.snapshots_refused.labels(refusal.reason).inc()
                instead = "rebuilding the state from the topics" if name == names[-1] else "taking the one before it"
                say = log.info if refusal.reason == "outdated" else log.warning  # nothing is wrong with it
                say("a snapshot is refused", file=f"{self._store.place}/{name}", why=str(refusal), so=instead)
            else:
                self._kept = dict(self._folded)
                return f"the snapshot {name}"
        return None

    async def _take(self, core: Resumable, name: str, identity: Mapping[str, str], committed: Offsets) -> Offsets:
        try:
            snapshot = await run_in_thread(PLACE_S, self._store.read, name)
        except TimeoutError as error:
            raise SnapshotRefused("unreadable", f"it cannot be read ({error})") from error
        snapshot.check_identity(identity)
        offsets = _offsets(snapshot)
        for partition, offset in offsets.items():
            if offset > committed.get(partition, offset):
                raise SnapshotRefused(
                    "ahead",
                    f"it has folded {partition.topic}-{partition.partition} up to {offset}, "
                    f"committed is {committed.get(partition, 0)}",
                )
        try:
            core.resume(snapshot.arrays)
        except ValueError as error:
            reason: Reason = "outdated" if isinstance(error, OutdatedError) else "unfit"
            raise SnapshotRefused(reason, str(error)) from error
        return offsets

    def _account(self, source: str, records: int, started_s: float) -> None:
        seconds = monotonic_s() - started_s
        self._metrics.restore_s.set(seconds)
        log.info("state restored", source=source, records=records, seconds=round(seconds, 2))


def _tell_partitions(core: Core | Partitioned, offsets: Offsets) -> None:
    if isinstance(core, Partitioned):
        core.know_partitions(Counter(partition.topic for partition in offsets))


def _offsets(snapshot: Snapshot) -> Offsets:
    return {TopicPartition(topic, number): offset for (topic, number), offset in snapshot.offsets.items()}
