"""The state of a task: its core, how far it has folded its partitions, and where that is kept.

All of it is a fold. So a state is right as soon as it is that of the offsets at which the task goes on, whether it was
kept, rebuilt from the topics, or some of both; and one that is beyond them goes back by being made anew.
"""

from __future__ import annotations

import asyncio
import gc
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Protocol, TypeVar, runtime_checkable

import structlog
from aiokafka import TopicPartition

from shared.runtime.clock import cpu_s, monotonic_s, now
from shared.runtime.records import Answer
from shared.runtime.snapshots import Draft, Feed, PartsLostError, SnapshotRefused, packed
from shared.runtime.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from shared.runtime.metrics import PipelineMetrics
    from shared.runtime.patience import Patience
    from shared.runtime.publishing import Batch
    from shared.runtime.records import Record
    from shared.runtime.restoring import Offsets, TopicReplay
    from shared.runtime.snapshots import Reason, Snapshot, Snapshots

__all__ = [
    "Closing",
    "Copy",
    "Core",
    "Foldable",
    "Gradual",
    "OutdatedError",
    "Partitioned",
    "Preparing",
    "Resumable",
    "TaskState",
]

P = ParamSpec("P")
T = TypeVar("T")

PAUSE_S = 0.01  # of copying, until others are let through
FILE_BYTES = 1_000_000  # making a file, syncing and naming it takes as much as writing so many bytes

log = structlog.get_logger()


class Foldable(Protocol):
    """What can be brought back to where it was by what stands on topics."""

    def restore(self, records: Sequence[Record]) -> None:
        """Fold records that were answered before; counts nothing and sends nothing."""


class Core(Foldable, Protocol[Answer]):
    """The pure heart of a task: a batch of records in, what answers it out, in order: records or database rows."""

    def handle(self, records: Sequence[Record]) -> list[Answer]:
        """Fold the batch into the state and return the answers; any exception is a bug and ends the service."""


@runtime_checkable
class Resumable(Protocol):
    """A core whose state can be kept, part by part.

    Each site has parts of its own, of what changes together, and one is for what belongs to none.
    """

    def identity(self) -> dict[str, str]:
        """Return what the state belongs to, such as the number of its format."""

    def parts(self) -> Mapping[str, int]:
        """Return the name of each part, and a number that goes up whenever what was kept of it will not do any more.

        It is 0 of a part that is what `resume` was handed.
        """

    def state(self, part: str) -> dict[str, NDArray[Any]]:
        """Return every array of a part by name, no objects; they may change with the next record that is folded."""

    def resume(self, parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
        """Take over what `state` returned of each part.

        Raises ``ValueError``, and stays as it was, where it does not fit.
        """


@runtime_checkable
class Gradual(Protocol):
    """A resumable core that takes a while to take over what was kept."""

    def resuming(self, parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> Iterator[None]:
        """Do what `resume` does, with pauses in which others are let through; it is whole after the last."""


@runtime_checkable
class Partitioned(Protocol):
    """A core that has to know how its topics are divided."""

    def know_partitions(self, counts: Mapping[str, int]) -> None:
        """Take note of the number of partitions of each consumed topic, before a record of it comes."""


@runtime_checkable
class Preparing(Protocol):
    """A core that needs something from elsewhere before it takes certain records, such as models of a new site."""

    async def prepare(self, records: Sequence[Record]) -> None:
        """Fetch what these records need, which are handed to ``restore`` or ``handle`` next.

        ``Refused`` ends the service.
        """


class OutdatedError(ValueError):
    """A state is whole and fits, but the core should begin with something else by now."""


@runtime_checkable
class Closing(Protocol):
    """A core that shows something that has to go away with it."""

    def close(self) -> None:
        """Take away what it shows: series of metrics, and notes."""


@dataclass(frozen=True)
class Copy:
    """The state of a core between two batches, which is being written.

    Parameters
    ----------
    core
        Whose state it is.
    numbers
        Of each part, which change was its last.
    parts
        How many of them are written, as the others have not changed.
    written
        The snapshot once it is written, its bytes, and the CPU seconds that writing took.
    cpu_s
        CPU seconds that the copying took.
    """

    core: Core[Any]
    numbers: Mapping[str, int]
    parts: int
    written: asyncio.Future[tuple[Snapshot, int, float]]
    cpu_s: float


@dataclass(frozen=True)
class _Kept:
    """A snapshot of the present core, which change of each part was the last that it holds, and what a byte took."""

    snapshot: Snapshot
    numbers: Mapping[str, int]
    byte_cpu_s: float = 0.0

    def holds(self, numbers: Mapping[str, int]) -> frozenset[str]:
        """Return the names of the parts that need not be written again, where these were their last changes."""
        return frozenset(name for name, number in numbers.items() if self.numbers.get(name) == number)

    def expected_cpu_s(self, numbers: Mapping[str, int]) -> float:
        """Return the CPU seconds that the next one takes, if each part is as large as it was; new ones are left out."""
        blocks, held = self.snapshot.parts, self.holds(numbers)
        size = sum(block.length for name, block in blocks.items() if name in numbers and name not in held)
        return self.byte_cpu_s * (FILE_BYTES + size)


class TaskState(Generic[Answer]):
    """The core of a task and how far it has folded.

    Parameters
    ----------
    make_core
        Makes a core that has seen nothing.
    replay
        What stands on the topics.
    store
        Where snapshots are kept.
    identity
        What its offsets belong to: cluster, group, topics.
    metrics, patience
        Of the service.
    partitions
        How many partitions each consumed topic has.
    """

    def __init__(
        self,
        make_core: Callable[[], Core[Answer]],
        replay: TopicReplay,
        store: Snapshots,
        *,
        identity: Mapping[str, str],
        partitions: Mapping[str, int],
        metrics: PipelineMetrics,
        patience: Patience,
    ) -> None:
        self._make_core = make_core
        self._replay = replay
        self._store = store
        self._identity = identity
        self._partitions = partitions
        self._metrics = metrics
        self._patience = patience
        self._core: Core[Answer] | None = None
        self._folded: Offsets = {}
        self._unsettled: set[TopicPartition] = set()  # folded, and not committed
        self._kept: _Kept | None = None

    @property
    def consumed(self) -> tuple[TopicPartition, ...]:
        """The partitions whose records it answers."""
        return self._replay.consumed

    async def restore(self) -> Offsets:
        """Bring the state to what is committed; returns the offsets from which to go on."""
        committed = await self._replay.committed()
        if self._core is None:
            await self._rebuild(committed)
        elif beyond := [part for part, offset in committed.items() if self._folded.get(part, 0) > offset]:
            log.warning("the state is beyond what is committed, it goes back and folds again", topic=beyond[0].topic)
            await self._rebuild(committed)
        started_s = monotonic_s()
        if folded := await self._replay.catch_up(self._fold, self._folded, committed, self._folded.__setitem__):
            self._account("where it was", folded, started_s)
        self._unsettled.clear()
        return committed

    async def _rebuild(self, committed: Offsets) -> None:
        """Give a fresh core the newest snapshot that it can use, or else fold the topics into it."""
        started_s = monotonic_s()
        self.close()  # half a fold must not be taken for one
        core = self._make_core()
        if isinstance(core, Partitioned):
            core.know_partitions(self._partitions)
        source, folded = await self._resumed(core, committed), 0
        if source is None:
            source = "the topics"
            self._folded, folded = await self._replay.rebuild(partial(_fold, core))
            self._kept = None
        self._core = core
        gc.collect()
        gc.freeze()  # what is there by now stays: a full collection of it takes a quarter of a second
        self._account(source, folded, started_s)

    async def _fold(self, records: Sequence[Record]) -> None:
        await _fold(self._known_core, records)

    @property
    def _known_core(self) -> Core[Answer]:
        if self._core is None:
            raise RuntimeError("a batch came before the state was rebuilt: report it")
        return self._core

    async def prepare(self, records: Sequence[Record]) -> None:
        """Let the core fetch what a batch needs, which is handed in next."""
        await _prepare(self._known_core, records)

    def handle(self, records: Sequence[Record], batch: Batch) -> list[Answer]:
        """Answer a batch; where it returns, all of it is folded."""
        core = self._known_core
        self._unsettled.update(batch.end)  # before the core has them: half a batch must not be kept either
        started_cpu_s = cpu_s()
        answers = core.handle(records)
        self._metrics.core_cpu_s.inc(cpu_s() - started_cpu_s)
        self._folded |= batch.end
        return answers

    def settle(self, offsets: Offsets) -> None:
        """Note that these are committed."""
        self._unsettled.difference_update(offsets)

    def close(self) -> None:
        """Forget the core, and what it shows."""
        core: Core[Answer] | Closing | None = self._core
        if isinstance(core, Closing):
            core.close()
        self._core = None
        self._unsettled.clear()

    @property
    def is_kept(self) -> bool:
        """Whether there is a snapshot of the present core."""
        return self._kept is not None

    def expected_cpu_s(self) -> float:
        """Return about how many CPU seconds the next snapshot takes; 0 where nothing is known of that, or is new."""
        core: Core[Answer] | Resumable | None = self._core
        if self._kept is None or not isinstance(core, Resumable) or _offsets(self._kept.snapshot) == self._folded:
            return 0.0
        return self._kept.expected_cpu_s(core.parts())

    async def snapshot(self) -> Copy | None:
        """Copy what is to be kept now, which is written meanwhile; None while the core cannot, or nothing is new.

        Nothing may be handled before it returns. Others are let through: a copy of many sites takes a while. Where the
        state is not where its commits are, there is nothing to keep either.
        """
        owner, kept, folded = self._core, self._kept, dict(self._folded)
        core: Core[Answer] | Resumable | None = owner
        if owner is None or not isinstance(core, Resumable) or self._unsettled or not any(folded.values()):
            return None
        if kept is not None and _offsets(kept.snapshot) == folded:
            return None
        numbers = dict(core.parts())
        before, unchanged = (None, frozenset[str]()) if kept is None else (kept.snapshot, kept.holds(numbers))
        offsets = {(partition.topic, partition.partition): offset for partition, offset in folded.items()}
        feed = Feed()
        draft = Draft(offsets, {**self._identity, **core.identity()}, feed, before, unchanged)
        written = asyncio.ensure_future(run_in_thread(None, self._save, draft))

        def is_still_there() -> bool:
            return self._core is owner and not self._unsettled and self._folded == folded

        names = [name for name in numbers if name not in unchanged]
        copying_s = None
        try:
            copying_s = await _fed(feed, core, names, is_still_there)
        finally:
            if copying_s is None:
                feed.abandon()
                written.add_done_callback(_passed_over)
                written.cancel()
        if copying_s is None:
            return None
        feed.end()
        return Copy(owner, numbers, len(names), written, copying_s)

    async def keep(self, copy: Copy) -> float:
        """Wait until a snapshot is written; returns the CPU seconds that it took, with the copying.

        Where that fails the next one will do.
        """
        try:
            async with asyncio.timeout(self._patience.place_s):
                snapshot, size, spent_s = await copy.written
        except OSError as error:
            if isinstance(error, PartsLostError):
                self._kept = None
            self._metrics.snapshot_failures.inc()
            log.warning(
                "the snapshot was not written, the next start may have to rebuild the state: free or open the place",
                place=self._store.place,
                error=str(error),
            )
            return copy.cpu_s
        spent_s += copy.cpu_s
        if copy.core is self._core:  # else there is a new one meanwhile, of which nothing is kept
            self._kept = _Kept(snapshot, copy.numbers, spent_s / (FILE_BYTES + size))
        self._metrics.snapshot_bytes.set(size)
        self._metrics.snapshot_parts.set(copy.parts)
        self._metrics.snapshot_time_s.set(now().timestamp())
        log.debug("state kept", parts=copy.parts, bytes=size, cpu_ms=round(1000 * spent_s, 1))
        return spent_s

    def _save(self, draft: Draft) -> tuple[Snapshot, int, float]:
        started_s = cpu_s()
        snapshot, size = self._store.save(draft)
        return snapshot, size, cpu_s() - started_s

    async def _resumed(self, core: Core[Answer], committed: Offsets) -> str | None:
        """Give the core the newest snapshot that it can use; returns which, None where there is none."""
        if not isinstance(core, Resumable):
            return None
        identity = {**self._identity, **core.identity()}
        try:
            await run_in_thread(self._patience.place_s, self._store.tidy)
            names = await run_in_thread(self._patience.place_s, self._store.names)
        except OSError as error:
            log.warning("no snapshot can be read, rebuilding the state", place=self._store.place, error=str(error))
            return None
        for name in names:
            try:
                snapshot = await self._take(core, name, identity, committed)
            except SnapshotRefused as refusal:
                self._metrics.snapshots_refused.labels(refusal.reason).inc()
                instead = "rebuilding the state from the topics" if name == names[-1] else "taking the one before it"
                say = log.info if refusal.reason == "outdated" else log.warning  # nothing is wrong with it
                say("a snapshot is refused", file=f"{self._store.place}/{name}", why=str(refusal), so=instead)
            else:
                self._folded = _offsets(snapshot)
                self._kept = _Kept(snapshot, dict.fromkeys(snapshot.parts, 0))
                return f"the snapshot {name}"
        return None

    async def _take(self, core: Resumable, name: str, identity: Mapping[str, str], committed: Offsets) -> Snapshot:
        snapshot = await self._read(self._store.read, name)
        snapshot.check_identity(identity)
        for partition, offset in _offsets(snapshot).items():
            if offset > committed.get(partition, offset):
                raise SnapshotRefused(
                    "ahead",
                    f"it has folded {partition.topic}-{partition.partition} up to {offset}, "
                    f"committed is {committed.get(partition, 0)}",
                )
        parts = await self._read(self._store.parts, snapshot)
        try:
            await _resume(core, parts)
        except ValueError as error:
            reason: Reason = "outdated" if isinstance(error, OutdatedError) else "unfit"
            raise SnapshotRefused(reason, str(error)) from error
        return snapshot

    async def _read(self, read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await run_in_thread(self._patience.place_s, read, *args, **kwargs)
        except TimeoutError as error:
            raise SnapshotRefused("unreadable", f"it cannot be read ({error})") from error

    def _account(self, source: str, records: int, started_s: float) -> None:
        seconds = monotonic_s() - started_s
        self._metrics.restore_s.set(seconds)
        log.info("state restored", source=source, records=records, seconds=round(seconds, 2))


async def _prepare(core: Core[Any] | Preparing, records: Sequence[Record]) -> None:
    if isinstance(core, Preparing):
        await core.prepare(records)


async def _resume(core: Resumable | Gradual, parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
    if not isinstance(core, Gradual):
        core.resume(parts)
        return
    for _ in core.resuming(parts):
        await asyncio.sleep(0)  # heartbeats and health need a pause


async def _fold(core: Core[Any], records: Sequence[Record]) -> None:
    await _prepare(core, records)
    core.restore(records)


async def _fed(feed: Feed, core: Resumable, names: Iterable[str], is_still_there: Callable[[], bool]) -> float | None:
    """Copy these parts for who writes them, with a pause now and then; returns the CPU seconds that it took.

    None where the state has gone on in a pause.
    """
    spent_s, started_s = 0.0, cpu_s()
    for name in names:
        feed.put(name, packed(core.state(name)))
        if cpu_s() - started_s > PAUSE_S:
            spent_s += cpu_s() - started_s
            await asyncio.sleep(0)
            if not is_still_there():
                return None
            started_s = cpu_s()
    return spent_s + cpu_s() - started_s


def _passed_over(written: asyncio.Future[Any]) -> None:
    """Let nobody be told of what a snapshot that is not wanted any more has failed of."""
    if not written.cancelled():
        written.exception()


def _offsets(snapshot: Snapshot) -> Offsets:
    return {TopicPartition(topic, number): offset for (topic, number), offset in snapshot.offsets.items()}
