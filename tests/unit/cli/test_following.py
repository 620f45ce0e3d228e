"""What a demo says as it begins."""

from __future__ import annotations

from cli.following import introduced


def test_services_that_begin_later_are_told_apart() -> None:
    """Nobody is sent to an address that does not answer yet."""
    names = ("ingestor", "forecaster", "monitor", "gateway")
    now, later = introduced({name: f"http://127.0.0.1:{port}" for port, name in enumerate(names, 8000)})
    assert now == "ingestor http://127.0.0.1:8000  forecaster http://127.0.0.1:8001  (/healthz /readyz /metrics)"
    told = "monitor http://127.0.0.1:8002  gateway http://127.0.0.1:8003"
    assert later == f"some time after the first forecast: {told}"
