"""What becomes of raw records where nothing happens: the cores of the services in this process, one after the other.

No broker, no process, nothing that could end. What is published is that of each site run alone, so that whoever is
compared with it must not let a site depend on its neighbours either.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from harness.streaming import NAMES
from services.forecaster.app import build as forecaster
from services.forecaster.settings import ForecasterSettings
from services.ingestor.app import build as ingestor
from services.ingestor.settings import IngestorSettings
from services.monitor.app import build as monitor
from services.monitor.settings import MonitorSettings
from shared.contracts import topics
from shared.contracts.messages import ModelEvent
from shared.runtime.concerns import RegistrySettings
from shared.runtime.settings import PREFIX, Settings, load
from shared.runtime.state import Preparing, Resumable
from tests.integration.outcome import OUTPUTS, Share, fact, flat, joined

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.rows import RawRecord
    from shared.runtime.records import Outgoing
    from shared.runtime.service import Service
    from shared.runtime.state import Core
    from tests.integration.outcome import Kept, Outcome, Parts, States

    Arrays = dict[str, dict[str, NDArray[Any]]]  # of each service, by name

__all__ = ["Undisturbed"]

S = TypeVar("S", bound=Settings)


@dataclass
class _Record:
    """A record as the cores see it."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = -1


class Undisturbed:
    """Raw records, part by part, and what becomes of them.

    Parameters
    ----------
    models_dir
        The state folder whose registry holds the champions.
    parts
        The records in the order in which they are sent.
    settings
        Of the services, beside those of the broker.
    in_force
        The values of the model events that say from which origin on which models answer; without any of a site it runs
        what it begins with.
    """

    def __init__(
        self,
        models_dir: Path,
        parts: Sequence[Sequence[RawRecord]],
        settings: Mapping[str, str] | None = None,
        in_force: Sequence[bytes] = (),
    ) -> None:
        given = {name.removeprefix(PREFIX).lower(): value for name, value in (settings or {}).items()}
        registry_uri = load(RegistrySettings, state_dir=models_dir).registry_uri
        own = {"mlflow_uri": registry_uri, "state_dir": models_dir, "report_every_hours": 0, **given}
        self._services: dict[str, Service] = {
            "ingestor": ingestor(_settings(IngestorSettings, own)),
            "forecaster": forecaster(_settings(ForecasterSettings, own)),
            "monitor": monitor(_settings(MonitorSettings, own)),
        }
        self._in_force = [ModelEvent.from_bytes(value) for value in in_force]
        ends: Counter[int] = Counter()
        self._raw = [_sent(rows, ends) for rows in parts]
        self._places = {row.site: row.partition for rows in parts for row in rows}
        self._states: dict[frozenset[str], Arrays] = {}

    @cached_property
    def parts(self) -> list[Outcome]:
        """What is published in each part, each site run alone."""
        runs = []
        for site in self._places:
            run, self._states[frozenset({site})] = self._run({site})
            runs.append(run)
        return [joined(run[n] for run in runs) for n in range(len(self._raw))]

    @property
    def whole(self) -> Outcome:
        """All that is published, each site run alone."""
        return joined(self.parts)

    def of(self, *sites: str) -> Outcome:
        """Return all that is published for these sites, run together with nothing beside them."""
        return joined(self._run(sites)[0])

    def states(self, shares: Collection[Share]) -> States:
        """Return the arrays that these shares of the services must have in the end.

        Where there are rows on partitions that no share of a service has, there is one more, of those.
        """
        wanted = set(shares)
        for name in NAMES:
            had = {part for share in shares if share.service == name for part in share.partitions}
            if missing := set(self._places.values()) - had:
                wanted.add(Share(name, tuple(sorted(missing))))
        return {share: self._arrays(share.partitions)[share.service] for share in wanted}

    def resumed(self, kept: Kept) -> States:
        """Return the arrays of cores that go on from what was kept."""
        return {share: self._resumed(share.service, parts) for share, parts in kept.items()}

    def _resumed(self, service: str, parts: Parts) -> dict[str, NDArray[Any]]:
        core = _resumable(self._services[service].make_core())
        core.resume(parts)
        return _arrays_of(core)

    def _arrays(self, partitions: Collection[int]) -> Arrays:
        """Return the arrays of the cores that have seen what is on some partitions."""
        sites = frozenset(site for site, partition in self._places.items() if partition in partitions)
        if sites not in self._states:
            self._states[sites] = self._run(sites)[1]
        return self._states[sites]

    def _run(self, sites: Collection[str]) -> tuple[list[Outcome], Arrays]:
        """Return what cores of their own publish for these sites, part by part, and their arrays in the end."""
        cores = {name: service.make_core() for name, service in self._services.items()}
        events = [event for event in self._in_force if event.site in sites]
        cores["forecaster"].restore(
            [_Record(topics.MODELS.name, 0, n, None, event.to_bytes()) for n, event in enumerate(events)]
        )
        keys = {site.encode() for site in sites}
        parts = [_part(cores, [record for record in raw if record.key in keys]) for raw in self._raw]
        return parts, {name: _arrays_of(_resumable(core)) for name, core in cores.items()}


def _resumable(core: Core) -> Resumable:
    resumable: Core | Resumable = core
    if not isinstance(resumable, Resumable):
        raise TypeError("a core cannot tell its state")
    return resumable


def _arrays_of(core: Resumable) -> dict[str, NDArray[Any]]:
    return flat({part: core.state(part) for part in core.parts()})


def _settings(kind: type[S], given: Mapping[str, object]) -> S:
    """Return the settings of a service: those of all that are given which it reads."""
    return load(kind, **{name: value for name, value in given.items() if name in kind.model_fields})


def _sent(rows: Sequence[RawRecord], ends: Counter[int]) -> list[_Record]:
    """Return the records as the topic holds them; ``ends`` is where each partition ends, before and after."""
    records = []
    for row in rows:
        records.append(_Record(topics.RAW.name, row.partition, ends[row.partition], row.site.encode(), row.value))
        ends[row.partition] += 1
    return records


def _part(cores: Mapping[str, Core], raw: Sequence[_Record]) -> Outcome:
    """Return what the cores publish for raw records."""
    judged = _answers(cores["ingestor"], raw)
    clean = [record for record in judged if record.topic == topics.CLEAN.name]
    issued = _answers(cores["forecaster"], clean)
    forecasts = [record for record in issued if record.topic == topics.FORECASTS.name]
    said = judged + issued + _answers(cores["monitor"], clean + forecasts)
    return {
        topic.name: [fact(r.topic, r.key, r.value or b"", r.headers) for r in said if r.topic == topic.name]
        for topic in OUTPUTS
    }


def _answers(core: Core, records: Sequence[_Record]) -> list[_Record]:
    answers: Core | Preparing = core
    if isinstance(answers, Preparing):
        asyncio.run(answers.prepare(records))
    return [_published(place, out) for place, out in enumerate(core.handle(records))]


def _published(offset: int, out: Outgoing) -> _Record:
    return _Record(out.topic, 0, offset, out.key, out.value, out.headers)
