"""From the cache, over the network, or not at all: what a machine without a file of its own gets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from shared.data import download
from shared.data.year import DataError, find_year
from tests.unit.data.archive import zipped
from tests.unit.data.tables import identity

if TYPE_CHECKING:
    from pathlib import Path

Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Loopback is reached directly, whatever this machine's environment says."""
    monkeypatch.setenv("NO_PROXY", "*")


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Serve every request with ``answer`` on loopback; yields the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the parent gives it
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/year.zip"
        finally:
            server.shutdown()
            thread.join()


def with_body(body: bytes, *, status: int = 200, length: int | None = None) -> Answer:
    """Answer with the body; ``length`` is what is promised where it is not what comes."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body) if length is None else length))
        request.end_headers()
        request.wfile.write(body)

    return answer


def test_the_published_year_is_downloaded_verified_and_cached(published: bytes, tmp_path: Path) -> None:
    """Progress reaches the whole; afterwards the cache answers although the server is gone."""
    archive, told = zipped(published), list[tuple[int, int | None]]()
    cache = tmp_path / "state" / "cache"
    with serving(with_body(archive)) as url:
        year = find_year(None, cache, url=url, progress=lambda done, total: told.append((done, total)))
    assert (year.source, year.reason) == ("uci", None)
    assert told[-1] == (len(archive), len(archive))
    assert [path.read_bytes() for path in cache.iterdir()] == [published]
    assert find_year(None, cache, url=url).sha256 == year.sha256


def test_a_redirect_is_followed(published: bytes, tmp_path: Path) -> None:
    """An address that has moved still gives the year."""

    def moved(request: BaseHTTPRequestHandler) -> None:
        if request.path == "/moved":
            return with_body(zipped(published))(request)
        request.send_response(302)
        request.send_header("Location", "/moved")
        request.send_header("Content-Length", "0")
        return request.end_headers()

    with serving(moved) as url:
        assert find_year(None, tmp_path, url=url).source == "uci"


def test_two_downloads_at_once_do_not_hurt_each_other(published: bytes, tmp_path: Path) -> None:
    """Both get the year, the cache holds one whole file and nothing else."""
    together = threading.Barrier(2, timeout=10)

    def answer(request: BaseHTTPRequestHandler) -> None:
        together.wait()
        with_body(zipped(published))(request)

    with serving(answer) as url, ThreadPoolExecutor(2) as pool:
        years = list(pool.map(lambda _: find_year(None, tmp_path, url=url), range(2)))
    assert [year.source for year in years] == ["uci", "uci"]
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [published]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: zipped(table.replace(b"14.9", b"14.8")), "not the published year"),
        (lambda table: table.replace(b"14.9", b"14.8"), "not the published year"),
        (lambda _: b"<html>please sign in</html>", "not the published year"),
        (lambda table: zipped(table)[:-30], "the zip is broken"),
    ],
)
def test_what_is_not_the_published_year_is_refused(
    published: bytes, tmp_path: Path, change: Callable[[bytes], bytes], said: str
) -> None:
    """One line, and nothing enters the cache."""
    with serving(with_body(change(published))) as url, pytest.raises(DataError, match=rf"^127\.0\.0\.1: {said}"):
        find_year(None, tmp_path, url=url)
    assert not list(tmp_path.iterdir())


def test_a_download_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than the limit is not read."""
    monkeypatch.setattr(download, "LIMIT_BYTES", 1000)
    with serving(with_body(bytes(5000))) as url, pytest.raises(DataError, match="more than 1,000 bytes"):
        find_year(None, tmp_path, url=url)


def test_a_torn_download_leaves_nothing(published: bytes, tmp_path: Path) -> None:
    """A connection that breaks off gives the synthetic year and says so."""
    archive = zipped(published)
    with serving(with_body(archive[:-10], length=len(archive))) as url:
        year = find_year(None, tmp_path, url=url)
    assert year.synthetic
    assert year.reason is not None
    assert "could not be downloaded (127.0.0.1: peer closed connection" in year.reason
    assert not list(tmp_path.iterdir())


def test_a_download_that_stalls_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that falls silent does not hold up the start."""
    monkeypatch.setattr(download, "STALL_S", 0.1)
    over = threading.Event()

    def silent(request: BaseHTTPRequestHandler) -> None:
        with_body(b"PK", length=1000)(request)
        over.wait(10)

    with serving(silent) as url:
        year = find_year(None, tmp_path, url=url)
        over.set()
    assert year.synthetic
    assert "timed out" in str(year.reason)


def test_an_address_without_the_file_gives_the_synthetic_year(tmp_path: Path) -> None:
    """The reason carries the status."""
    with serving(with_body(b"gone", status=404)) as url:
        year = find_year(None, tmp_path, url=url)
    assert year.synthetic
    assert "127.0.0.1: status 404" in str(year.reason)


def test_a_name_lookup_that_hangs_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The synthetic year comes while the lookup, which no socket timeout ends, still hangs."""
    over = threading.Event()

    def hang(*_: object, **__: object) -> None:
        over.wait(60)
        over.set()
        raise socket.gaierror("no answer")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    year = find_year(None, tmp_path)
    was_over = over.is_set()
    over.set()
    assert year.label == "SYNTHETIC year 2018"
    assert "no connection within 3.5 s" in str(year.reason)
    assert not was_over


def test_a_refused_connection_is_not_tried_again(tmp_path: Path) -> None:
    """One attempt, then the synthetic year with the reason."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        year = find_year(None, tmp_path, url=f"http://127.0.0.1:{bound.getsockname()[1]}/year.zip")
    assert year.synthetic
    assert "refused" in str(year.reason)


@pytest.mark.parametrize("url", ["", "archive", "ftp://archive/year.zip", "http://[::1"])
def test_an_address_that_is_none_is_refused(tmp_path: Path, url: str) -> None:
    """A typing error is no reason for made-up data."""
    with pytest.raises(DataError, match=r"^download address .*: write http:// or https://"):
        find_year(None, tmp_path, url=url)


def test_an_error_of_the_progress_display_is_not_swallowed(published: bytes, tmp_path: Path) -> None:
    """What goes wrong while the download is watched is raised where it was asked for."""

    def fail(done: int, total: int | None) -> None:
        raise ZeroDivisionError(f"{done} of {total}")

    with serving(with_body(zipped(published))) as url, pytest.raises(ZeroDivisionError):
        find_year(None, tmp_path, url=url, progress=fail)


def test_a_changed_cache_is_refused(published: bytes, tmp_path: Path) -> None:
    """The line says which file to delete."""
    with serving(with_body(zipped(published))) as url:
        find_year(None, tmp_path, url=url)
    (cached,) = tmp_path.iterdir()
    cached.write_bytes(published.replace(b"14.9", b"14.8"))
    assert identity(cached.read_bytes()) != identity(published)
    with pytest.raises(DataError, match=rf"^{cached}: .* delete it"):
        find_year(None, tmp_path, url=url)


def test_a_cache_that_cannot_be_written_is_refused(published: bytes, tmp_path: Path) -> None:
    """The line names the folder."""
    blocked = tmp_path / "cache"
    blocked.write_text("a file where the folder should be")
    with (
        serving(with_body(zipped(published))) as url,
        pytest.raises(DataError, match=rf"^cache {blocked}: .*: make the folder writable"),
    ):
        find_year(None, blocked, url=url)
