"""The published year over the network: one attempt that gives up soon, and a cache that never holds a torn file."""

from __future__ import annotations

import io
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import httpx

from shared.data.dialect import Survey
from shared.data.errors import DataError
from shared.data.published import is_published
from shared.data.unpacking import unpacked

__all__ = ["Progress", "UnreachableError", "download"]

CONNECT_S = 3.5  # name lookup and handshakes included; leaves time to have another year within 5 s
STALL_S = 10.0
WHOLE_S = 300.0
LIMIT_BYTES = 64 * 2**20
REMEDY = "mend the download address or give a file with --data"

Progress = Callable[[int, int | None], None]
"""Told, in another thread, the bytes that have come and the bytes in all, None where the server does not say."""


class UnreachableError(Exception):
    """The address gave no file; the message says why."""


def download(url: str, cached: Path, progress: Progress) -> bytes:
    """Fetch the published table, put it at ``cached`` in one move and return it.

    Raises
    ------
    UnreachableError
        No connection, an answer that is no file, or one that broke off.
    DataError
        The address is none, what came is not the published year, or it cannot be kept.
    """
    raw, host = _fetch(url, progress), httpx.URL(url).host
    with unpacked(lambda: io.BytesIO(raw), host)() as unpacking:
        table = unpacking.read()
    sha256 = Survey.of(io.BytesIO(table)).sha256
    if not is_published(sha256):
        raise DataError(f"{host}: not the published year (sha256 {sha256}): {REMEDY}")
    try:
        _keep(table, cached)
    except OSError as error:
        raise DataError(
            f"cache {cached.parent}: {error.strerror}: make the folder writable or choose another"
        ) from error
    return table


def _fetch(url: str, progress: Progress) -> bytes:
    """Return the body of the answer; a name lookup cannot be timed out, so a thread does it that can be left behind."""
    connected, abandoned = threading.Event(), threading.Event()
    body: Future[bytes] = Future()

    def watch(event: str, _: object) -> None:
        if event == "http11.send_request_headers.started":
            if abandoned.is_set():
                raise UnreachableError("given up")
            connected.set()

    def work() -> None:
        try:
            body.set_result(_body(url, progress, watch))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller's thread raises it
            body.set_exception(error)
        finally:
            connected.set()

    threading.Thread(target=work, name="download", daemon=True).start()
    if not connected.wait(CONNECT_S):
        abandoned.set()
        raise UnreachableError(f"{httpx.URL(url).host}: no connection within {CONNECT_S:g} s")
    return body.result()


def _body(url: str, progress: Progress, watch: Callable[[str, object], None]) -> bytes:
    deadline = time.monotonic() + WHOLE_S
    body = bytearray()
    timeout = httpx.Timeout(STALL_S, connect=CONNECT_S)
    try:
        with (
            httpx.Client(timeout=timeout, follow_redirects=True) as client,
            client.stream("GET", url, extensions={"trace": watch}) as answer,
        ):
            if not answer.is_success:
                raise UnreachableError(f"{answer.url.host}: status {answer.status_code}")
            length = answer.headers.get("Content-Length")
            for chunk in answer.iter_bytes():
                body += chunk
                progress(answer.num_bytes_downloaded, int(length) if length else None)
                if len(body) > LIMIT_BYTES:
                    raise DataError(f"{answer.url.host}: more than {LIMIT_BYTES:,} bytes: {REMEDY}")
                if time.monotonic() > deadline:
                    raise UnreachableError(f"{answer.url.host}: not complete within {WHOLE_S:.0f} s")
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise DataError(f"download address {url!r}: write http:// or https://, a host and a path") from error
    except httpx.HTTPError as error:
        raise UnreachableError(f"{httpx.URL(url).host}: {str(error) or type(error).__name__}") from error
    return bytes(body)


def _keep(table: bytes, cached: Path) -> None:
    """Write beside the place and move into it: nobody ever sees a part, and of two writers the last one wins whole."""
    cached.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cached.parent, prefix=".download-") as folder:
        part = Path(folder, cached.name)
        part.write_bytes(table)
        part.replace(cached)
