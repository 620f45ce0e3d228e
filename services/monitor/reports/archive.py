"""The folder with the reports: how they lie there, which are kept, and what the newest say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import ValidationError

from services.monitor.reports.request import Report

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["listed", "replace", "store"]


def store(folder: Path, report: Report, html: str, figures: str, kept: int) -> None:
    """Write a report as HTML and JSON, let ``latest-<days>d`` point at them, and delete all but the newest ``kept``.

    The page comes first: a report is listed by its JSON. Raises ``OSError`` where that cannot be done.
    """
    place = folder / report.folder
    place.mkdir(parents=True, exist_ok=True)
    for ending, text in (("html", html), ("json", figures)):
        replace(place / f"{report.stem}.{ending}", text.encode())
        _point(place / f"latest-{report.window_days}d.{ending}", f"{report.stem}.{ending}")
    # by the time of writing: a replay that starts anew must not lose its reports to those of later event time
    written = sorted(place.glob(f"*Z-{report.window_days}d.json"), key=lambda path: path.stat().st_mtime_ns)
    for path in written[:-kept]:
        path.unlink()
        path.with_suffix(".html").unlink(missing_ok=True)


def replace(path: Path, content: bytes) -> None:
    """Write a file so that a reader sees all of it or what was there before."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _point(link: Path, target: str) -> None:
    unfinished = link.with_name(f".{link.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    unfinished.symlink_to(target)
    unfinished.replace(link)


def listed(folder: Path) -> list[Report]:
    """Return the reports of the folder, the last end of window first; what is none is passed over."""
    found = [_read(path) for path in folder.glob("*/*Z-*d.json")]
    reports = [report for report in found if report is not None]
    return sorted(reports, key=lambda report: (report.until, report.folder, report.window_days), reverse=True)


def _read(path: Path) -> Report | None:
    try:
        return Report.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):  # deleted meanwhile, or written by another release
        return None
