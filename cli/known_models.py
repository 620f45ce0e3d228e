"""Which models a demo has found registered: the next one need not ask the registry, which takes it seconds.

A note is only believed as long as the files that it names are as they were.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shared.data.errors import DataError
from shared.runtime.registry import file_of
from shared.runtime.settings import Refused, unwritable
from shared.training.data import TrainingData

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from shared.data.year import Year
    from shared.runtime.settings import Settings

__all__ = ["WantedModels"]

FOLDER = "known-models"


@dataclass(frozen=True)
class WantedModels:
    """The models of some zones that have seen just the readings of a year before a start.

    Attributes
    ----------
    tags
        By which the registry tells them.
    """

    tags: dict[str, str]
    site: str
    zones: tuple[int, ...]
    registry_uri: str
    state_dir: Path

    @classmethod
    def of(cls, year: Year, start: datetime, settings: Settings) -> WantedModels:
        """Return what a demo of the year from a start on needs; raises ``Refused`` where nothing is before it."""
        try:
            tags = TrainingData.of(year, year.site.load_zones[0], start).identity(year)
        except DataError as error:
            raise Refused(str(error)) from None
        return cls(tags, year.site.name, settings.zones, settings.registry_uri, settings.state_dir)

    @property
    def are_known(self) -> bool:
        """Whether they are known to be registered, in a registry that is a file of this machine."""
        try:
            note = json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return bool(note["registry"] == self._registry and note["files"] == _sizes(note["files"]))

    def note(self, folders: Iterable[Path]) -> None:
        """Note that they are registered, and that their files lie in these folders; of a server nothing is noted."""
        if self._registry is None:
            return
        files = _sizes(str(file) for folder in folders for file in sorted(folder.iterdir()))
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json.dumps({"registry": self._registry, "files": files}), encoding="utf-8")
        except OSError as error:
            raise unwritable(self.state_dir, error) from None

    def forget(self) -> None:
        """Let the next demo ask the registry."""
        self._file.unlink(missing_ok=True)

    @property
    def _registry(self) -> list[int] | None:
        found = file_of(self.registry_uri)
        return None if found is None else list(found)

    @property
    def _file(self) -> Path:
        wanted = json.dumps([self.tags, self.site, self.zones, self.registry_uri])
        return self.state_dir / FOLDER / f"{sha256(wanted.encode()).hexdigest()[:16]}.json"


def _sizes(files: Iterable[str]) -> dict[str, Any]:
    """Return the size of each file in bytes, None where it is not there."""
    return {name: Path(name).stat().st_size if Path(name).exists() else None for name in files}
