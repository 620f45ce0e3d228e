"""Makes the reports, in a process of its own: ``python -W ignore -m services.monitor.reports.process``.

Requests come as JSON lines on standard input, each is answered by one on standard output, and the end of the input ends
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
from services.monitor.reports.request import ReportRequest, ReportResult
from shared.forecasting import reference
from shared.runtime.registry import Registry
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from services.monitor.reports.request import Report

NICENESS = 10


def main() -> int:
    """Answer requests until the input ends."""
    os.nice(NICENESS)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints must not stand among the answers
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder  # MLflow leaves there what it downloads
        reporter = _Reporter()
        for line in sys.stdin.buffer:
            answer = reporter.answer(ReportRequest.model_validate_json(line))
            answers.write(answer.model_dump_json().encode() + b"\n")
            answers.flush()
    return 0


class _Reporter:
    """Makes one report after the other, and keeps the reference of the model that made the last forecasts."""

    def __init__(self) -> None:
        self._model = ""
        self._hours = pd.DataFrame()

    def answer(self, request: ReportRequest) -> ReportResult:
        """Make and write a report; what can be mended from outside is answered, anything else ends the process."""
        try:
            return ReportResult(report=self._report(request))
        except Refused as refusal:
            return ReportResult(error=str(refusal))
        except OSError as error:
            advice = "free space there, or set TETOUAN_REPORT_DIR to a folder that can be written"
            return ReportResult(error=f"the report cannot be written ({error}): {advice}")

    def _report(self, request: ReportRequest) -> Report:
        if request.model != self._model:
            self._hours, self._model = _fetch(request), request.model
        evaluation = Evaluation(request, self._hours)
        for path in STATIC_FILES:
            beside = request.report_dir / STATIC / path.name
            if not beside.exists():
                beside.parent.mkdir(parents=True, exist_ok=True)
                archive.replace(beside, path.read_bytes())
        archive.store(request.report_dir, evaluation.report, evaluation.html, evaluation.json, request.kept)
        return evaluation.report


def _fetch(request: ReportRequest) -> pd.DataFrame:
    """Return the reference of the model that made the forecasts; raises ``Refused`` where it has none."""
    if (label := re.fullmatch(r"([\w.-]+)/(\d+)", request.model)) is None:
        raise Refused(f"the forecasts are of {request.model!r}, which is no name/version: check who publishes them")
    name, number = label.groups()
    registry = Registry(request.registry_uri, request.artifact_root)
    file = registry.fetch(registry.get(name, number)) / reference.FILE
    try:
        return pd.read_parquet(file, columns=list(request.columns))
    except (OSError, ValueError) as error:  # pyarrow's errors are of these kinds
        raise Refused(
            f"{request.model} has no {reference.FILE} that can be used ({error}): run `tetouan train`"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
