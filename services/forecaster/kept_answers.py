"""What a registry that is a file has answered, kept beside it as long as the file is as it was.

MLflow takes four seconds of a processor to import. A start that asks what the start before it asked does without.
"""

from __future__ import annotations

import json
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from shared.runtime.registry import Registry, sqlite_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["KeptAnswers"]

T = TypeVar("T")

MOST = 100
"""Answers that are kept: those to a table of many zones are long, and are asked by their prefix."""


class KeptAnswers:
    """The questions of a forecaster to a registry; it is only opened where no answer is kept.

    Parameters
    ----------
    uri, artifact_root
        As of `Registry`; its methods raise ``RegistryError`` as those do.
    """

    def __init__(self, uri: str, artifact_root: Path | None) -> None:
        self._uri = uri
        self._artifact_root = artifact_root
        self._file = sqlite_file(uri)

    @cached_property
    def _registry(self) -> Registry:
        return Registry(self._uri, self._artifact_root)

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

    def download(self, source: str) -> Path:
        """Return a local folder with the files that lie there; what lies on this machine is not copied."""
        at = urlsplit(source)
        return Path(url2pathname(at.path)) if at.scheme in ("", "file") else self._registry.download(source)

    def _kept(self, question: str, ask: Callable[[], T]) -> T:
        before = self._stamp()
        answers = self._answers(before)
        if question in answers:
            kept_answer: T = answers[question]
            return kept_answer
        answer = ask()
        if before is not None and before == self._stamp():
            kept = dict(list(answers.items())[-MOST + 1 :])
            self._write({"stamp": before, "answers": {**kept, question: answer}})
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

    def _answers(self, stamp: list[int] | None) -> dict[str, Any]:
        if stamp is None:
            return {}
        try:
            kept = json.loads(self._beside(".answers").read_text(encoding="utf-8"))
            return dict(kept["answers"]) if kept["stamp"] == stamp else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def _write(self, kept: Mapping[str, object]) -> None:
        """Keep the answers; where there is no room for them the next start asks again."""
        draft = self._beside(f".answers.{os.getpid()}")
        try:
            draft.write_text(json.dumps(kept), encoding="utf-8")
            draft.replace(self._beside(".answers"))
        except OSError:
            draft.unlink(missing_ok=True)

    def _beside(self, end: str) -> Path:
        file = self._file or Path()
        return file.with_name(file.name + end)
