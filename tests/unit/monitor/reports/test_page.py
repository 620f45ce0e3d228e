"""The list of reports and their files over HTTP."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette

from services.monitor.reports import archive
from services.monitor.reports.page import report_routes
from services.monitor.reports.request import ReportRequest
from tests.unit.monitor.reports.written import MIDNIGHT, quality, report

if TYPE_CHECKING:
    from collections.abc import Sequence


def requested(window_days: int) -> ReportRequest:
    """Return a request without rows."""
    return ReportRequest(
        site="tetouan",
        zone=2,
        window_days=window_days,
        until=MIDNIGHT,
        step_minutes=10,
        model="",
        columns=(),
        rows=b"",
        registry_uri="sqlite:////x",
        artifact_root=None,
        report_dir=Path(),
        kept=7,
    )


def get(folder: Path, path: str, every_hours: int = 24, under_way: Sequence[ReportRequest] = ()) -> httpx.Response:
    """Return what the routes of the folder answer."""

    async def ask() -> httpx.Response:
        application = Starlette(routes=report_routes(folder, every_hours, lambda: under_way))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://monitor") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_without_a_report_the_page_says_when_there_will_be_one(tmp_path: Path) -> None:
    """A folder that does not exist yet is no error; where reports are off, the page says how to switch them on."""
    assert "the first comes after 7 days of readings" in get(tmp_path / "none", "/reports/").text
    assert "Set TETOUAN_REPORT_EVERY_HOURS to 24" in get(tmp_path, "/reports/", every_hours=0).text


def test_the_page_shows_the_figures_newest_first(tmp_path: Path) -> None:
    """Each row has a link, the share of drifted columns, the most drifted one, RMSE by lead and what lacks values."""
    for day in range(3):
        one = report(MIDNIGHT + timedelta(days=day)).model_copy(update={"quality": (quality(),)})
        archive.store(tmp_path, one, "page", one.model_dump_json(), kept=7)
    response = get(tmp_path, "/reports/")
    text = response.text
    assert response.status_code == 200
    ends = [text.index(f'href="tetouan-2/2017-10-{day}T0000Z-7d.html"') for day in (28, 27, 26)]
    assert ends == sorted(ends)
    for shown in ("100 %", "zone_2_kw\n1.25", ">1 h:\n+50 %", "(750 kW)", "humidity_pct", "zone-demand-tetouan-2/1"):
        assert shown in text
    assert "none of them alerts" in text


def test_names_from_the_stream_are_text_on_the_page(tmp_path: Path) -> None:
    """A model name with markup in it is shown, not run."""
    one = report().model_copy(update={"model": "<script>alert(1)</script>/1"})
    archive.store(tmp_path, one, "page", one.model_dump_json(), kept=7)
    text = get(tmp_path, "/reports/").text
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_the_files_are_served_with_headers_that_fence_them_in(tmp_path: Path) -> None:
    """A report, and what `latest` points at, come with a policy that lets their scripts reach no other host."""
    one = report()
    archive.store(tmp_path, one, "<p>page</p>", one.model_dump_json(), kept=7)
    for name in ("2017-10-26T0000Z-7d.html", "latest-7d.html"):
        response = get(tmp_path, f"/reports/tetouan-2/{name}")
        assert (response.status_code, response.text) == (200, "<p>page</p>")
        assert response.headers["content-security-policy"].startswith("default-src 'self'")
        assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "path",
    ["..%2fsecret.txt", "tetouan-2/..%2f..%2fsecret.txt", "%2e%2e/secret.txt", "link.txt", "nothing.html", "tetouan-2"],
)
def test_nothing_outside_the_folder_is_served(tmp_path: Path, path: str) -> None:
    """Neither a path that climbs nor a link that points out of the folder leads anywhere; a folder is no file."""
    folder = tmp_path / "reports"
    (folder / "tetouan-2").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    response = get(folder, f"/reports/{path}")
    assert response.status_code == 404
    assert "secret" not in response.text


def test_a_report_that_is_being_made_is_named(tmp_path: Path) -> None:
    """The page does not say that there is none yet, and says which waits."""
    first, second = (requested(days) for days in (7, 28))
    text = get(tmp_path, "/reports/", under_way=[first, second]).text
    assert "tetouan zone 2, 7 days until\n2017-10-26 00:00 UTC: being made" in text
    assert "28 days until\n2017-10-26 00:00 UTC: waits for the one before" in text
    assert "No report yet" not in text


def test_why_there_can_be_no_report_is_said(tmp_path: Path) -> None:
    """Where the extra is not installed the setting would not help."""

    async def ask() -> httpx.Response:
        application = Starlette(routes=report_routes(tmp_path, 0, why_none="a report needs evidently"))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://monitor") as client:
            return await client.get("/reports/")

    text = asyncio.run(ask()).text
    assert "No report: a report needs evidently" in text
    assert "TETOUAN_REPORT_EVERY_HOURS" not in text
