"""Asks the registry in a process of its own: ``python -m shared.runtime.registered``.

Each line on standard input is a question, each line on standard output its answer; the files of models are put into the
folder that the question names. MLflow takes four seconds of a processor and 180 MB to import, may be silent for a
minute and cannot be told to stop: none of that may stand in the way of the stream. The process ends with its standard
input, which closes with whoever asks, however that ends.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path  # noqa: TC003 - pydantic reads the annotation at run time
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict

from shared.runtime.kept_answers import KeptAnswers
from shared.runtime.registry import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "FILE",
    "REFUSAL",
    "WEATHER_DEMAND",
    "ZONE_DEMAND",
    "NamedModel",
    "Question",
    "Reply",
    "answer",
    "main",
    "named_model",
]

ZONE_DEMAND, WEATHER_DEMAND = "zone-demand", "weather-demand"
FILE, REFUSAL = "state.npz", "refusal.txt"
_ZONE = re.compile("[1-9][0-9]{0,8}")
AT_ONCE = 4  # files that are fetched beside each other


class NamedModel(NamedTuple):
    """What the name of a registered model says: which kind of model of which zone it is."""

    kind: str
    site: str
    zone: int

    @property
    def name(self) -> str:
        """Its name, such as ``zone-demand-tetouan-2``."""
        return f"{self.kind}-{self.site}-{self.zone}"

    @property
    def partner(self) -> NamedModel:
        """The other model of the zone, which runs beside it."""
        return self._replace(kind=WEATHER_DEMAND if self.kind == ZONE_DEMAND else ZONE_DEMAND)


def named_model(name: str) -> NamedModel | None:
    """Return what the name of a registered model says, None where it is none of ours."""
    for kind in (ZONE_DEMAND, WEATHER_DEMAND):
        site, _, zone = name.removeprefix(f"{kind}-").rpartition("-")
        if site and _ZONE.fullmatch(zone) and (named := NamedModel(kind, site, int(zone))).name == name:
            return named
    return None


class Question(BaseModel):
    """What is asked: files or metrics of some versions, ``name/version``, or without any which versions are to run.

    These are the champions, or the newest versions with the tags where there are tags.
    """

    model_config = ConfigDict(frozen=True)
    registry_uri: str
    artifact_root: Path | None
    tags: dict[str, str]
    folder: Path
    files_of: tuple[str, ...] = ()
    metrics_of: tuple[str, ...] = ()

    def folder_of(self, label: str) -> Path:
        """Return the folder of a version: with its file, or why that cannot be had; there is none of an unknown one."""
        return self.folder / str(self.files_of.index(label))


class Reply(BaseModel):
    """What the registry says: the version to run of each model by name, metrics by version, or why it says nothing."""

    model_config = ConfigDict(frozen=True)
    versions: dict[str, str] = {}
    metrics: dict[str, dict[str, float]] = {}
    error: str | None = None


def answer(question: Question, registry: KeptAnswers) -> Reply:
    """Answer a question; raises ``RegistryError`` if the registry cannot be used.

    A training registers the demand model last. So the demand models are listed first: where one is there and no weather
    model is, there will be none.
    """
    if question.metrics_of:
        return Reply(metrics={label: registry.metrics_of(*label.rsplit("/", 1)) for label in question.metrics_of})
    if question.files_of:
        tempfile.tempdir = str(question.folder)  # MLflow leaves there what it downloads
        sources = {label: registry.source_of(*label.rsplit("/", 1)) for label in question.files_of}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            puts = [
                pool.submit(_put, registry, label, source, question.folder_of(label))
                for label, source in sources.items()
                if source is not None
            ]
        for put in puts:
            put.result()
        return Reply()
    versions: dict[str, str] = {}
    for kind in (ZONE_DEMAND, WEATHER_DEMAND):
        prefix = f"{kind}-"
        versions |= registry.newest(prefix, question.tags) if question.tags else registry.champions(prefix)
    return Reply(versions=versions)


def _put(registry: KeptAnswers, label: str, source: str, to: Path) -> None:
    """Copy the file of a version; a reason to say what to do stands in its place where there is none to be read."""
    to.mkdir()
    try:
        shutil.copyfile(registry.download(source) / FILE, to / FILE)
    except RegistryError as error:
        why = f"the files of {label} cannot be fetched: {error}"
    except OSError as error:
        why = f"{label} has no {FILE} that can be read ({error}): run `tetouan train`"
    else:
        return
    (to / REFUSAL).write_text(why, encoding="utf-8")


def _lines() -> Iterator[bytes]:
    """Yield the lines of standard input; where it ends the process ends at once, whatever it does just then."""
    queue: Queue[bytes] = Queue()

    def read() -> None:
        for line in sys.stdin.buffer:
            queue.put(line)
        os._exit(0)

    Thread(target=read, daemon=True).start()
    while True:
        yield queue.get()


def main() -> None:
    """Answer questions until there is nobody left who could ask."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is no answer
    registry: KeptAnswers | None = None
    for line in _lines():
        question = Question.model_validate_json(line)
        try:
            registry = registry or KeptAnswers(question.registry_uri, question.artifact_root)
            reply = answer(question, registry)
            registry.save()
        except RegistryError as error:
            reply = Reply(error=str(error))
        answers.write(reply.model_dump_json() + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
