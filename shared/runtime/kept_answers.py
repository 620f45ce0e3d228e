"""What a registry that is a file has answered, kept beside it as long as the file is as it was.

MLflow takes four seconds of a processor to import. A start that asks what the start before it asked does without.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from tempfile import mkstemp
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from shared.runtime.registry import Registry, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["KeptAnswers", "NotKeptError"]

T = TypeVar("T")

FORMAT = 1
"""Of the file: what another release has kept in another form is not read."""


class NotKeptError(LookupError):
    """No answer is kept to what only kept answers may answer."""


class KeptAnswers:
    """The questions of a forecaster to a registry; it is only opened where no answer is kept.

    Parameters
    ----------
    uri, artifact_root
        As of `Registry`; its methods raise ``RegistryError`` as those do.
    only_kept
        Never open the registry: raise ``NotKeptError`` where no answer is kept.
    """

    def __init__(self, uri: str, artifact_root: Path | None, *, only_kept: bool = False) -> None:
        self._uri = uri
        self._artifact_root = artifact_root
        self._only_kept = only_kept
        self._file = sqlite_file(uri)
        self._answers: dict[str, Any] = {}
        self._answered_at: list[int] | None = None  # what the file was like then
        self._has_new = False
        self._opening = Lock()

    def champions(self, prefix: str) -> dict[str, str]:
        """Return what `Registry.champions` does."""
        return self._kept(f"champions {prefix}", lambda: self._registry.champions(prefix))

    def newest(self, prefix: str, tags: Mapping[str, str]) -> dict[str, str]:
        """Return what `Registry.newest` does."""
        asked = json.dumps([prefix, sorted(tags.items())])
        return self._kept(f"newest {asked}", lambda: self._registry.newest(prefix, tags))

    def source_of(self, name: str, version: str) -> str | None:
        """Return what `Registry.source_of` does."""
        return self._kept(f"source of {name}/{version}", lambda: self._registry.source_of(name, version))

    def metrics_of(self, name: str, version: str) -> dict[str, float]:
        """Return the metrics that a version was registered with, none of one that does not exist."""
        return self._kept(f"metrics of {name}/{version}", lambda: self._metrics_of(name, version))

    def _metrics_of(self, name: str, version: str) -> dict[str, float]:
        known = self._registry.known(name, version)
        return {} if known is None else dict(known.metrics)

    def download(self, source: str) -> Path:
        """Return a local folder with the files that lie there; what lies on this machine is not copied."""
        at = urlsplit(source)
        if not at.scheme:
            return Path(source)
        if at.scheme == "file":
            return Path(url2pathname(at.path))
        with self._opening:  # several threads may ask
            registry = self._registry
        return registry.download(source)

    def save(self) -> None:
        """Keep what was answered; where there is no room for it the next start asks again."""
        if not self._has_new or self._answered_at != self._stamp():
            return
        self._has_new = False
        kept = {"format": FORMAT, "stamp": self._answered_at, "answers": self._answers}
        with suppress(OSError):
            file = self._beside(".answers")
            descriptor, draft = mkstemp(dir=file.parent, prefix=f"{file.name}.")
            with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
                json.dump(kept, opened)
            Path(draft).replace(file)

    @cached_property
    def _registry(self) -> Registry:
        return Registry(self._uri, self._artifact_root)

    def _kept(self, question: str, ask: Callable[[], T]) -> T:
        before = self._stamp()
        if before is None or before != self._answered_at:
            self._answers, self._answered_at = self._read(before), before
        if question in self._answers:
            kept_answer: T = self._answers[question]
            return kept_answer
        if self._only_kept:
            raise NotKeptError(question)
        answer = ask()
        if before is not None and before == self._stamp():
            self._answers[question] = answer
            self._has_new = True
        return answer

    def _stamp(self) -> list[int] | None:
        """Return what tells the contents of the file from any before; None where it is none, or is being written."""
        if self._file is None or any(self._beside(end).exists() for end in ("-journal", "-wal")):
            return None
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return None
        return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns]

    def _read(self, stamp: list[int] | None) -> dict[str, Any]:
        if stamp is None:
            return {}
        try:
            kept = json.loads(self._beside(".answers").read_text(encoding="utf-8"))
            return dict(kept["answers"]) if (kept["format"], kept["stamp"]) == (FORMAT, stamp) else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _beside(self, end: str) -> Path:
        file = self._file or Path()
        return file.with_name(file.name + end)
