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

__all__ = ["DEMAND", "FILE", "NAMES", "REFUSAL", "REFUSED", "WEATHER", "Pair", "Question", "Wanted", "collect"]

DEMAND, WEATHER = "zone-demand", "weather-demand"
FILE, NAMES, REFUSAL = "state.npz", "names.json", "refusal.txt"
REFUSED = 2  # the exit code where the last line on standard error says what to do


class Wanted(BaseModel):
    """Of which zones of a site models are asked for.

    ``weather`` are the fields of the weather that the site publishes; without any no weather model is asked for.
    ``versions`` are those wanted of some models by name; of any other it is the champion.
    """

    model_config = ConfigDict(frozen=True)
    zones: tuple[int, ...]
    weather: tuple[str, ...]
    versions: dict[str, str] = {}


class Pair(BaseModel):
    """The models of a zone by name and version, as forecasts name them."""

    model_config = ConfigDict(frozen=True)
    site: str
    zone: int
    names: ModelNames


class Question(BaseModel):
    """Which models are asked for: of these sites, the champions, or the newest with certain tags; and certain pairs."""

    model_config = ConfigDict(frozen=True)
    registry_uri: str
    artifact_root: Path | None
    tags: dict[str, str]
    sites: dict[str, Wanted]
    folder: Path
    pairs: tuple[Pair, ...] = ()

    def folder_of(self, site: str, zone: int) -> Path:
        """Return where the models of a zone are put."""
        return self.folder / "sites" / site / str(zone)

    def folder_of_pair(self, number: int) -> Path:
        """Return where those of a pair are put."""
        return self.folder / "pairs" / str(number)

    def none_of(self, site: str, zone: int) -> str:
        """Return what is to be said where the registry does not have the models of a zone."""
        name = f"{DEMAND}-{site}-{zone}"
        wanted = " and ".join(f"{tag}={value}" for tag, value in self.tags.items())
        what = f"version of {name} with {wanted}" if self.tags else f"champion of {name}"
        if version := self.sites[site].versions.get(name):
            what = f"version {version} of {name}"
        return f"no {what} is registered: run `tetouan train`"


def collect(question: Question) -> None:
    """Put files and names of the models of each zone and pair into its folder.

    One of which the demand model is missing gets no folder; one of which the files are gets a line that says so. A
    training registers the demand model last, so where that is there and no weather model is, there will be none.

    Raises
    ------
    RegistryError
        If the registry cannot be used.
    """
    registry = Registry(question.registry_uri, question.artifact_root)
    names = registry.names(f"{DEMAND}-")  # one question for all sites: most may have no model
    for site, wanted in question.sites.items():
        for zone in (zone for zone in wanted.zones if f"{DEMAND}-{site}-{zone}" in names):
            versions = {kind: f"{kind}-{site}-{zone}" for kind in (DEMAND, WEATHER) if kind == DEMAND or wanted.weather}
            found = {kind: _version(registry, question, wanted, name) for kind, name in versions.items()}
            _put(registry, found, question.folder_of(site, zone))
    for number, pair in enumerate(question.pairs):
        labels = {DEMAND: pair.names.demand, WEATHER: pair.names.weather}
        parts = {kind: label.rpartition("/") for kind, label in labels.items() if label}
        found = {kind: registry.known(name, version) for kind, (name, _, version) in parts.items()}
        if None not in found.values():
            _put(registry, found, question.folder_of_pair(number))


def _put(registry: Registry, versions: dict[str, ModelVersion | None], to: Path) -> None:
    if versions[DEMAND] is None:
        return
    try:
        _copy_all(registry, versions, to)
    except OSError as error:
        (to / REFUSAL).write_text(str(error), encoding="utf-8")


def _copy_all(registry: Registry, versions: dict[str, ModelVersion | None], to: Path) -> None:
    to.mkdir(parents=True)
    for kind, version in versions.items():
        if version is not None:
            (to / kind).mkdir()
            _copy(registry, version, to / kind / FILE)
    labels = {kind: version.label for kind, version in versions.items() if version}
    names = ModelNames(demand=labels[DEMAND], weather=labels.get(WEATHER))
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


def _version(registry: Registry, question: Question, wanted: Wanted, name: str) -> ModelVersion | None:
    if name in wanted.versions:
        return registry.known(name, wanted.versions[name])
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
