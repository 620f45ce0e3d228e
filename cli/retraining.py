"""Does a training again in a process of its own: ``python -m cli.retraining FOLDER``.

The order comes as one JSON object on standard input; each line on standard output is a word of progress. The model is
written to the folder, and what is known of it, or the line of a refusal, to ``retrained.json`` in it. Nothing is
registered, and nobody is told: a reproduction changes nothing.
"""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict
from rich.console import Console

from cli.provision import year_for
from cli.settings import HistorySettings
from shared.data.errors import DataError
from shared.data.hints import Hints
from shared.runtime.settings import Refused, load
from shared.training.data import TrainingData
from shared.training.record import TrainingRecord  # noqa: TC001 - pydantic reads the annotation at run time
from shared.training.reproduction import fit_again
from shared.training.training import written

__all__ = ["RESULT", "RetrainingOrder", "RetrainingResult", "main"]

RESULT = "retrained.json"


class RetrainingOrder(BaseModel):
    """What to train: a kind of model of a zone on the readings of a file before ``until``.

    Attributes
    ----------
    dialect
        What the user says of how the file is written, as in `Hints`.
    params
        Those that the version was registered with.
    scored
        Whether it was scored.
    """

    model_config = ConfigDict(frozen=True)
    kind: str
    zone: int
    until: AwareDatetime
    data: str
    dialect: dict[str, Any]
    params: dict[str, str]
    scored: bool


class RetrainingResult(BaseModel):
    """What came of it, or why there is nothing."""

    model_config = ConfigDict(frozen=True)
    params: dict[str, str] = {}
    metrics: dict[str, float] = {}
    record: TrainingRecord | None = None
    refusal: str | None = None


def main() -> int:
    """Train as the order says; exit code 2 where it cannot be done."""
    folder, order = Path(sys.argv[1]), RetrainingOrder.model_validate_json(sys.stdin.buffer.read())
    try:
        result = _trained(order, folder / "model")
    except (Refused, DataError, ValueError) as error:
        result = RetrainingResult(refusal=str(error))
    (folder / RESULT).write_text(result.model_dump_json(), encoding="utf-8")
    return 2 if result.refusal else 0


def _trained(order: RetrainingOrder, folder: Path) -> RetrainingResult:
    settings = load(HistorySettings)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:  # the parent has said which year it is
        year = year_for(order.data, settings, Console(file=nowhere), Hints(**order.dialect, guess=False))
    history = TrainingData.of(year, order.zone, order.until)
    name = f"{order.kind}-{year.site.name}-{order.zone}"
    fitted = fit_again(order.kind, history, order.params, partial(_tell, f"{name}: fitting again"))
    folder.mkdir()
    made = written(fitted, history, year, folder, partial(_tell, f"{name}: scoring") if order.scored else None)
    params = {key: str(value) for key, value in made.params.items()}
    return RetrainingResult(params=params, metrics=dict(made.metrics), record=made.record)


def _tell(what: str, share: float) -> None:
    sys.stdout.write(json.dumps([what, share]) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
