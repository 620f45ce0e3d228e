"""Serves the reports: a list of them at `/reports/`, and their files below it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from services.monitor.reports.archive import listed
from services.monitor.reports.request import WINDOWS_DAYS
from shared.forecasting.digits import digits
from shared.forecasting.leads import lead_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.types import Scope

    from services.monitor.reports.request import ReportRequest

__all__ = ["report_routes"]

# the pages are Evidently's: their scripts stand in the page, and must not reach any other host
HEADERS = {
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


SWITCHED_OFF = "they are switched off. Set TETOUAN_REPORT_EVERY_HOURS to 24 for one a day."


def report_routes(
    reports_dir: Path,
    every_hours: int,
    under_way: Callable[[], Sequence[ReportRequest]] = tuple,
    why_none: str | None = None,
) -> tuple[BaseRoute, ...]:
    """Return the routes of the list and of the files in ``reports_dir``, which need not exist yet.

    ``under_way`` tells which reports are being made, ``why_none`` why there can be none.
    """
    pages = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True)
    pages.filters["lead"] = lead_name
    pages.filters["digits"] = digits

    def index(_: Request) -> HTMLResponse:  # no coroutine, so that its reading of files does not hold up the stream
        reports = listed(reports_dir)
        page = pages.get_template("page.html").render(
            reports=reports,
            under_way=under_way(),
            every_hours=every_hours,
            first_days=min(WINDOWS_DAYS),
            why_none=why_none or SWITCHED_OFF,
        )
        return HTMLResponse(page, headers=HEADERS)

    return Route("/reports/", index), Mount("/reports", _Files(directory=reports_dir, check_dir=False))


class _Files(StaticFiles):
    """The files of a folder that comes with the first report."""

    async def check_config(self) -> None:
        """Take a folder that is not there for an empty one."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Answer with the file, and with what a browser must know of it."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response
