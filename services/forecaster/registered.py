"""Asks the registry which models are to run, in a process of its own: ``python -m services.forecaster.registered``.

The question comes as JSON on standard input; the files of the models, and their names, are put into the folder that it
names. MLflow takes three seconds and 200 MB to import, may be silent for a minute and cannot be told to stop: none of
that may stand in the way of the stream.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path  # noqa: TC003 - pydantic reads the annotation at run time

from pydantic import BaseModel, ConfigDict

from shared.contracts.messages import ModelNames
from shared.runtime.registry import ModelVersion, Registry, RegistryError

__all__ = ["DEMAND", "FILE", "NAMES", "REFUSED", "WEATHER", "Question", "collect", "none_of"]

DEMAND, WEATHER = "zone-demand", "weather-demand"
FILE, NAMES = "state.npz", "names.json"
REFUSED = 2  # the exit code where the last line on standard error says what to do


class Question(BaseModel):
    """Which models are asked for: of these zones of a site, the champions, or the newest with certain tags.

    ``weather`` are the fields of the weather that the site publishes; without any no weather model is asked for.
    """

    model_config = ConfigDict(frozen=True)
    registry_uri: str
    artifact_root: Path | None
    tags: dict[str, str]
    site: str
    zones: tuple[int, ...]
    weather: tuple[str, ...]
    folder: Path


def none_of(question: Question, name: str) -> RegistryError:
    """Return what is to be said where the registry does not have a model that is asked for."""
    wanted = " and ".join(f"{tag}={value}" for tag, value in question.tags.items())
    what = f"version of {name} with {wanted}" if question.tags else f"champion of {name}"
    return RegistryError(f"no {what} is registered: run `tetouan train`")


def collect(question: Question) -> None:
    """Put files and names of the models of each zone into the folder.

    A training registers the demand model last, so where that is there and no weather model is, there will be none.

    Raises
    ------
    RegistryError
        If a demand model is missing, or the files of a model are.
    """
    registry = Registry(question.registry_uri, question.artifact_root)
    for zone in question.zones:
        demand = _version(registry, question, DEMAND, zone)
        if demand is None:
            raise none_of(question, f"{DEMAND}-{question.site}-{zone}")
        weather = _version(registry, question, WEATHER, zone) if question.weather else None
        own = question.folder / str(zone)
        for kind, version in ((DEMAND, demand), (WEATHER, weather)):
            if version is not None:
                (own / kind).mkdir(parents=True)
                _copy(registry, version, own / kind / FILE)
        names = ModelNames(demand=demand.label, weather=weather and weather.label)
        (own / NAMES).write_text(names.model_dump_json(), encoding="utf-8")


def _copy(registry: Registry, version: ModelVersion, to: Path) -> None:
    try:
        shutil.copyfile(registry.fetch(version) / FILE, to)
    except OSError as error:
        raise RegistryError(f"{version.label} has no {FILE} that can be read ({error}): run `tetouan train`") from error


def _version(registry: Registry, question: Question, kind: str, zone: int) -> ModelVersion | None:
    name = f"{kind}-{question.site}-{zone}"
    return registry.find(name, question.tags) if question.tags else registry.champion(name)


def main() -> int:
    """Answer the question; ``REFUSED`` and one line on standard error where it cannot be answered."""
    question = Question.model_validate_json(sys.stdin.buffer.read())
    tempfile.tempdir = str(question.folder)  # MLflow leaves there what it downloads
    try:
        collect(question)
    except RegistryError as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
