"""A replay is paused and sped up over its socket; what is no tempo is refused by name."""

from __future__ import annotations

import socket

import httpx
import pytest

from replay.control import serve_control
from replay.pacing import Tempo


@pytest.fixture(name="tempo")
def _tempo() -> Tempo:
    """That of a replay of ten readings a second."""
    return Tempo(10)


@pytest.fixture(name="address")
def _address(tempo: Tempo) -> str:
    """Where it is changed; the server ends with the process."""
    listener = socket.create_server(("127.0.0.1", 0))
    return serve_control(listener.detach(), tempo)


def test_the_tempo_is_told_and_changed(address: str, tempo: Tempo) -> None:
    """What is not named stays as it is."""
    assert httpx.get(address).json() == {"rate_per_s": 10, "paused": False}
    assert httpx.post(address, json={"paused": True}).json() == {"rate_per_s": 10, "paused": True}
    assert httpx.post(address, json={"rate_per_s": 0.5}).json() == {"rate_per_s": 0.5, "paused": True}
    assert tempo == Tempo(0.5, paused=True)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"rate_per_s": -1}', "rate_per_s"),
        (b'{"paused": "yes"}', "paused"),
        (b'{"speed": 1}', "speed"),
        (b"{", "JSON"),
    ],
)
def test_what_is_no_tempo_is_refused(address: str, tempo: Tempo, body: bytes, named: str) -> None:
    """By name, and nothing changes."""
    answer = httpx.post(address, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert named in answer.json()["detail"]
    assert tempo == Tempo(10)


def test_a_form_of_another_page_changes_nothing(address: str, tempo: Tempo) -> None:
    """A browser sends it without asking first."""
    assert httpx.post(address, content=b'{"paused": true}', headers={"Content-Type": "text/plain"}).status_code == 415
    assert httpx.get(address.replace("control", "other")).status_code == 404
    assert tempo == Tempo(10)
