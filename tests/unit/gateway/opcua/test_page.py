"""The document about the OPC UA server says what the code does."""

from __future__ import annotations

from pathlib import Path

import pytest
from asyncua import ua

from services.gateway.opcua.server import STATUS, TYPES
from services.gateway.opcua.tags import LEVELS, SEVERITIES, Kind, Quality, Tag, tags_of
from services.gateway.settings import GatewaySettings

PAGE = (Path(__file__).parents[4] / "docs" / "scada.md").read_text(encoding="utf-8")
LEADS_MINUTES = GatewaySettings.model_fields["opcua_leads_minutes"].default


@pytest.mark.parametrize("tag", tags_of(LEADS_MINUTES), ids=lambda tag: tag.name)
def test_each_tag_has_its_row(tag: Tag) -> None:
    """With its type and unit; of the bounds those of the first lead stand for all."""
    name, kind = tag.name, tag.kind
    rows = [row for row in PAGE.splitlines() if row.startswith("| `") and f"`{name}`" in row]
    if not rows:
        assert name.endswith(("Low", "High"))
        return
    (row,) = rows
    unit = f", {kind.value}" if kind in {Kind.KW, Kind.PER_CENT} else ""
    assert f"| {TYPES[kind][0].name}{unit} |" in row


@pytest.mark.parametrize("quality", Quality, ids=lambda quality: quality.name)
def test_each_status_has_its_row(quality: Quality) -> None:
    """As OPC UA names it."""
    name = ua.StatusCode(STATUS[quality]).name
    assert [row for row in PAGE.splitlines() if row.startswith(f"| `{name}` |")]


def test_numbers_of_levels_and_severities_are_those_of_the_code() -> None:
    """In their order."""
    for names in (LEVELS, SEVERITIES):
        assert ", ".join(f"{number} {name}" for number, name in enumerate(names)) in PAGE
