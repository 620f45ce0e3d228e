"""The zip archive that a table is published in."""

from __future__ import annotations

import io
import zipfile

from shared.data.unpacking import MEMBER

__all__ = ["zipped"]


def zipped(content: bytes, name: str = MEMBER) -> bytes:
    """Return a zip archive with one member."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        opened.writestr(name, content)
    return archive.getvalue()
