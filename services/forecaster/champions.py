"""The champions of a forecaster: waited for where it has nothing else, asked for later where it has kept its state."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import structlog
import tenacity

from services.forecaster.issuing import ZoneModels
from services.forecaster.registered import DEMAND, FILE, NAMES, REFUSED, WEATHER, Question, none_of
from services.forecaster.state import digest_of
from shared.contracts.messages import ModelNames
from shared.forecasting.model import ZoneDemand
from shared.forecasting.weather import WeatherDemand
from shared.runtime.registry import RegistryError, nobody_has_made
from shared.runtime.settings import Refused
from shared.runtime.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from prometheus_client import Gauge

    from services.forecaster.settings import ForecasterSettings
    from shared.runtime.health import Health

__all__ = ["Champions", "answered", "names_of", "registered", "zones_in"]

READY_S = 0.5  # between two looks at whether the service is ready
ANSWER_S = 120.0  # MLflow itself gives up after some twenty seconds, for each thing that it asks
SHORT_PAUSE_S, LONGEST_PAUSE_S = 10.0, 60.0  # at most, between two questions: each takes five seconds of a processor
TOO_OLD = "the champions that are registered end too long before the readings: run `tetouan train` on newer data"

log = structlog.get_logger()


class Champions:
    """What the registry says of the zones of the settings.

    A forecaster that has kept its state needs nothing of the registry to go on, and must not wait for it: then the
    registry is asked beside the running service, and whoever runs other models hears of it by :meth:`supersede`.

    Parameters
    ----------
    settings
        Of the forecaster.
    health
        Is told what is waited for.
    confirmed
        Becomes 1 when the registry has said what is to run.
    """

    def __init__(self, settings: ForecasterSettings, health: Health, confirmed: Gauge) -> None:
        self._settings = settings
        self._health = health
        self._confirmed = confirmed
        self._registered: tuple[ZoneModels, ...] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._running: tuple[ZoneModels, ...] = ()  # or what ran last
        self._logged = ""

    def run(self, zones: tuple[ZoneModels, ...]) -> None:
        """Note what the service runs now."""
        self._running = zones
        if self._registered is None:
            self._health.notes["champions"] = "the registry has not said yet which are to run"

    def supersede(self, zones: tuple[ZoneModels, ...]) -> bool:
        """Tell whether the registry has said that other models than these are to run."""
        registered = self._registered
        return registered is not None and [zone.origin for zone in zones] != [zone.origin for zone in registered]

    async def fetch(self) -> tuple[ZoneModels, ...]:
        """Return the models as they were registered, waited for; without any where they are not in time.

        Who has run models of its own never goes on without; who runs without does not wait.

        Raises ``RegistryError`` where versions with certain tags are wanted and not there in time, ``Refused`` where
        files cannot be used.
        """
        self._health.waiting_for["models"] = "the registry is being asked for the models"
        log.info("asking the registry for the models")
        try:
            await self._ask_in_time()
        except RegistryError as error:
            if self._settings.model_tags:
                raise
            log.warning("starting without champions", why=str(error))
            self._logged = str(error)
        finally:
            self._health.waiting_for.pop("models", None)
        if self._registered is None:
            return tuple(ZoneModels.begun_cold(self._settings.place, zone) for zone in self._settings.zones)
        return deepcopy(self._registered)  # who began with them may have to begin again

    async def _ask_in_time(self) -> None:
        def say(why: str) -> None:
            self._health.waiting_for["models"] = why
            self._log_change("waiting for the models", why)

        waits_s = 0.0 if self._running else self._settings.models_wait_s
        warm = self._running and not any(zone.cold for zone in self._running)
        stop = tenacity.stop_never if warm else tenacity.stop_after_delay(waits_s)
        await self._ask(_asking(RegistryError, say, SHORT_PAUSE_S).copy(stop=stop))

    async def confirm(self) -> None:
        """Once the service is ready, ask until the registry has said what is to run."""

        def say(why: str) -> None:
            self._health.notes["champions"] = why
            self._log_change("the registry has not said which models are to run, asking again until it has", why)

        while not self._health.ready()[0]:  # noqa: ASYNC110 - no one event makes a service ready
            await asyncio.sleep(READY_S)
        if self._registered is None:
            await self._ask(_asking(Refused, say, LONGEST_PAUSE_S))
            self._health.notes.pop("champions", None)

    def _log_change(self, event: str, why: str) -> None:
        """Log why there is no answer where that is news; it is asked for every minute."""
        if why != self._logged:
            self._logged = why
            log.info(event, why=why)

    async def _ask(self, asking: tenacity.AsyncRetrying) -> None:
        found: tuple[ZoneModels, ...] = await asking(self._said)
        self._registered, self._logged = found, ""
        self._confirmed.set(1)
        log.info("the registry has said which models are to run", models=names_of(found))

    async def _said(self) -> tuple[ZoneModels, ...]:
        """Return what the registry says, or has said; raises ``RegistryError`` where the service is better without."""
        async with self._one_at_a_time:
            if self._registered is not None:
                return self._registered
            found = await registered(self._settings)
        if any(self._too_old(*pair) for pair in zip(self._running, found, strict=False)):  # nothing runs at first
            raise RegistryError(TOO_OLD)
        return found

    def _too_old(self, running: ZoneModels, found: ZoneModels) -> bool:
        """Tell whether champions could not go on with what a cold start has seen, so that it is the better one."""
        if not running.cold or running.began is None or found.as_of is None:
            return False
        return running.began - found.as_of > timedelta(days=self._settings.max_gap_days)


def _asking(kind: type[Refused], say: Callable[[str], None], longest_pause_s: float) -> tenacity.AsyncRetrying:
    def before_sleep(state: tenacity.RetryCallState) -> None:
        say(str(state.outcome.exception()) if state.outcome else "")

    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(kind),
        wait=tenacity.wait_exponential(multiplier=0.5, max=longest_pause_s),
        before_sleep=before_sleep,
        reraise=True,
    )


async def registered(settings: ForecasterSettings) -> tuple[ZoneModels, ...]:
    """Return the models of the configured zones: the champions, or the newest with the tags of the settings.

    Raises ``RegistryError`` where a demand model is not registered or the registry cannot be used, ``Refused`` where
    the files of one cannot be.
    """
    try:
        with TemporaryDirectory(prefix="tetouan-models-") as folder:
            question = Question(
                registry_uri=settings.registry_uri,
                artifact_root=settings.artifact_root,
                tags=dict(tag.split("=", 1) for tag in settings.model_tags),
                site=settings.place.name,
                zones=settings.zones,
                weather=settings.place.weather,
                folder=Path(folder),
            )
            if nobody_has_made(question.registry_uri):
                raise none_of(question, f"{DEMAND}-{question.site}-{question.zones[0]}")
            await answered(question)
            return await run_in_thread(ANSWER_S, zones_in, question)
    except OSError as error:  # no room, no process more: nothing that those who run would have to end for
        raise RegistryError(f"the registry cannot be asked ({error}): see to the machine's memory and disks") from error


async def answered(question: Question) -> None:
    """Have the question answered by a process of its own, which ends with this call; raises ``RegistryError``."""
    command = [sys.executable, "-m", "services.forecaster.registered"]
    text, errors = question.folder / "question.json", question.folder / "errors.txt"
    text.write_text(question.model_dump_json(), encoding="utf-8")
    with text.open("rb") as asked, errors.open("wb") as said:
        process = subprocess.Popen(  # noqa: ASYNC220 - a millisecond; asyncio would fork, which copies our page tables
            command, stdin=asked, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True
        )
    try:
        await run_in_thread(ANSWER_S, process.wait)
    except TimeoutError:
        raise RegistryError(f"the registry did not answer within {ANSWER_S:.0f} s: see that its server runs") from None
    finally:
        process.kill()
        process.wait()
    last = errors.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
    if process.returncode == REFUSED:
        raise RegistryError(last)
    if process.returncode:  # of an error that nobody foresaw only the kind: what it says may hold a password
        raise RegistryError(f"asking the registry has failed ({last.partition(':')[0]}): see whether its server is one")


def zones_in(question: Question) -> tuple[ZoneModels, ...]:
    """Return the models in the folder of a question that was answered; ``Refused`` where their files cannot be used."""
    return tuple(_zone_in(question.folder / str(zone), zone, question.weather) for zone in question.zones)


def _zone_in(folder: Path, zone: int, published: Sequence[str]) -> ZoneModels:
    """Return the models in a folder; a weather model only where its fields are published."""
    names = ModelNames.model_validate_json((folder / NAMES).read_bytes())
    try:
        demand = ZoneDemand.load(folder / DEMAND / FILE)
        weather = WeatherDemand.load(folder / WEATHER / FILE) if names.weather else None
    except (OSError, ValueError) as error:
        files = " or ".join(label for label in (names.demand, names.weather) if label)
        raise Refused(f"the files of {files} cannot be used: {error}") from error
    if weather and (lacking := sorted(set(weather.fields) - set(published))):
        why = f"it needs {', '.join(lacking)}, which the site does not publish: run `tetouan train`"
        log.warning("going on without the weather model", model=names.weather, why=why)
        weather, names = None, names.model_copy(update={"weather": None})
    models = ZoneModels(zone=zone, demand=demand, weather=weather, names=names)
    return replace(models, digest=digest_of(models))


def names_of(zones: Iterable[ZoneModels]) -> str:
    """Return which models these are, for people."""
    return ", ".join(
        f"no models for zone {zone.zone}"
        if zone.cold
        else f"{zone.names.demand} with {zone.names.weather or 'no weather model'}"
        for zone in zones
    )
