"""The outages that a backtest went through: their hours are true, and no model could have foreseen them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime

    from shared.forecasting.model import ZoneForecast
    from shared.sites.grid import Grid

__all__ = ["Outages"]

_SHOWN = 3


@dataclass
class _Spell:
    last_step: int  # the last one that was taken for one of the outage
    over: bool = False


class Outages:
    """What the forecasts of one zone have said of outages, each by its first step."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._spells: dict[int, _Spell] = {}

    def add(self, forecast: ZoneForecast) -> None:
        """Take note of what a forecast says; they come by rising origin."""
        if (out := forecast.outage) is None:
            return
        if out.until_step is None:
            self._spells[out.since_step] = _Spell(forecast.origin_step)
        elif spell := self._spells.get(out.since_step):
            spell.last_step, spell.over = out.until_step - 1, True

    def __bool__(self) -> bool:
        return bool(self._spells)

    def __str__(self) -> str:
        """Say in one line from when to when load was out, of the first ones where there are many."""
        told = [
            f"from {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC ({count:,} readings{back})"
            for since, until, count, over in self._all()
            for back in ("" if over else ", not back",)
        ]
        more = f" and {len(told) - _SHOWN:,} times more" if len(told) > _SHOWN else ""
        return f"load was out {', '.join(told[:_SHOWN])}{more}" if told else "load was never out"

    def to_json(self) -> list[dict[str, Any]]:
        """Return for machines from when to when each lasted, how many steps, and whether the load came back."""
        return [
            {"from": since.isoformat(), "until": until.isoformat(), "readings": count, "back": over}
            for since, until, count, over in self._all()
        ]

    def _all(self) -> list[tuple[datetime, datetime, int, bool]]:
        return [
            (
                self._grid.time_of(since),
                self._grid.time_of(spell.last_step + 1),
                spell.last_step + 1 - since,
                spell.over,
            )
            for since, spell in self._spells.items()
        ]
