"""The champions: waited for where there is nothing else, asked for beside a running service where there is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from services.forecaster import champions as asked
from services.forecaster.champions import Champions
from services.forecaster.metrics import ForecasterMetrics
from services.forecaster.settings import ForecasterSettings
from shared.runtime.health import Health
from shared.runtime.metrics import new_registry
from shared.runtime.registry import RegistryError
from shared.runtime.settings import load

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from services.forecaster.issuing import ZoneModels

Zones = tuple["ZoneModels", ...]
Answers = Callable[..., list[RegistryError | Zones]]


class Setting:
    """A registry that answers as it is told, the last answer for ever."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: list[RegistryError | Zones] = []
        self.questions = 0
        self.health = Health(broker_up=True)
        self.registry: CollectorRegistry = new_registry()
        self._gauge = ForecasterMetrics(self.registry).champions_confirmed
        monkeypatch.setattr(asked, "load_models", self._answer)

    def champions(self, **settings: object) -> Champions:
        """Return what asks it."""
        return Champions(load(ForecasterSettings, zones=(1, 2), **settings), self.health, self._gauge)

    def _answer(self, *_: object) -> Zones:
        answer = self.answers[min(self.questions, len(self.answers) - 1)]
        self.questions += 1
        if isinstance(answer, RegistryError):
            raise answer
        return answer

    @property
    def confirmed(self) -> float | None:
        """The metric."""
        return self.registry.get_sample_value("tetouan_champions_confirmed")


@pytest.fixture
def setting(monkeypatch: pytest.MonkeyPatch) -> Setting:
    """A registry that can be told what to answer."""
    return Setting(monkeypatch)


NONE = RegistryError("no champion of zone-demand-tetouan-1 is registered: run `tetouan train`")


def test_who_has_to_begin_again_begins_with_them_as_they_were(setting: Setting, fresh: Zones) -> None:
    """They are asked for once; what one core has made of them is not in those of the next."""
    setting.answers = [fresh]
    champions = setting.champions()

    async def run() -> None:
        first = await champions.fetch()
        last_step = first[0].demand.last_step
        assert last_step is not None
        first[0].demand.partial_fit(last_step + 1, 20_000.0)
        second = await champions.fetch()
        assert second[0].demand.last_step == last_step

    asyncio.run(run())
    assert (setting.questions, setting.confirmed) == (1, 1)


def test_where_they_do_not_come_in_time_there_are_none(setting: Setting) -> None:
    """Each zone begins with a state that has seen nothing, and the registry has confirmed nothing."""
    setting.answers = [NONE]
    zones = asyncio.run(setting.champions(models_wait_s=0).fetch())
    assert [zone.zone for zone in zones] == [1, 2]
    assert not any(zone.names.demand or zone.demand.last_step for zone in zones)
    assert setting.confirmed == 0
    assert setting.health.waiting_for == {}


def test_without_the_models_with_the_wanted_tags_there_is_no_start(setting: Setting) -> None:
    """Others would have seen what is to be forecast."""
    setting.answers = [NONE]
    with pytest.raises(RegistryError, match="no champion"):
        asyncio.run(setting.champions(models_wait_s=0, model_tags=("as_of=2018",)).fetch())


def test_beside_a_service_that_is_ready_the_registry_is_asked_until_it_answers(setting: Setting, fresh: Zones) -> None:
    """Not before; meanwhile health says why nothing is confirmed. Who runs other models hears of it."""
    setting.answers = [NONE, fresh]
    setting.health.waiting_for["state"] = "the state is being rebuilt"
    champions, notes = setting.champions(), setting.health.notes

    async def run() -> None:
        confirming = asyncio.create_task(champions.confirm())
        await asyncio.sleep(0)
        assert setting.questions == 0
        assert not champions.supersede(fresh)
        del setting.health.waiting_for["state"]
        async with asyncio.timeout(30):
            while notes.get("champions") != str(NONE):  # noqa: ASYNC110 - nothing tells of a note
                await asyncio.sleep(0.01)
            await confirming

    asyncio.run(run())
    assert (setting.questions, setting.confirmed, notes) == (2, 1, {})
    assert not champions.supersede(fresh)
    assert champions.supersede(fresh[:1])


def test_who_has_fetched_them_asks_no_more(setting: Setting, fresh: Zones) -> None:
    """The registry has said what is to run."""
    setting.answers = [fresh]
    champions = setting.champions()

    async def run() -> None:
        await champions.fetch()
        await champions.confirm()

    asyncio.run(run())
    assert setting.questions == 1
