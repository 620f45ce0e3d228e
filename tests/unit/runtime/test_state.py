"""The state of a task: it is where its commits are, wherever it comes from."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from aiokafka import TopicPartition

from shared.runtime.metrics import PipelineMetrics, new_registry
from shared.runtime.patience import Patience
from shared.runtime.publishing import Batch
from shared.runtime.snapshots import Snapshots
from shared.runtime.state import TaskState
from tests.unit.consumed import Consumed
from tests.unit.runtime.local import burn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from prometheus_client import CollectorRegistry

    from shared.runtime.records import Outgoing, Record
    from shared.runtime.restoring import Fold, Offsets, TopicReplay

ZERO = TopicPartition("in", 0)


@dataclass
class Core:
    """Remembers what it has folded."""

    model: str = "one"
    folded: list[int] = field(default_factory=list)
    resumed: dict[str, int] = field(default_factory=dict)

    def restore(self, records: Sequence[Record]) -> None:
        """Remember."""
        self.folded += [record.offset for record in records]

    def handle(self, records: Sequence[Record]) -> list[Outgoing]:
        """Remember."""
        self.restore(records)
        return []

    def identity(self) -> dict[str, str]:
        """Return the model."""
        return {"model": self.model}

    def parts(self) -> dict[str, int]:
        """Return a part for even offsets, one for odd ones, and how many each has folded since it was resumed."""
        return {name: len(self.folded_of(name)) - self.resumed.get(name, 0) for name in ("even", "odd")}

    def folded_of(self, part: str) -> list[int]:
        """Return what is remembered in a part."""
        return [offset for offset in self.folded if offset % 2 == (part == "odd")]

    def state(self, part: str) -> dict[str, NDArray[Any]]:
        """Return what is remembered."""
        return {"folded": np.array(self.folded_of(part), np.int64), "ballast": np.zeros(1000)}

    def resume(self, parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> None:
        """Remember what is remembered."""
        folded = sorted(offset for state in parts.values() for offset in state["folded"].tolist())
        if len(folded) == 13:
            raise ValueError("folded: thirteen are too many")
        self.folded = folded
        self.resumed = {name: len(self.folded_of(name)) for name in parts}


@dataclass
class Topic:
    """One partition, of which so much is committed."""

    committed_to: int
    consumed = (ZERO,)

    async def committed(self) -> Offsets:
        """Return what the group has committed."""
        return {ZERO: self.committed_to}

    async def rebuild(self, fold: Fold) -> tuple[Offsets, int]:
        """Fold all of it."""
        await fold([Consumed(offset=offset) for offset in range(self.committed_to)])
        return {ZERO: self.committed_to}, self.committed_to

    async def catch_up(
        self, fold: Fold, start: Offsets, end: Offsets, note: Callable[[TopicPartition, int], None]
    ) -> int:
        """Fold a part of it."""
        for offset in range(start.get(ZERO, 0), end[ZERO]):
            await fold([Consumed(offset=offset)])
            note(ZERO, offset + 1)
        return max(0, end[ZERO] - start.get(ZERO, 0))


class Setting:
    """A service on a topic, with snapshots in a folder; it can be started again and again."""

    def __init__(self, folder: Path, committed: int) -> None:
        self.topic = Topic(committed)
        self.model = "one"
        self.make: Callable[[], Core] = lambda: Core(self.model)
        self.cores: list[Core] = []
        self.store = Snapshots(str(folder), "group")
        self.registry: CollectorRegistry = new_registry()

    def started(self, patience: Patience | None = None) -> TaskState:
        """Return a state as a process begins with it."""

        def make_core() -> Core:
            self.cores.append(self.make())
            return self.cores[-1]

        self.registry = new_registry()
        return TaskState(
            make_core,
            cast("TopicReplay", self.topic),
            self.store,
            identity={},
            partitions={"in": 1},
            metrics=PipelineMetrics(self.registry),
            patience=patience or Patience(),
        )

    @property
    def folded(self) -> list[int]:
        """What the newest core holds."""
        return self.cores[-1].folded

    def refused(self, reason: str) -> float | None:
        """Return how many snapshots were refused."""
        return self.registry.get_sample_value("tetouan_snapshots_refused_total", {"reason": reason})


async def handled(state: TaskState, *offsets: int) -> Offsets:
    """Answer records; returns what is to be committed with the answers."""
    records = [Consumed(offset=offset) for offset in offsets]
    batch = Batch.of(records)
    await state.prepare(records)
    state.handle(records, batch)
    return batch.end


async def committed(state: TaskState, topic: Topic, *offsets: int) -> None:
    """Answer records and commit them."""
    ends = await handled(state, *offsets)
    topic.committed_to = offsets[-1] + 1
    state.settle(ends)


async def kept(state: TaskState) -> None:
    """Keep the state."""
    copy = await state.snapshot()
    assert copy is not None
    await state.keep(copy)


@pytest.fixture
def setting(tmp_path: Path) -> Setting:
    """A topic of which five records are committed."""
    return Setting(tmp_path, 5)


def test_without_a_snapshot_the_topics_are_folded(setting: Setting) -> None:
    """All that is committed, each record once."""

    async def run() -> None:
        state = setting.started()
        await state.restore()
        assert await state.restore() == {ZERO: 5}

    asyncio.run(run())
    assert setting.folded == [0, 1, 2, 3, 4]


def test_a_snapshot_is_taken_up_and_what_follows_is_folded(setting: Setting) -> None:
    """A process that dies after its last snapshot: the next one ends where it was."""

    async def run() -> None:
        state = setting.started()
        await state.restore()
        await kept(state)
        await committed(state, setting.topic, 5, 6)
        assert await setting.started().restore() == {ZERO: 7}

    asyncio.run(run())
    assert setting.folded == [0, 1, 2, 3, 4, 5, 6]


def test_a_replica_catches_up_with_what_another_has_answered(setting: Setting) -> None:
    """It goes on where it stopped folding, in the same core."""

    async def run() -> None:
        state = setting.started()
        await state.restore()
        setting.topic.committed_to = 8
        assert await state.restore() == {ZERO: 8}

    asyncio.run(run())
    assert len(setting.cores) == 1
    assert setting.folded == list(range(8))


def test_who_is_beyond_the_commits_goes_back(setting: Setting) -> None:
    """A batch that was folded and never committed is not in the state when it comes again."""

    async def run() -> None:
        state = setting.started()
        await state.restore()
        await handled(state, 5, 6)
        assert await state.restore() == {ZERO: 5}

    asyncio.run(run())
    assert len(setting.cores) == 2
    assert setting.folded == [0, 1, 2, 3, 4]


def test_nothing_is_kept_that_is_not_committed(setting: Setting) -> None:
    """Between a batch and its commit there is nothing to keep, nor where nothing has changed."""

    async def run() -> None:
        state = setting.started()
        await state.restore()
        await kept(state)
        assert await state.snapshot() is None
        ends = await handled(state, 5)
        assert await state.snapshot() is None
        state.settle(ends)
        copy = await state.snapshot()
        assert copy is not None
        snapshot, _, _ = await copy.written
        assert snapshot.offsets == {("in", 0): 6}

    asyncio.run(run())


def test_half_a_batch_is_never_kept(setting: Setting) -> None:
    """A core that fails in the middle of a batch is not where its commits are: the last snapshot stays."""

    class Failing(Core):
        def handle(self, records: Sequence[Record]) -> list[Outgoing]:
            self.restore(records)
            raise ZeroDivisionError

    async def run() -> None:
        setting.make = Failing
        state = setting.started()
        await state.restore()
        await kept(state)
        with pytest.raises(ZeroDivisionError):
            await handled(state, 5)
        assert await state.snapshot() is None

    asyncio.run(run())


def test_of_two_snapshots_the_one_that_is_torn_is_passed_over(setting: Setting, tmp_path: Path) -> None:
    """The one before it is taken, and what follows is folded."""

    async def run() -> None:
        state = setting.started()
        await state.restore()
        await kept(state)
        await committed(state, setting.topic, 5, 6)
        await kept(state)
        newest = tmp_path / "group" / setting.store.names()[0]
        newest.write_bytes(newest.read_bytes()[:-9])
        await setting.started().restore()

    asyncio.run(run())
    assert setting.folded == [0, 1, 2, 3, 4, 5, 6]
    assert setting.refused("torn") == 1


def written(setting: Setting) -> float | None:
    """Return how many parts the last snapshot has written."""
    return setting.registry.get_sample_value("tetouan_snapshot_parts")


def test_the_parts_that_have_changed_alone_are_kept(setting: Setting) -> None:
    """Since the last snapshot of this process, or since the one with which it has begun; the state is whole."""

    async def run() -> None:
        state = setting.started()
        await state.restore()
        parts = []
        for offsets in ((5,), (7,), (8,)):
            await committed(state, setting.topic, *offsets)
            await kept(state)
            parts.append(written(setting))
        assert parts == [2, 1, 1]
        again = setting.started()
        await again.restore()
        await committed(again, setting.topic, 9)
        await kept(again)
        assert written(setting) == 1
        await setting.started().restore()

    asyncio.run(run())
    assert setting.folded == [0, 1, 2, 3, 4, 5, 7, 8, 9]


def test_what_a_snapshot_takes_is_expected_from_the_one_before(setting: Setting) -> None:
    """Nothing while there is none, or nothing is new; then what changes tells how much, by what a byte took."""

    async def run() -> None:
        state = setting.started()
        await state.restore()
        assert (state.is_kept, state.expected_cpu_s()) == (False, 0.0)
        await kept(state)
        assert state.is_kept
        assert state.expected_cpu_s() == 0.0
        await committed(state, setting.topic, 5)
        odd_s = state.expected_cpu_s()
        await committed(state, setting.topic, 6)
        assert 0.0 < odd_s < state.expected_cpu_s() < 2 * odd_s

    asyncio.run(run())


def test_a_part_that_is_not_what_was_handed_in_is_written_again(setting: Setting) -> None:
    """Such as what a core knows of the sites that its table has lost."""

    class Marking(Core):
        def parts(self) -> dict[str, int]:
            return {name: number + (name == "odd") for name, number in super().parts().items()}

    async def run() -> None:
        state = setting.started()
        await state.restore()
        await kept(state)
        setting.make = Marking
        again = setting.started()
        await again.restore()
        await committed(again, setting.topic, 6)
        await kept(again)

    asyncio.run(run())
    assert written(setting) == 2


def test_what_another_process_has_removed_is_written_again(setting: Setting, tmp_path: Path) -> None:
    """The snapshot that would need it fails and is counted, the next one is whole."""

    async def run() -> None:
        state = setting.started()
        await state.restore()
        await kept(state)
        for file in (tmp_path / "group").iterdir():
            file.unlink()
        await committed(state, setting.topic, 6)
        await kept(state)
        assert setting.registry.get_sample_value("tetouan_snapshot_failures_total") == 1
        await kept(state)
        assert written(setting) == 2

    asyncio.run(run())


def test_while_a_core_takes_up_what_was_kept_others_are_let_through(setting: Setting) -> None:
    """Heartbeats go on between the parts of one that takes a while, and the state is whole afterwards."""
    beats: list[int] = []

    class Slow(Core):
        def resuming(self, parts: Mapping[str, Mapping[str, NDArray[Any]]]) -> Iterator[None]:
            for _ in parts:
                beats.append(0)
                yield
            self.resume(parts)

    async def run() -> None:
        state = setting.started()
        await state.restore()
        await kept(state)
        setting.make = Slow
        loop = asyncio.get_running_loop()

        def beat() -> None:
            if beats:
                beats[-1] += 1
            if not restoring.done():
                loop.call_soon(beat)

        restoring = asyncio.create_task(setting.started().restore())
        loop.call_soon(beat)
        await restoring

    asyncio.run(run())
    assert len(beats) == 2
    assert min(beats) > 0
    assert setting.folded == [0, 1, 2, 3, 4]


def test_while_parts_are_copied_others_are_let_through(setting: Setting) -> None:
    """A copy that the state goes on beneath is of two moments, and is not kept."""

    class Large(Core):
        def state(self, part: str) -> dict[str, NDArray[Any]]:
            burn()
            return super().state(part)

    async def run() -> None:
        setting.make = Large
        state = setting.started()
        await state.restore()
        copying = asyncio.create_task(state.snapshot())
        await asyncio.sleep(0)
        ends = await handled(state, 5)
        state.settle(ends)
        assert await copying is None
        closing = asyncio.create_task(state.snapshot())
        await asyncio.sleep(0)
        state.close()
        assert await closing is None

    asyncio.run(run())


@pytest.mark.parametrize("reason", ["foreign", "ahead", "unfit"])
def test_a_snapshot_that_is_not_ours_is_refused_and_the_topics_are_folded(reason: str, setting: Setting) -> None:
    """Of another model, beyond what is committed, or not what the core takes: counted, and done without."""

    async def run() -> None:
        if reason == "unfit":
            setting.topic.committed_to = 13
        state = setting.started()
        await state.restore()
        await kept(state)
        if reason == "foreign":
            setting.model = "two"
        if reason == "ahead":
            setting.topic.committed_to = 3
        await setting.started().restore()

    asyncio.run(run())
    assert setting.refused(reason) == 1
    assert setting.folded == list(range(setting.topic.committed_to))


def test_a_place_that_cannot_be_written_costs_the_snapshot_alone(setting: Setting, tmp_path: Path) -> None:
    """It is counted, and tried again with the next one."""

    async def run() -> None:
        state = setting.started()
        await state.restore()
        (tmp_path / "group").write_bytes(b"in the way")
        await kept(state)
        assert await state.snapshot() is not None

    asyncio.run(run())
    assert setting.registry.get_sample_value("tetouan_snapshot_failures_total") == 1


@pytest.mark.parametrize("silent", ["names", "read"])
def test_a_place_that_is_silent_holds_up_no_start(
    silent: str, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it holds is done without, and the topics are folded."""
    answer = threading.Event()

    async def run() -> None:
        state = setting.started()
        await state.restore()
        await kept(state)
        monkeypatch.setattr(setting.store, silent, lambda *_: answer.wait(30))
        await setting.started(Patience(place_s=0.05)).restore()
        answer.set()

    asyncio.run(run())
    assert setting.folded == [0, 1, 2, 3, 4]
    assert setting.refused("unreadable") == (1 if silent == "read" else None)


def test_a_place_that_is_silent_costs_the_snapshot_alone(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted like one that cannot be written."""
    answer = threading.Event()

    async def run() -> None:
        state = setting.started(Patience(place_s=0.05))
        await state.restore()
        monkeypatch.setattr(setting.store, "save", lambda *_: answer.wait(30))
        await kept(state)
        answer.set()
        assert await state.snapshot() is not None

    asyncio.run(run())
    assert setting.registry.get_sample_value("tetouan_snapshot_failures_total") == 1


@dataclass
class Fetcher(Core):
    """Begins with a model from elsewhere."""

    fetched: int = 0

    async def prepare(self, _: Sequence[Record]) -> None:
        """Take it, before the first record."""
        self.fetched += not self.fetched


def test_who_has_kept_its_state_fetches_nothing(setting: Setting) -> None:
    """The models are fetched where no snapshot holds them, and else not asked for."""
    setting.make = Fetcher

    async def run() -> None:
        state = setting.started()
        await state.restore()
        await kept(state)
        await setting.started().restore()

    asyncio.run(run())
    assert [core.fetched for core in setting.cores if isinstance(core, Fetcher)] == [1, 0]
