"""The gateway forwards to the replay of a demo what an operator wants of it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from replay.control import serve_control
from replay.pacing import Tempo
from tests.unit.gateway.api.filled import begun, fill

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shared.forecasting.weather import WeatherDemand
    from tests.unit.gateway.api.filled import Asked


def test_the_pace_of_a_replay_is_changed_over_the_gateway(tmp_path: Path, weather_model: WeatherDemand) -> None:
    """Its page has the buttons, `/control` changes the tempo, and what is no tempo is refused as the replay says."""
    tempo = Tempo(10)
    address = serve_control(socket.create_server(("127.0.0.1", 0)).detach(), tempo)
    asked = begun(tmp_path, control=address)
    fill(asked, weather_model)
    assert 'id="control-form"' in asked.gateway.get("/").text
    assert asked.gateway.get("/control").json() == {"rate_per_s": 10, "paused": False}
    assert asked.gateway.post("/control", b'{"paused": true}').json()["paused"]
    assert tempo.paused
    refused = asked.gateway.post("/control", b'{"rate_per_s": -1}')
    assert refused.status_code == 422
    assert "rate_per_s" in refused.json()["detail"]
    asked.database.close()


def test_without_a_demo_there_is_nothing_to_change(situated: Callable[[str], Asked]) -> None:
    """The page has no buttons, and the path says where there are some."""
    asked = situated("normal")
    assert 'id="control-form"' not in asked.gateway.get("/").text
    answer = asked.gateway.get("/control")
    assert answer.status_code == 404
    assert "tetouan demo" in answer.json()["detail"]


def test_a_replay_that_has_ended_is_said(tmp_path: Path) -> None:
    """It is no fault of the gateway."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    asked = begun(tmp_path, control=f"http://127.0.0.1:{port}/control")
    assert asked.gateway.get("/control").status_code == 503
    asked.database.close()
