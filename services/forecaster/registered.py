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

__all__ = ["DEMAND", "FILE", "NAMES", "REFUSAL", "REFUSED", "WEATHER", "Question", "Wanted", "collect"]

DEMAND, WEATHER = "zone-demand", "weather-demand"
FILE, NAMES, REFUSAL = "state.npz", "names.json", "refusal.txt"
REFUSED = 2  # the exit code where the last line on standard error says what to do


class Wanted(BaseModel):
    """Of which zones of a site models are asked for.

    ``weather`` are the fields of the weather that the site publishes; without any no weather model is asked for.
    """

    model_config = ConfigDict(frozen=True)
    zones: tuple[int, ...]
    weather: tuple[str, ...]


class Question(BaseModel):
    """Which models are asked for: of these sites, the champions, or the newest with certain tags."""

    model_config = ConfigDict(frozen=True)
    registry_uri: str
    artifact_root: Path | None
    tags: dict[str, str]
    sites: dict[str, Wanted]
    folder: Path

    def folder_of(self, site: str) -> Path:
        """Return where the models of a site are put."""
        return self.folder / "sites" / site

    def none_of(self, site: str) -> str:
        """Return what is to be said where the registry does not have the models of a site."""
        name = f"{DEMAND}-{site}-{self.sites[site].zones[0]}"
        wanted = " and ".join(f"{tag}={value}" for tag, value in self.tags.items())
        what = f"version of {name} with {wanted}" if self.tags else f"champion of {name}"
        return f"no {what} is registered: run `tetouan train`"


def collect(question: Question) -> None:
    """Put files and names of the models of each zone into the folder of its site.

    A site of which a demand model is missing gets no folder; one of which the files are gets a line that says so. A
    training registers the demand model last, so where that is there and no weather model is, there will be none.

    Raises
    ------
    RegistryError
        If the registry cannot be used.
    """
    registry = Registry(question.registry_uri, question.artifact_root)
    names = registry.names(f"{DEMAND}-")  # one question for all sites: most may have no model
    for site, wanted in question.sites.items():
        if not all(f"{DEMAND}-{site}-{zone}" in names for zone in wanted.zones):
            continue
        found = {zone: _version(registry, question.tags, DEMAND, site, zone) for zone in wanted.zones}
        demands = {zone: version for zone, version in found.items() if version is not None}
        if len(demands) == len(found):
            try:
                for zone, demand in demands.items():
                    weather = _version(registry, question.tags, WEATHER, site, zone) if wanted.weather else None
                    _copy_all(registry, {DEMAND: demand, WEATHER: weather}, question.folder_of(site) / str(zone))
            except OSError as error:
                (question.folder_of(site) / REFUSAL).write_text(str(error), encoding="utf-8")


def _copy_all(registry: Registry, versions: dict[str, ModelVersion | None], to: Path) -> None:
    to.mkdir(parents=True)
    for kind, version in versions.items():
        if version is not None:
            (to / kind).mkdir()
            _copy(registry, version, to / kind / FILE)
    labels = {kind: version.label if version else None for kind, version in versions.items()}
    names = ModelNames(demand=labels[DEMAND], weather=labels[WEATHER])
    (to / NAMES).write_text(names.model_dump_json(), encoding="utf-8")


def _copy(registry: Registry, version: ModelVersion, to: Path) -> None:
    """Copy the file of a version; raises ``OSError`` that says what to do where there is none that can be read."""
    try:
        source = registry.fetch(version)
    except RegistryError as error:
        raise OSError(f"the files of {version.label} cannot be fetched: {error}") from error
    try:
        shutil.copyfile(source / FILE, to)
    except OSError as error:
        raise OSError(f"{version.label} has no {FILE} that can be read ({error}): run `tetouan train`") from error


def _version(registry: Registry, tags: dict[str, str], kind: str, site: str, zone: int) -> ModelVersion | None:
    name = f"{kind}-{site}-{zone}"
    return registry.find(name, tags) if tags else registry.champion(name)


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
