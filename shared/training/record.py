"""What is recorded of a training beside its parameters and scores, so that it can be done again and compared."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from shared.runtime.release import code_sha256, code_version, libraries, machine

if TYPE_CHECKING:
    from pathlib import Path

    from shared.data.year import Year
    from shared.training.data import TrainingData

__all__ = ["RECORD", "ModelFile", "TrainingRecord"]

RECORD = "training.json"
"""The file with the record, beside those of the model."""

DIGEST_CHARACTERS = 12  # of the digest of a day: it tells what has changed, and is no proof


class ModelFile(BaseModel):
    """A file of a model: its size, and what tells it from others."""

    model_config = ConfigDict(frozen=True)
    size_bytes: int
    sha256: str


class TrainingRecord(BaseModel):
    """What a version was made of and with.

    Attributes
    ----------
    data, data_sha256, data_rows
        Label, checksum and number of rows of the file.
    fit_rows, fit_loads
        The steps that were fitted on, and how many of them have a load.
    days
        By date in UTC what tells the readings of the zone on that day from others: those fitted on and those scored.
    libraries, machine, code_version, code_sha256
        As in `shared.runtime.release`.
    files
        Of the model, by name.
    """

    model_config = ConfigDict(frozen=True)
    data: str
    data_sha256: str
    data_rows: int
    fit_rows: int
    fit_loads: int
    days: dict[str, str]
    libraries: dict[str, str]
    machine: str
    code_version: str
    code_sha256: str
    files: dict[str, ModelFile]

    @classmethod
    def of(cls, history: TrainingData, year: Year, folder: Path) -> Self:
        """Return the record of the model whose files lie in the folder."""
        return cls(
            data=year.label,
            data_sha256=year.sha256,
            data_rows=len(year.rows),
            fit_rows=history.seen,
            fit_loads=int(np.isfinite(history.demand_kw[: history.seen]).sum()),
            days=_days(history),
            libraries=libraries(),
            machine=machine(),
            code_version=code_version(),
            code_sha256=code_sha256(),
            files={path.name: _file(path) for path in sorted(folder.iterdir()) if path.name != RECORD},
        )

    @classmethod
    def read(cls, folder: Path) -> Self | None:
        """Return the record of a version whose files lie in the folder.

        None where there is none: it was registered by a release that kept none. Raises ``ValueError`` where it is none.
        """
        file = folder / RECORD
        if not file.exists():
            return None
        try:
            return cls.model_validate_json(file.read_bytes())
        except ValidationError as error:
            raise ValueError(
                f"{file.name} is no record of a training ({error.error_count()} fields are wrong)"
            ) from None

    def write(self, folder: Path) -> None:
        """Write it beside the files of the model."""
        (folder / RECORD).write_text(self.model_dump_json(indent=1) + "\n", encoding="utf-8")

    def changed_in(self, folder: Path) -> list[str]:
        """Return the files of the model that lie otherwise in a folder, or not at all."""
        return [
            name for name, file in self.files.items() if not (folder / name).exists() or _file(folder / name) != file
        ]

    @property
    def size_bytes(self) -> int:
        """The size of all files of the model."""
        return sum(file.size_bytes for file in self.files.values())

    @property
    def sha256(self) -> str:
        """What tells the files of the model from others, all of them together."""
        return sha256(
            "".join(f"{name} {self.files[name].sha256}\n" for name in sorted(self.files)).encode()
        ).hexdigest()

    @property
    def tags(self) -> dict[str, str]:
        """What of it is shown among the tags of the version."""
        sizes = {"data_rows": self.data_rows, "fit_rows": self.fit_rows, "model_bytes": self.size_bytes}
        return {
            **{name: str(size) for name, size in sizes.items()},
            "model_sha256": self.sha256,
            "code_version": self.code_version,
            "libraries": " ".join(f"{name}={number}" for name, number in self.libraries.items()),
            "machine": self.machine,
        }


def _file(path: Path) -> ModelFile:
    content = path.read_bytes()
    return ModelFile(size_bytes=len(content), sha256=sha256(content).hexdigest())


def _days(history: TrainingData) -> dict[str, str]:
    """Return a digest of the readings of each day."""
    day = history.site.grid.day
    rows = np.column_stack((history.demand_kw, history.weather)) + 0.0  # one sign of zero
    starts = np.flatnonzero(np.diff(history.steps // day, prepend=-1))
    return {
        f"{history.time_of(int(history.steps[start])):%Y-%m-%d}": sha256(
            np.ascontiguousarray(part, "<f8").tobytes()
        ).hexdigest()[:DIGEST_CHARACTERS]
        for start, part in zip(starts.tolist(), np.split(rows, starts[1:]), strict=True)
    }
