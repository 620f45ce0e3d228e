"""The metrics of versions of which no message has told."""

from __future__ import annotations

from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any

from services.gateway.registered_metrics import RegisteredMetrics
from shared.runtime.registry import RegistryError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PATIENCE_S = 30.0


def item(version: str | None, **metrics: float) -> dict[str, Any]:
    """Return a version as it is answered."""
    return {"model": "m", "version": version, "metrics": metrics}


def test_what_was_told_stays_and_the_rest_is_asked_once() -> None:
    """Of versions without metrics alone, in one question; what the registry has said is not asked again."""
    asked: list[Collection[str]] = []

    def ask(labels: Collection[str]) -> Mapping[str, Mapping[str, float]]:
        asked.append(labels)
        return {label: {"rmse_kw": 2.0} for label in labels}

    metrics = RegisteredMetrics(ask, PATIENCE_S)
    for _ in range(2):
        items = [item("1", rmse_kw=1.0), item("2"), item("3"), item(None)]
        metrics.complete(items)
        assert [each["metrics"] for each in items] == [{"rmse_kw": 1.0}, {"rmse_kw": 2.0}, {"rmse_kw": 2.0}, {}]
    assert [sorted(labels) for labels in asked] == [["m/2", "m/3"]]


def test_nobody_waits_long_for_a_registry_that_is_slow() -> None:
    """The answer comes without metrics, and with them once the registry has told them."""
    may_answer = Event()

    def ask(labels: Collection[str]) -> Mapping[str, Mapping[str, float]]:
        assert may_answer.wait(PATIENCE_S)
        return {label: {"rmse_kw": 2.0} for label in labels}

    metrics = RegisteredMetrics(ask, 0.01)
    items = [item("2")]
    metrics.complete(items)
    assert items == [item("2")]
    may_answer.set()
    end_s = monotonic() + PATIENCE_S
    while not items[0]["metrics"]:
        assert monotonic() < end_s
        metrics.complete(items)
    assert items == [item("2", rmse_kw=2.0)]


def test_a_registry_that_is_away_leaves_them_out() -> None:
    """Whoever asks is answered all the same."""

    def ask(_: Collection[str]) -> Mapping[str, Mapping[str, float]]:
        raise RegistryError("the registry is away: start its server")

    items = [item("2")]
    RegisteredMetrics(ask, PATIENCE_S).complete(items)
    assert items == [item("2")]
