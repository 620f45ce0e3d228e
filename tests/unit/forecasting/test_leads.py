"""The lead groups: named in minutes, scored at a lead that the step allows."""

from __future__ import annotations

import pytest

from shared.forecasting.leads import asked_groups, lead_groups, lead_name


@pytest.mark.parametrize(
    ("step_minutes", "groups"),
    [
        (5, [(10, 10, 2), (60, 60, 12), (360, 360, 72), (1440, 1440, 288)]),
        (10, [(10, 10, 1), (60, 60, 6), (360, 360, 36), (1440, 1440, 144)]),
        (15, [(10, 15, 1), (60, 60, 4), (360, 360, 24), (1440, 1440, 96)]),
        (20, [(10, 20, 1), (60, 60, 3), (360, 360, 18), (1440, 1440, 72)]),
        (30, [(10, 30, 1), (60, 60, 2), (360, 360, 12), (1440, 1440, 48)]),
        (60, [(60, 60, 1), (360, 360, 6), (1440, 1440, 24)]),
    ],
)
def test_a_group_is_scored_at_the_nearest_longer_lead_of_the_step(
    step_minutes: int, groups: list[tuple[int, int, int]]
) -> None:
    """Name, lead scored and its steps; a group that would equal a longer one is left out."""
    assert [tuple(group) for group in lead_groups(step_minutes)] == groups


def test_an_operator_asks_for_the_next_reading_the_next_hour_and_the_next_day() -> None:
    """Each under the lead that it really is."""
    assert [f"+{group.shown}" for group in asked_groups(15)] == ["+15 min", "+1 h", "+24 h"]
    assert [f"+{group.shown}" for group in asked_groups(60)] == ["+1 h", "+24 h"]


@pytest.mark.parametrize(("minutes", "name"), [(10, "10 min"), (60, "1 h"), (1440, "24 h"), (70, "1 h 10 min")])
def test_leads_have_names(minutes: int, name: str) -> None:
    """Minutes and hours, without the one that is zero."""
    assert lead_name(minutes) == name
