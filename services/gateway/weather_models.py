"""The champions among the weather models: which they are, and their trees, fetched when somebody asks for them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Protocol

import structlog

from shared.forecasting.weather_trees import WeatherTrees
from shared.runtime.clock import monotonic_s
from shared.runtime.registered import FILE, REFUSAL, WEATHER_DEMAND
from shared.runtime.registry import RegistryError
from shared.runtime.threads import begin_in_thread, run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from shared.runtime.concerns import ModelSettings
    from shared.runtime.registered import Question
    from shared.sites.site import Site

    Told = Callable[[str], Mapping[tuple[int, str], str]]

__all__ = ["Champion", "ChampionRegistry", "NoModelError", "WeatherModels", "heeded"]

KEPT = 64  # models in memory: each is about a megabyte
PATIENCE_S = 3.0
AGAIN_S = 10.0  # from a question that had no answer to the next
LIST_EVERY_S = 60.0

log = structlog.get_logger()


class NoModelError(Exception):
    """There is no model that could answer; the text says what to do."""


class ChampionRegistry(Protocol):
    """What is asked of the registry; it may take seconds."""

    def versions(self) -> Mapping[str, str]:
        """Return the version that is to run of each model by name; raises ``RegistryError``."""

    def files_of(self, labels: Iterable[str]) -> AbstractContextManager[Question]:
        """Fetch the files of versions; raises ``RegistryError``."""

    def stop(self) -> None:
        """Stop asking."""


@dataclass(frozen=True)
class Champion:
    """A model and its trees; ``doubt`` says why it is not the one that was promoted last, None where it is."""

    label: str
    trees: WeatherTrees
    doubt: str | None = None


def heeded(settings: ModelSettings, told: Told) -> Told:
    """Return what of promotions that are told is heeded: nothing where versions with certain tags are to run."""
    return (lambda _: {}) if settings.model_tags else told


class WeatherModels:
    """The weather models of all zones; its methods may be called from any thread.

    Parameters
    ----------
    registry
        Asked for files, and again and again for the champions of which no change was told.
    told
        Returns of a site which version of each of its models was promoted last, as far as that was told, by zone and
        name.
    list_every_s
        Between two questions for the champions.
    patience_s
        That a request waits for what has to be asked of the registry, which goes on all the same.
    """

    def __init__(
        self, registry: ChampionRegistry, told: Told, list_every_s: float = LIST_EVERY_S, patience_s: float = PATIENCE_S
    ) -> None:
        self._registry = registry
        self._told = told
        self._list_every_s = list_every_s
        self._patience_s = patience_s
        self._begun: dict[tuple[str, str | None], Future[Champion]] = {}
        self._asking = Lock()
        self._listed: Mapping[str, str] = {}
        self._listed_s = -AGAIN_S
        self._why: str | None = None
        self._held: OrderedDict[str, Champion] = OrderedDict()  # by rising time of use
        self._holding = Lock()
        self._failed: dict[str, tuple[float, str]] = {}

    async def run(self) -> None:
        """Ask for the champions, before anybody needs one, since that takes seconds; ends with the service."""
        try:
            while True:
                await run_in_thread(None, self._list_in_turn)
                await asyncio.sleep(self._list_every_s)
        finally:
            self._registry.stop()

    def _list_in_turn(self) -> None:
        with self._asking:
            self._list()

    def champion(self, site: Site, zone: int) -> Champion:
        """Return the champion of a zone; raises ``NoModelError`` where there is none, or none just now."""
        name = f"{WEATHER_DEMAND}-{site.name}-{zone}"
        label = self._label(name, self._told(site.name).get((zone, name)))
        held = self._used(name)
        if held is not None and held.label == label:
            return held
        try:
            return self._fetching(site, name, label).result(self._patience_s)
        except TimeoutError:
            if held is not None:
                return Champion(held.label, held.trees, f"a newer champion, {label}, is being fetched")
            raise NoModelError(f"{label or name} is being fetched: ask again in a few seconds") from None

    def _fetching(self, site: Site, name: str, label: str | None) -> Future[Champion]:
        """Return what will be the champion: all who ask for it meanwhile wait for the same."""
        with self._holding:
            if (name, label) not in self._begun:
                self._begun[name, label] = begin_in_thread(self._fetched_in_turn, site, name, label)
            return self._begun[name, label]

    def _fetched_in_turn(self, site: Site, name: str, label: str | None) -> Champion:
        try:
            with self._asking:
                return self._fetched(site, name, label)
        finally:
            with self._holding:
                del self._begun[name, label]

    def _label(self, name: str, told: str | None) -> str | None:
        version = told or self._listed.get(name)
        return None if version is None else f"{name}/{version}"

    def _fetched(self, site: Site, name: str, label: str | None) -> Champion:
        """Return the champion after asking for what is not known of it."""
        if label is None:
            if monotonic_s() - self._listed_s >= AGAIN_S:
                self._list()
            label = self._label(name, None)
        if label is None:
            raise NoModelError(self._why or f"no champion of {name} is registered: run `tetouan train`")
        held = self._used(name)
        if held is not None and held.label == label:  # whoever had the turn before has fetched it
            return held
        found = self._fetch(site, name, label)
        if isinstance(found, Champion):
            return found
        if held is not None:
            return Champion(held.label, held.trees, f"a newer champion cannot be used: {found}")
        raise NoModelError(found)

    def _list(self) -> None:
        try:
            self._listed, self._why = self._registry.versions(), None
        except RegistryError as error:
            if self._why != str(error):
                log.warning("the registry does not say which models are champions", why=str(error))
            self._why = str(error)
        self._listed_s = monotonic_s()

    def _used(self, name: str) -> Champion | None:
        """Return the model that is held, which is then the one used last."""
        with self._holding:
            if (held := self._held.get(name)) is not None:
                self._held.move_to_end(name)
        return held

    def _hold(self, name: str, champion: Champion) -> None:
        with self._holding:
            self._held[name] = champion
            self._held.move_to_end(name)
            while len(self._held) > KEPT:
                self._held.popitem(last=False)

    def _fetch(self, site: Site, name: str, label: str) -> Champion | str:
        """Fetch a version and hold it, or return why that cannot be, for a while without asking again."""
        failed_s, why = self._failed.get(label, (-AGAIN_S, ""))
        if monotonic_s() - failed_s < AGAIN_S:
            return why
        try:
            champion = Champion(label, self._read(site, label))
        except (OSError, ValueError, RegistryError) as error:
            self._failed[label] = monotonic_s(), str(error)
            log.warning("a weather model cannot be used", model=label, why=str(error))
            return str(error)
        self._failed.pop(label, None)
        self._hold(name, champion)
        log.info("answers with a weather model", model=label)
        return champion

    def _read(self, site: Site, label: str) -> WeatherTrees:
        with self._registry.files_of([label]) as question:
            folder = question.folder_of(label)
            if not folder.exists():
                raise ValueError(f"{label} is not registered: run `tetouan train`")
            if (refusal := folder / REFUSAL).exists():
                raise ValueError(refusal.read_text(encoding="utf-8"))
            trees = WeatherTrees.load(folder / FILE)
        if trees.step_minutes != site.step_minutes:
            steps = f"its step is {trees.step_minutes} minutes, that of the site {site.step_minutes}"
            raise ValueError(f"{label} cannot be used: {steps}: run `tetouan train`")
        return trees
