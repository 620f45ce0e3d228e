"""Liveness is progress, readiness is an answer that can be given."""

from __future__ import annotations

import pytest

from shared.runtime.clock import monotonic_s
from shared.runtime.health import Health


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let two minutes pass after the health was made."""
    now_s = monotonic_s()
    monkeypatch.setattr("shared.runtime.health.monotonic_s", lambda: now_s + 120)


def test_no_progress_while_there_is_work_is_not_live(request: pytest.FixtureRequest) -> None:
    """A service that has lag and finishes nothing for a minute should be restarted."""
    state = Health(lag_records=5, broker_up=True)
    request.getfixturevalue("later")
    live, evidence = state.live()
    assert not live
    assert evidence["lag_records"] == 5


@pytest.mark.parametrize(("lag_records", "broker_up"), [(0, True), (5, False)])
def test_idleness_and_a_missing_broker_are_no_reason_for_a_restart(
    request: pytest.FixtureRequest, *, lag_records: int, broker_up: bool
) -> None:
    """Nothing to do, or nobody to ask: the service stays."""
    state = Health(lag_records=lag_records, broker_up=broker_up)
    request.getfixturevalue("later")
    assert state.live()[0]


def test_a_wait_for_transactions_is_no_reason_for_a_restart(request: pytest.FixtureRequest) -> None:
    """Whoever is started in its place would wait as well."""
    state = Health(lag_records=5, broker_up=True, waiting_for={"transactions": "none can be begun"})
    request.getfixturevalue("later")
    assert state.live()[0]
    assert not state.ready()[0]


def test_a_failure_is_not_live_and_ends_the_service() -> None:
    """A failed batch is told to whoever runs the service."""
    told: list[str] = []
    state = Health(on_failure=lambda: told.append("stop"))
    state.fail(ValueError("boom"))
    assert told == ["stop"]
    assert not state.live()[0]


def test_ready_names_what_is_missing() -> None:
    """Until broker and assignment are there, the answer says what it waits for and what to check."""
    state = Health(waiting_for={"assignment": "joining"})
    ready, evidence = state.ready()
    assert not ready
    assert evidence["waiting_for"] == {
        "assignment": "joining",
        "broker": "the Kafka broker does not answer: check TETOUAN_KAFKA_BOOTSTRAP",
    }
    state.waiting_for.clear()
    state.broker_up = True
    assert state.ready()[0]
