"""Pictures of the operator's page in prepared situations: ``python -m tests.integration.pages FOLDER``."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import socket
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING

import uvicorn
from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from playwright.sync_api import sync_playwright

from services.gateway.http.keys import ApiKey, hash_of
from tests.unit.gateway.api.filled import begun, small_model
from tests.unit.gateway.page.situations import SITES, SITUATIONS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from playwright.sync_api import Browser, Page

    from tests.unit.gateway.page.situations import Situation

__all__ = ["SIZES", "browsing", "drawn", "executable", "served"]

SIZES = {"phone": (390, 844), "desk": (1440, 900), "wall": (1920, 1080)}
PATIENCE_MS = 30_000
NAMES = ("chromium", "chromium-browser", "google-chrome")


def executable() -> str | None:
    """Return the browser of this machine, None where there is none."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


@contextmanager
def browsing() -> Iterator[Browser]:
    """Yield a browser without a window."""
    rights = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium does not run as root with its sandbox
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=rights)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def served(*situations: Situation, port: int = 0, key: str | None = None, control: str | None = None) -> Iterator[str]:
    """Serve a gateway whose history is that of some situations, perhaps with a key and a replay; yields its address."""
    with TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", port)) as listener:
        asked = begun(Path(folder), SITES, lambda: situations[0].now, control)
        asked.gateway.keys = [] if key is None else [ApiKey("desk", hash_of(key), is_revoked=False)]
        asked.shelf.put("1", small_model())
        for situation in situations:
            situation.fill(asked.database)
        asked.gateway.add(_silent_stream())
        config = uvicorn.Config(asked.gateway.application(), log_config=None, access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True  # the stream has no end
            thread.join()
            asked.database.close()


def _silent_stream() -> APIRouter:
    """Return a live stream on which nothing happens."""
    router = APIRouter()

    async def silence() -> AsyncIterator[bytes]:
        yield b": connected\n\n"
        await asyncio.Event().wait()

    @router.get("/api/v1/stream", include_in_schema=False)
    async def stream() -> StreamingResponse:
        return StreamingResponse(silence(), media_type="text/event-stream")

    return router


def drawn(page: Page, address: str) -> None:
    """Open a page of a zone, and wait until its chart is drawn."""
    page.goto(address, timeout=PATIENCE_MS)
    page.wait_for_selector("#chart[data-origin]", timeout=PATIENCE_MS)


def main() -> None:
    """Write a picture of each situation, and of the first one at each size, light and dark, in both languages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", choices=tuple(SITUATIONS))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with browsing() as browser:
        for name, situation in SITUATIONS.items():
            if arguments.only in (None, name):
                with served(situation) as address:
                    _pictures(browser, address, arguments.folder, name, every=name == "normal")

    with browsing() as browser, served(SITUATIONS["no-load"], SITUATIONS["quarter-hours"]) as address:
        _explored(browser, address, arguments.folder)


def _explored(browser: Browser, address: str, folder: Path) -> None:
    """Take pictures of all zones, of the past, and of what is shown when it is asked for."""
    width, height = SIZES["desk"]
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        page = context.new_page()
        page.goto(f"{address}/fleet")
        page.screenshot(path=folder / "fleet-desk.png", full_page=True)
        drawn(page, f"{address}/?site=tetouan&at=2017-10-19T10:00")
        page.screenshot(path=folder / "past-desk.png", full_page=True)
        drawn(page, f"{address}/?site=tetouan")
        page.check("#similar")
        page.locator("#similar-said", has_text="past days").wait_for()
        page.click("#hour-form button")
        page.wait_for_selector("#hour-chart .main-svg")
        page.click("#warmer")
        page.wait_for_selector("#if-chart .main-svg")
        page.focus("#chart")
        page.keyboard.press("PageDown")
        page.screenshot(path=folder / "explored-desk.png", full_page=True)


def _pictures(browser: Browser, address: str, folder: Path, name: str, *, every: bool) -> None:
    looks = [(size, theme, lang) for size in SIZES for theme in ("light", "dark") for lang in ("en", "es")]
    for size, theme, lang in looks if every else [("desk", "light", "en")]:
        width, height = SIZES[size]
        with browser.new_context(viewport={"width": width, "height": height}) as context:
            page = context.new_page()
            drawn(page, f"{address}/?lang={lang}&theme={theme}")
            page.screenshot(path=folder / f"{name}-{size}-{theme}-{lang}.png", full_page=True)


if __name__ == "__main__":
    main()
