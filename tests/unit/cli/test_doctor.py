"""`tetouan doctor`: which checks are run, and what is shown of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich.console import Console

from cli import observing
from cli.doctor import examined, report, show
from cli.findings import Finding
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    import pytest

    from cli.settings import DemoSettings


def refused() -> DemoSettings:
    """Stand for settings that cannot be used."""
    raise Refused("TETOUAN_ZONES='x': give numbers")


def test_bad_settings_leave_the_checks_that_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with them is a finding, and nothing is looked for where they would say."""
    monkeypatch.setattr(observing, "docker_of", lambda: (False, "there is none"))
    found = examined(refused, {}, Console(file=io.StringIO()))
    states = {each.check: each.state for each in found}
    assert states["settings"] == "wrong"
    assert len(found) == 4
    assert not report(found)["well"]


def test_each_finding_is_a_row_with_what_to_do() -> None:
    """Nothing is cut off where nobody has a terminal."""
    written = io.StringIO()
    show([Finding("ports", "wrong", "8000 is taken by a browser", "end it")], Console(file=written, width=200))
    assert [word in written.getvalue() for word in ("ports", "wrong", "taken by a browser", "end it")] == [True] * 4
