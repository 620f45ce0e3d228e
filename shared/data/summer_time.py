"""Whether times were read from a clock that changes, although nobody said so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from shared.data.errors import DataError

if TYPE_CHECKING:
    from shared.sites.site import Site

__all__ = ["require_no_summer_time"]

CLOCKS = (
    *("Europe/London", "Europe/Berlin", "Europe/Athens", "America/New_York", "America/Chicago", "America/Denver"),
    *("America/Los_Angeles", "America/Halifax", "America/Santiago", "Africa/Cairo", "Asia/Jerusalem", "Asia/Beirut"),
    *("Australia/Sydney", "Australia/Adelaide", "Pacific/Auckland"),
)
"""Zones that change their clocks at different times: every rule in force today, the frequent ones first."""


def require_no_summer_time(times: pd.DatetimeIndex, site: Site, name: str) -> None:
    """Raise `DataError` where times without an offset, read as UTC, skip or repeat an hour as a clock does."""
    shown = times.dropna().tz_localize(None)
    step, hour = pd.Timedelta(site.grid.length), pd.Timedelta(hours=1)
    ordered = shown.unique().sort_values()
    before_gap = ordered[:-1][np.diff(ordered) == step + hour]
    daylight = np.ones(len(before_gap), bool)
    for zone in CLOCKS:
        skipped = before_gap[(before_gap + step).tz_localize(zone, ambiguous=daylight, nonexistent="NaT").isna()]
        if len(skipped):
            raise _clock_changes(name, site, f"skips {skipped[0] + step:%Y-%m-%d %H:%M}", zone)
    again = shown[shown.duplicated()].unique()
    for zone in CLOCKS:
        repeated = again[again.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward").isna()]
        if len(repeated) >= hour // step:
            raise _clock_changes(name, site, f"repeats {repeated[0]:%Y-%m-%d %H:%M}", zone)


def _clock_changes(name: str, site: Site, seen: str, zone: str) -> DataError:
    found = f"{name}: column {site.time_column!r} {seen}, as the clock of {zone} does and UTC never"
    return DataError(f"{found}: give --time-zone, such as {zone}, or UTC if it is")
