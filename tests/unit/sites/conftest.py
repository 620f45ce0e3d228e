"""Files of sites for the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], Path]:
    """Write a file of sites and return its path."""

    def write(text: str) -> Path:
        path = tmp_path / "sites.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write
