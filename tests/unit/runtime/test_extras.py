"""What an install without the extra says."""

from __future__ import annotations

from shared.runtime.extras import lacking_opcua, lacking_workbench


def test_what_is_there_is_not_talked_of() -> None:
    """The tests run with all extras."""
    assert lacking_workbench("a report", "evidently") is None
    assert lacking_opcua("a server") is None


def test_what_is_missing_is_named_with_the_way_to_install_it() -> None:
    """One line."""
    why = lacking_workbench("a report", "no_such_package") or ""
    assert why.startswith("a report needs no_such_package, of the extra `workbench`: pip install")
    assert "\n" not in why
    assert "[opcua]" in (lacking_opcua("a server", "no_such_package") or "")
