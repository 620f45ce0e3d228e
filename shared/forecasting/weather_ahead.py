"""What the weather says of the time a day after each reading, and for how long a reading without weather goes by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.contracts.messages import LARGEST_KW

if TYPE_CHECKING:
    from shared.forecasting.zone import Zone

__all__ = ["WeatherAhead"]


class WeatherAhead:
    """Writes what the weather says into the history of a zone, a day ahead of the readings.

    Whether it says anything is decided at the end of a block and holds for the next: until then nothing that a weather
    says changes which levels can answer.
    """

    def __init__(self, zone: Zone, held_minutes: int) -> None:
        self._zone = zone
        self._held_steps = zone.grid.steps(held_minutes)[0]

    def foresee(self, step: int, weather_kw: float) -> None:
        """Note what weather and calendar say, at a step that was taken, of the same time tomorrow; NaN for nothing."""
        zone = self._zone
        if abs(weather_kw) <= LARGEST_KW:
            zone.outlook.weather_step = step
            zone.history.foresee(step, max(weather_kw, zone.floor_kw))
        elif step > zone.outlook.dark_step:
            self._let_stand(step, 1)

    def hold(self, step: int) -> None:
        """Let what the weather said last stand for the time a day after the step; after some hours, nothing does."""
        outlook = self._zone.outlook
        if (step % self._zone.grid.day + 1) % self._zone.block_steps == 0:
            dark = outlook.weather_step < 0 or step - outlook.weather_step > self._held_steps
        else:
            dark = outlook.dark_step == step - 1
        if dark:
            outlook.dark_step = step
        else:
            self._let_stand(step, 1)

    def hold_on(self, step: int, count: int) -> None:
        """Do the same for so many steps from this one on, none of which ends a block."""
        outlook = self._zone.outlook
        if outlook.dark_step == step - 1:
            outlook.dark_step += count
        else:
            self._let_stand(step, count)

    def _let_stand(self, step: int, count: int) -> None:
        """Let what was said last stand after so many steps; where the one before was dark, that is of before it."""
        history, outlook = self._zone.history, self._zone.outlook
        said_step = outlook.weather_step if outlook.dark_step == step - 1 else step - 1
        history.foresee(step, history.foreseen_kw(said_step), count)
