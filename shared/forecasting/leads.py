"""The lead groups of every score, metric and table: named in minutes, whatever the step of a site is."""

from __future__ import annotations

from typing import NamedTuple, get_args

from shared.contracts.messages import LeadMinutes
from shared.sites.grid import Grid

__all__ = ["MEAN", "NOMINAL_MINUTES", "LeadGroup", "asked_groups", "lead_groups", "lead_name"]

NOMINAL_MINUTES: tuple[LeadMinutes, ...] = get_args(LeadMinutes)
"""The names of the groups."""

MEAN = "mean"
"""The key of the mean over all leads, in results and metrics."""

_ASKED_MINUTES = (10, 60, 1440)


class LeadGroup(NamedTuple):
    """A lead that stands for others: its name, and the lead that is scored under it."""

    lead_minutes: LeadMinutes
    scored_minutes: int
    steps: int

    @property
    def key(self) -> str:
        """The name of the group as a key of results and a label of metrics."""
        return str(self.lead_minutes)

    @property
    def shown(self) -> str:
        """The lead itself as people say it."""
        return lead_name(self.scored_minutes)


def lead_groups(step_minutes: int) -> tuple[LeadGroup, ...]:
    """Return the groups of a site by rising lead.

    A group is scored at the nearest lead that the step allows and that is not shorter than its name. One that would
    equal a longer group is left out: at a step of 60 minutes there is no group 10.

    Parameters
    ----------
    step_minutes
        Minutes from one reading to the next, above 0.

    Examples
    --------
    >>> [(group.lead_minutes, group.shown) for group in lead_groups(60)]
    [(60, '1 h'), (360, '6 h'), (1440, '24 h')]
    """
    grid = Grid(step_minutes)
    names = {grid.covering(minutes): minutes for minutes in NOMINAL_MINUTES}  # of equal leads the longest name stays
    return tuple(LeadGroup(minutes, grid.minutes(lead), lead) for lead, minutes in names.items())


def asked_groups(step_minutes: int) -> tuple[LeadGroup, ...]:
    """Return the groups that an operator asks for first: the next reading, the next hour, the next day."""
    return tuple(group for group in lead_groups(step_minutes) if group.lead_minutes in _ASKED_MINUTES)


def lead_name(minutes: int) -> str:
    """Return a lead as people say it: minutes below an hour, whole hours, or both."""
    hours, rest = divmod(int(minutes), 60)
    return " ".join([f"{hours} h"] * (hours > 0) + [f"{rest} min"] * (rest > 0))
