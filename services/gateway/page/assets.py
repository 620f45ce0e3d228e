"""The files that the page is made of; they stand under an address that changes with them, so browsers keep them."""

from __future__ import annotations

import gzip
import hashlib
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from fastapi import Request, Response

from services.gateway.http.problems import Problem

__all__ = ["Assets"]

FOLDER = Path(__file__).parent / "static"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
PLOTLY = "plotly.min.js"
FOR_EVER, NEVER = "private, max-age=31536000, immutable", "no-store"


class Assets:
    """The files beside this module, and the script of the installed Plotly."""

    def __init__(self) -> None:
        self._raw = {file.name: file.read_bytes() for file in sorted(FOLDER.iterdir()) if file.suffix in KINDS}
        self._packed: dict[str, bytes] = {}

    @cached_property
    def version(self) -> str:
        """What changes with the files."""
        size = self._plotly.stat().st_size
        return hashlib.blake2b(b"".join([*self._raw.values(), str(size).encode()]), digest_size=8).hexdigest()

    @cached_property
    def plotly(self) -> str:
        """The address of Plotly's script."""
        return self.url(PLOTLY)

    def url(self, name: str) -> str:
        """Return the address of a file."""
        return f"/page/{self.version}/{name}"

    def answer(self, request: Request, version: str, name: str) -> Response:
        """Return a file; raises ``Problem`` where there is none.

        Under the address of another version, which a page of another replica asks for during an upgrade, it is that of
        this version, and not to be kept.
        """
        if name not in self._raw and name != PLOTLY:
            raise Problem.of(404, "path", name, "the page has no such file: load the page again")
        is_own = version == self.version
        headers = {"Cache-Control": FOR_EVER if is_own else NEVER, "Vary": "Accept-Encoding"}
        if is_own:
            headers["ETag"] = f'"{version}"'
            if headers["ETag"] in request.headers.get("if-none-match", ""):
                return Response(status_code=304, headers=headers)
        kind = KINDS[Path(name).suffix]
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self._pack(name), headers={**headers, "Content-Encoding": "gzip"}, media_type=kind)
        return Response(self._read(name), headers=headers, media_type=kind)

    def _pack(self, name: str) -> bytes:
        if name not in self._packed:
            self._packed[name] = gzip.compress(self._read(name), mtime=0)
        return self._packed[name]

    def _read(self, name: str) -> bytes:
        """Return a file; the 4.6 MB of Plotly's script are kept packed alone."""
        return self._plotly.read_bytes() if name == PLOTLY else self._raw[name]

    @cached_property
    def _plotly(self) -> Path:
        found = find_spec("plotly")  # its import takes a while, and nothing else of it is needed
        if found is None or not found.submodule_search_locations:
            raise ModuleNotFoundError("plotly is not installed: install the dependencies of this package")
        return Path(found.submodule_search_locations[0]) / "package_data" / PLOTLY
