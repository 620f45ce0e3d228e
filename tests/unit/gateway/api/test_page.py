"""The page about the interface names what the OpenAPI document has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.unit.gateway.api.filled import Asked

PAGE = (Path(__file__).parents[4] / "docs" / "api.md").read_text(encoding="utf-8")
BASE, OF_ZONE = "/api/v1", "/sites/{site}/zones/{zone}"


def paths_of(asked: Asked) -> dict[str, dict[str, Any]]:
    """Return the operations of each path, as the page writes it."""
    paths: dict[str, dict[str, Any]] = asked.gateway.get("/openapi.json").json()["paths"]
    return {path.removeprefix(BASE).replace(OF_ZONE, "…"): operations for path, operations in paths.items()}


def test_the_page_names_each_path(asked: Asked) -> None:
    """Those of a zone by their ends."""
    paths = {path: path.replace("…", OF_ZONE) for path in paths_of(asked)}
    missing = [short for short, whole in paths.items() if f"`{short}`" not in PAGE and f"`{whole}`" not in PAGE]
    assert missing == []


def test_the_page_has_the_limit_of_each_list(asked: Asked) -> None:
    """Its default, and its maximum."""
    rows = {cells[1].strip(" `"): cells[-3:-1] for line in PAGE.splitlines() if len(cells := line.split("|")) == 6}
    limits = {
        path: [f" {parameter['schema']['default']} ", f" {parameter['schema']['maximum']} "]
        for path, operations in paths_of(asked).items()
        for parameter in operations.get("get", {}).get("parameters", ())
        if parameter["name"] == "limit"
    }
    assert len(limits) == 5
    assert {path: rows.get(path) for path in limits} == limits
