"""What a user says about a file, in place of what would be found out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.data.numbers import Mark
    from shared.sites.site import Kind, StepMinutes, Unit

__all__ = ["SEPARATORS", "Hints"]

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}


@dataclass(frozen=True)
class Hints:
    """None, or nothing, for what is to be found out.

    Attributes
    ----------
    separator, decimal
        What stands between two cells, and before the decimals.
    time_column, columns
        The names of the column of times, and of those that hold a load.
    time_zone, country
        IANA name of the zone of times without an offset; ISO 3166-1 code of the country whose holidays count.
    day_first
        Whether times are written day/month/year.
    step_minutes
        From one reading to the next.
    unit, kind
        Of the loads, as in the table of a site.
    guess
        Whether the site is guessed where its table does not fit the file, or where these say what a table would.
    """

    separator: str | None = None
    decimal: Mark | None = None
    time_column: str | None = None
    columns: tuple[str, ...] = ()
    time_zone: str | None = None
    country: str | None = None
    day_first: bool | None = None
    step_minutes: StepMinutes | None = None
    unit: Unit | None = None
    kind: Kind | None = None

    guess: bool = True

    @property
    def of_a_site(self) -> bool:
        """Whether anything is said that the table of a site would say."""
        return replace(self, guess=False) != self.dialect

    @property
    def dialect(self) -> Hints:
        """What is said of how the file is written; with it nothing is guessed."""
        return Hints(separator=self.separator, decimal=self.decimal, guess=False)
