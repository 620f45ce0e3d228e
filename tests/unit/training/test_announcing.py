"""What a training tells running forecasters."""

from __future__ import annotations

import socket
from datetime import UTC, datetime, timedelta

from shared.runtime.concerns import KafkaSettings
from shared.runtime.registry import ModelVersion
from shared.runtime.settings import load
from shared.sites.table import site
from shared.training.announcing import announce, events_of
from shared.training.training import Trained, TrainingReport

AS_OF = datetime(2017, 10, 19, 4, 30, tzinfo=UTC)


def trained(name: str, version: str, *, promoted: bool) -> Trained:
    """Return a model that a training has registered."""
    return Trained(ModelVersion(name, version, {}, {"rmse_kw": 310.5}), promoted=promoted, reason="not worse")


def test_each_version_is_told_and_the_promoted_ones_once_more() -> None:
    """From the first reading on that they have not seen; the demand model of a zone after its weather model."""
    models = (
        trained("zone-demand-tetouan-2", "3", promoted=True),
        trained("weather-demand-tetouan-2", "1", promoted=False),
    )
    events = events_of(TrainingReport("data", AS_OF, AS_OF + timedelta(days=9), models, ()), site("tetouan"))
    assert [(event.model, event.version, event.change) for event in events] == [
        ("weather-demand-tetouan-2", "1", "registered"),
        ("zone-demand-tetouan-2", "3", "registered"),
        ("zone-demand-tetouan-2", "3", "promoted"),
    ]
    assert {(event.site, event.zone, event.role, event.reason) for event in events} == {
        ("tetouan", 2, "champion", "not worse")
    }
    assert {event.origin for event in events} == {AS_OF + timedelta(minutes=10)}
    assert events[-1].evidence == {"rmse_kw": 310.5}


def test_where_no_broker_answers_one_line_says_so() -> None:
    """It is no failure of the training."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        settings = load(KafkaSettings, kafka_bootstrap=f"127.0.0.1:{nobody.getsockname()[1]}")
        written, why = announce([], settings)
    assert written == 0
    assert why is not None
    assert "does not answer" in why
    assert "\n" not in why
