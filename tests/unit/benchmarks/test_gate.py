"""The gate of a release."""

from __future__ import annotations

import json

import pytest

from benchmarks.gate import REFERENCE, compared, main
from shared.forecasting.leads import lead_groups


@pytest.mark.parametrize(
    ("rmse_kw", "passes"), [(100.0, True), (100.9, True), (101.1, False), (50.0, True), (None, False)]
)
def test_a_group_may_be_one_percent_worse(rmse_kw: float | None, passes: bool) -> None:  # noqa: FBT001 - a column of the table
    """Better is no reason to stop, and a figure that has vanished is."""
    (group,) = compared({"2": {"10": rmse_kw}}, {"2": {"10": 100.0}})
    assert group.passes is passes


def test_what_fails_says_what_to_do() -> None:
    """In words for whoever reads the log."""
    worse, lost = compared({"2": {"10": 102.0, "60": None}}, {"2": {"10": 100.0, "60": 200.0}})
    assert worse.verdict.startswith("2.0% worse than the last release (at most 1%)")
    assert lost.verdict.startswith("there is no figure any more")


def test_a_zone_without_a_reference_does_not_pass() -> None:
    """Nobody would notice if it became worse."""
    (group,) = compared({"2": {"10": 1e9}}, {"1": {"10": 100.0}})
    assert not group.passes
    assert "--write" in group.verdict


def test_the_references_are_of_each_zone_and_lead_group() -> None:
    """So that none passes because nobody has looked."""
    reference = json.loads(REFERENCE.read_text())
    groups = {group.key for group in lead_groups(10)} | {"mean"}
    assert {zone: set(groups_) for zone, groups_ in reference.items()} == dict.fromkeys("123", groups)


def test_another_year_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Its figures would say nothing."""
    with pytest.raises(SystemExit) as ended:
        main(["--data", "synthetic"])
    assert ended.value.code == 2
    assert "the references are of the published year, this is SYNTHETIC" in capsys.readouterr().err
