"""Makes the reports, in a process of its own: ``python -W ignore -m services.monitor.reports.process``.

Orders come as JSON lines on standard input, each is answered by one on standard output, and the end of the input ends
the process. Evidently takes six seconds and 280 MB to import, and a second for a report: none of that may stand in the
way of the stream. It warns of much that is not ours, which is why only this process ignores warnings.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
from typing import TYPE_CHECKING

import pandas as pd

from services.monitor.reports import archive
from services.monitor.reports.evaluation import STATIC, STATIC_FILES, Evaluation
from services.monitor.reports.order import Answer, Order
from shared.forecasting import reference
from shared.runtime.registry import Registry
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from services.monitor.reports.order import Report

NICENESS = 10


def main() -> int:
    """Answer orders until the input ends."""
    os.nice(NICENESS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not stand among the answers
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder  # MLflow leaves there what it downloads
        reporter = _Reporter()
        for line in sys.stdin.buffer:
            answer = reporter.answer(Order.model_validate_json(line))
            answers.write(answer.model_dump_json().encode() + b"\n")
            answers.flush()
    return 0


class _Reporter:
    """Makes one report after the other, and keeps the reference of the model that made the last forecasts."""

    def __init__(self) -> None:
        self._model = ""
        self._hours = pd.DataFrame()

    def answer(self, order: Order) -> Answer:
        """Make and write a report; what can be mended from outside is answered, anything else ends the process."""
        try:
            return Answer(report=self._report(order))
        except Refused as refusal:
            return Answer(error=str(refusal))
        except OSError as error:
            advice = "free space there, or set TETOUAN_REPORT_DIR to a folder that can be written"
            return Answer(error=f"the report cannot be written ({error}): {advice}")

    def _report(self, order: Order) -> Report:
        if order.model != self._model:
            self._hours, self._model = _fetch(order), order.model
        evaluation = Evaluation(order, self._hours)
        for path in STATIC_FILES:
            beside = order.report_dir / STATIC / path.name
            if not beside.exists():
                beside.parent.mkdir(parents=True, exist_ok=True)
                archive.replace(beside, path.read_bytes())
        archive.store(order.report_dir, evaluation.report, evaluation.html, evaluation.json, order.kept)
        return evaluation.report


def _fetch(order: Order) -> pd.DataFrame:
    """Return the reference of the model that made the forecasts; raises ``Refused`` where it has none."""
    if (label := re.fullmatch(r"([\w.-]+)/(\d+)", order.model)) is None:
        raise Refused(f"the forecasts are of {order.model!r}, which is no name/version: check who publishes them")
    name, number = label.groups()
    registry = Registry(order.registry_uri, order.artifact_root)
    file = registry.fetch(registry.get(name, number)) / reference.FILE
    try:
        return pd.read_parquet(file, columns=list(order.columns))
    except (OSError, ValueError) as error:  # pyarrow's errors are of these kinds
        raise Refused(
            f"{order.model} has no {reference.FILE} that can be used ({error}): run `tetouan train`"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
