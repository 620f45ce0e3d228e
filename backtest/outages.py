"""The outages that a backtest went through: their hours are true, and no model could have foreseen them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.forecasting.outage import Fate

if TYPE_CHECKING:
    from datetime import datetime

    from shared.forecasting.model import ZoneForecast
    from shared.sites.grid import Grid

__all__ = ["Outages"]

_SHOWN = 3


@dataclass(frozen=True)
class _Spell:
    end_step: int  # the first step after it, as far as is known
    fate: Fate


_WORDS = {
    Fate.LASTS: ", not back",
    Fate.BACK: "",
    Fate.DOUBTED: ", not believed: load was out or the meter failed",
    Fate.HABIT: ", out at these hours again: then learned as a habit",
    Fate.FOR_GOOD: ", not back: lost for good",
}


class Outages:
    """What the forecasts of one zone have said of outages, each by its first step."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._spells: dict[int, _Spell] = {}

    def add(self, forecast: ZoneForecast) -> None:
        """Take note of what a forecast says; they come by rising origin.

        What was over before the first of them is left out.
        """
        if (out := forecast.outage) is None:
            return
        if out.until_step is None:
            self._spells[out.since_step] = _Spell(forecast.origin_step + 1, out.fate)
        elif out.since_step in self._spells or forecast.origin_step == out.until_step:
            self._spells[out.since_step] = _Spell(out.until_step, out.fate)

    def hold(self, step: int) -> bool:
        """Tell whether a step lies in one of them."""
        return any(since <= step < spell.end_step for since, spell in self._spells.items())

    def __bool__(self) -> bool:
        return bool(self._spells)

    def __str__(self) -> str:
        """Say in one line from when to when load was out, of the first ones where there are many."""
        told = [
            f"from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC ({count:,} readings{_WORDS[fate]})"
            for since, until, count, fate in self._all()
        ]
        more = f" and {len(told) - _SHOWN:,} times more" if len(told) > _SHOWN else ""
        return f"load was out {', '.join(told[:_SHOWN])}{more}" if told else "load was never out"

    def to_json(self) -> list[dict[str, Any]]:
        """Return for machines from when to when each lasted, how many steps, and what has become of it.

        ``back`` tells whether the load came back; ``fate`` is ``lasts``, ``back``, ``doubted`` (back before its
        readings were believed), ``habit`` or ``for_good``.
        """
        return [
            {
                "from": since.isoformat(),
                "until": until.isoformat(),
                "readings": count,
                "back": fate in {Fate.BACK, Fate.DOUBTED},
                "fate": fate.name.lower(),
            }
            for since, until, count, fate in self._all()
        ]

    def _all(self) -> list[tuple[datetime, datetime, int, Fate]]:
        return [
            (self._grid.time_of(since), self._grid.time_of(spell.end_step), spell.end_step - since, spell.fate)
            for since, spell in self._spells.items()
        ]
