"""The champions among the weather models: known before anybody asks, until the service stops."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING

import pytest

from services.gateway.weather_models import KEPT, NoModelError, WeatherModels, heeded
from shared.runtime.asked_registry import AskedRegistry
from shared.runtime.concerns import ModelSettings
from shared.runtime.settings import load
from shared.sites.table import site
from tests.unit.forecasting.test_artefact import array_with, replaced
from tests.unit.gateway.api.filled import Shelf

if TYPE_CHECKING:
    from pathlib import Path

    from shared.forecasting.weather import WeatherDemand

PATIENCE_S = 30.0


@dataclass
class Watched(Shelf):
    """A registry that tells whether it was asked, and whether it is asked no more."""

    asked: Event = field(default_factory=Event)
    stopped: bool = False

    def versions(self) -> dict[str, str]:
        """Return the champions."""
        self.asked.set()
        return dict(super().versions())

    def stop(self) -> None:
        """Note it."""
        self.stopped = True


def test_the_registry_is_asked_until_the_service_stops(tmp_path: Path, weather_model: WeatherDemand) -> None:
    """At the start, and for files when somebody needs them; then no more."""
    shelf = Watched(tmp_path)
    shelf.put("4", weather_model)
    models = WeatherModels(shelf, lambda _: {})

    async def serve() -> None:
        running = asyncio.create_task(models.run())
        assert await asyncio.to_thread(shelf.asked.wait, PATIENCE_S)
        champion = await asyncio.to_thread(models.champion, site("tetouan"), 2)
        assert champion.label == "weather-demand-tetouan-2/4"
        assert not shelf.stopped
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(serve())
    assert shelf.stopped


@dataclass
class Slow(Watched):
    """A registry that answers once it may."""

    may_answer: Event = field(default_factory=Event)

    def versions(self) -> dict[str, str]:
        """Return the champions, in the end."""
        found = super().versions()
        assert self.may_answer.wait(PATIENCE_S)
        return found


def test_nobody_waits_long_for_a_registry_that_is_slow(tmp_path: Path, weather_model: WeatherDemand) -> None:
    """It is said that the model is being fetched, which goes on; whoever asks again has it, fetched once."""
    shelf = Slow(tmp_path)
    shelf.put("4", weather_model)
    models = WeatherModels(shelf, lambda _: {}, patience_s=0.01)
    for _ in range(3):
        with pytest.raises(NoModelError, match="weather-demand-tetouan-2 is being fetched: ask again"):
            models.champion(site("tetouan"), 2)
    shelf.may_answer.set()
    end_s = monotonic() + PATIENCE_S
    champion = None
    while champion is None:
        assert monotonic() < end_s
        with suppress(NoModelError):
            champion = models.champion(site("tetouan"), 2)
    assert champion.label == "weather-demand-tetouan-2/4"
    assert shelf.fetched == 1


def test_a_registry_that_nobody_has_made_has_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No process is begun to ask it, and none is made."""
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    registry = AskedRegistry(load(ModelSettings))
    models = WeatherModels(registry, lambda _: {})
    with pytest.raises(
        NoModelError, match="no champion of weather-demand-tetouan-2 is registered: run `tetouan train`"
    ):
        models.champion(site("tetouan"), 2)
    assert list(tmp_path.iterdir()) == []
    registry.stop()


def test_a_file_that_is_no_model_is_named(tmp_path: Path, weather_model: WeatherDemand) -> None:
    """With what to do, and it is not read again at once."""
    shelf = Watched(tmp_path)
    shelf.put("4", weather_model)
    shelf.files["weather-demand-tetouan-2/4"].write_bytes(b"nothing")
    models = WeatherModels(shelf, lambda _: {})
    for _ in range(2):
        with pytest.raises(NoModelError, match=r"state\.npz is no whole weather-demand state \(.+\): run `tetouan"):
            models.champion(site("tetouan"), 2)
    assert shelf.fetched == 1


def test_a_file_that_breaks_its_parser_is_no_failure_of_the_gateway(
    tmp_path: Path, weather_model: WeatherDemand
) -> None:
    """It is one more file that is no model."""
    shelf = Watched(tmp_path)
    shelf.put("4", weather_model)
    replaced(shelf.files["weather-demand-tetouan-2/4"], "seen.npy", array_with("((("))
    with pytest.raises(NoModelError, match="is no whole weather-demand state"):
        WeatherModels(shelf, lambda _: {}).champion(site("tetouan"), 2)


def test_a_model_of_another_step_is_refused(tmp_path: Path, weather_model: WeatherDemand) -> None:
    """It would answer for other times."""
    shelf = Watched(tmp_path)
    shelf.put("4", weather_model)
    models = WeatherModels(shelf, lambda _: {})
    hourly = site("tetouan").model_copy(update={"step_minutes": 60})
    with pytest.raises(NoModelError, match="its step is 10 minutes, that of the site 60"):
        models.champion(hourly, 2)


def test_a_champion_that_nobody_tells_of_is_found(tmp_path: Path, weather_model: WeatherDemand) -> None:
    """The registry is listed again and again, so that a promotion by hand is seen; meanwhile it may be away."""
    shelf = Watched(tmp_path)
    shelf.put("4", weather_model)
    models = WeatherModels(shelf, lambda _: {}, list_every_s=0.01)

    async def becomes(label: str) -> None:
        end_s = monotonic() + PATIENCE_S
        while (await asyncio.to_thread(models.champion, site("tetouan"), 2)).label != label:
            assert monotonic() < end_s
            await asyncio.sleep(0.01)

    async def serve() -> None:
        running = asyncio.create_task(models.run())
        await becomes("weather-demand-tetouan-2/4")
        shelf.away = True
        shelf.asked.clear()
        assert await asyncio.to_thread(shelf.asked.wait, PATIENCE_S)
        await becomes("weather-demand-tetouan-2/4")
        shelf.put("5", weather_model)
        shelf.away = False
        await becomes("weather-demand-tetouan-2/5")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(serve())


@pytest.mark.parametrize(("tags", "version"), [("as_of=2017-10-19T04:30:00+00:00", "4"), ("", "7")])
def test_versions_with_tags_stay_whatever_is_promoted(
    tmp_path: Path, weather_model: WeatherDemand, monkeypatch: pytest.MonkeyPatch, tags: str, version: str
) -> None:
    """The registry lists them; without tags the version that was promoted last answers."""
    monkeypatch.setenv("TETOUAN_MODEL_TAGS", tags)
    shelf = Watched(tmp_path)
    shelf.put("4", weather_model)
    shelf.put("7", weather_model, champion=False)
    models = WeatherModels(shelf, heeded(load(ModelSettings), lambda _: {(2, "weather-demand-tetouan-2"): "7"}))
    for _ in range(2):
        assert models.champion(site("tetouan"), 2).label == f"weather-demand-tetouan-2/{version}"


def test_the_model_that_is_asked_for_most_is_kept(tmp_path: Path, weather_model: WeatherDemand) -> None:
    """Among more than are kept it is fetched once, although it was the first."""
    shelf = Watched(tmp_path)
    shelf.put("1", weather_model)
    path = shelf.files["weather-demand-tetouan-2/1"]
    for zone in range(1, KEPT + 3):
        name = f"weather-demand-tetouan-{zone}"
        shelf.champions[name], shelf.files[f"{name}/1"] = "1", path
    models = WeatherModels(shelf, lambda _: {})
    for zone in range(1, KEPT + 3):
        models.champion(site("tetouan"), 1)
        models.champion(site("tetouan"), zone)
    assert shelf.fetched == KEPT + 2
