"""What the registry answers of some sites: one question for all of them, put by a process of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import structlog

from services.forecaster.issuing import ZoneModels
from services.forecaster.registered import DEMAND, FILE, NAMES, REFUSAL, REFUSED, WEATHER, Pair, Question, Wanted
from services.forecaster.state import digest_of
from shared.contracts.messages import ModelNames
from shared.forecasting.model import ZoneDemand
from shared.forecasting.weather import WeatherDemand
from shared.runtime.registry import RegistryError, nobody_has_made
from shared.runtime.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from services.forecaster.settings import ForecasterSettings
    from shared.sites.site import Site

__all__ = ["Answer", "answered", "models_in", "registered"]

ANSWER_S = 120.0  # MLflow itself gives up after some twenty seconds, for each thing that it asks

log = structlog.get_logger()

Zones = tuple[ZoneModels, ...]


@dataclass(frozen=True)
class Answer:
    """What the registry has said of some sites, and of some pairs of models.

    Attributes
    ----------
    found
        The models of each site of which any zone has one.
    refused
        Of each site whose models cannot be used, why.
    missing
        Of each site of which a zone has none, what the registry lacks.
    pairs
        Of each pair the models, or why they cannot be used.
    """

    found: Mapping[str, Zones] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    pairs: Mapping[Pair, ZoneModels | str] = field(default_factory=dict)


async def registered(
    settings: ForecasterSettings,
    sites: Iterable[Site],
    versions: Mapping[str, Mapping[str, str]] | None = None,
    pairs: Mapping[Pair, Site] | None = None,
) -> Answer:
    """Return what the registry has for some sites: the champions, or the newest with the tags of the settings.

    ``versions`` are wanted of some sites in their place, by the names of the models. ``pairs`` are asked for as they
    are.

    Raises ``RegistryError`` where the registry cannot be used.
    """
    places, wanted, asked = {site.name: site for site in sites}, versions or {}, pairs or {}
    try:
        with TemporaryDirectory(prefix="tetouan-models-") as folder:
            question = Question(
                registry_uri=settings.registry_uri,
                artifact_root=settings.artifact_root,
                tags=dict(tag.split("=", 1) for tag in settings.model_tags),
                sites={
                    name: Wanted(zones=site.zones, weather=site.weather, versions=dict(wanted.get(name, {})))
                    for name, site in places.items()
                },
                folder=Path(folder),
                pairs=tuple(asked),
            )
            if not nobody_has_made(question.registry_uri):
                await answered(question)
            return await run_in_thread(ANSWER_S, models_in, question, places | {p.site: s for p, s in asked.items()})
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


def models_in(question: Question, sites: Mapping[str, Site]) -> Answer:
    """Return what stands in the folder of a question that was answered."""
    found: dict[str, Zones] = {}
    refused: dict[str, str] = {}
    missing: dict[str, str] = {}
    for name, wanted in question.sites.items():
        models = {zone: _read(question.folder_of(name, zone), zone, sites[name]) for zone in wanted.zones}
        if usable := tuple(each for each in models.values() if isinstance(each, ZoneModels)):
            found[name] = usable
        if reasons := [each for each in models.values() if isinstance(each, str)]:
            refused[name] = reasons[0]
        elif lacking := [zone for zone, each in models.items() if each is None]:
            missing[name] = question.none_of(name, lacking[0])
    pairs = {
        pair: _read(question.folder_of_pair(number), pair.zone, sites[pair.site]) or "it is not in the registry"
        for number, pair in enumerate(question.pairs)
    }
    return Answer(found, refused, missing, pairs)


def _read(folder: Path, zone: int, site: Site) -> ZoneModels | str | None:
    """Return the models in a folder, why they cannot be used, or None where there are none."""
    if not folder.exists():
        return None
    try:
        if (folder / REFUSAL).exists():
            return (folder / REFUSAL).read_text(encoding="utf-8")
        return _zone_in(folder, zone, site)
    except ValueError as error:
        return str(error)


def _zone_in(folder: Path, zone: int, site: Site) -> ZoneModels:
    """Return the models in a folder, a weather model only where its fields are published.

    Raises ``ValueError`` where they cannot be used.
    """
    names = ModelNames.model_validate_json((folder / NAMES).read_bytes())
    try:
        demand = ZoneDemand.load(folder / DEMAND / FILE)
        weather = WeatherDemand.load(folder / WEATHER / FILE) if names.weather else None
    except (OSError, ValueError) as error:
        files = " or ".join(label for label in (names.demand, names.weather) if label)
        raise ValueError(f"the files of {files} cannot be used: {error}") from error
    for label, model in ((names.demand, demand), (names.weather, weather)):
        if model is not None and model.step_minutes != site.step_minutes:
            why = f"its step is {model.step_minutes} minutes, that of the site {site.step_minutes}"
            raise ValueError(f"{label} cannot be used: {why}: run `tetouan train`")
    if weather and (lacking := sorted(set(weather.fields) - set(site.weather))):
        why = f"it needs {', '.join(lacking)}, which the site does not publish: run `tetouan train`"
        log.warning("going on without the weather model", model=names.weather, why=why)
        weather, names = None, names.model_copy(update={"weather": None})
    models = ZoneModels(zone=zone, demand=demand, weather=weather, names=names)
    return replace(models, digest=digest_of(models))
