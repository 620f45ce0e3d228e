"""What a training tells running forecasters."""

from __future__ import annotations

import math
import socket
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from shared.runtime.concerns import KafkaSettings
from shared.runtime.registry import ModelVersion
from shared.runtime.settings import load
from shared.sites.table import site
from shared.training.announcing import _Known, announce, event_of, events_of
from shared.training.training import Trained, TrainingReport

if TYPE_CHECKING:
    from confluent_kafka import Message

    from shared.contracts.messages import ModelEvent

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


@dataclass
class Written:
    """A record of the topic."""

    event: ModelEvent
    at: tuple[int, int] = (0, 0)

    def value(self) -> bytes:
        """Return its bytes."""
        return self.event.to_bytes()

    def partition(self) -> int:
        """Return where it stands."""
        return self.at[0]

    def timestamp(self) -> tuple[int, int]:
        """Return when it was written."""
        return 0, self.at[1]


def promoted(version: str, name: str = "zone-demand-tetouan-2") -> ModelEvent:
    """Return the event of a promotion."""
    return event_of(ModelVersion(name, version, {}, {}), "promoted", "tetouan", AS_OF, "why")


def test_the_champion_told_last_is_known_of_each_model() -> None:
    """A, B and A again are three events; A once more is none. What is told of another model changes nothing."""
    known, written = _Known(), []
    for version in ("A", "B", "A", "A"):
        if not known.tells(promoted(version)):
            written.append(version)
            known.take(cast("Message", Written(promoted(version))))
        known.take(cast("Message", Written(promoted("7", "weather-demand-tetouan-2"))))
    assert written == ["A", "B", "A"]


def test_of_two_champions_on_two_partitions_the_later_is_known() -> None:
    """Whichever is read first."""
    records = [Written(promoted("1"), (0, 50)), Written(promoted("2"), (1, 40))]
    for order in (records, records[::-1]):
        known = _Known()
        for record in order:
            known.take(cast("Message", record))
        assert [known.tells(promoted(version)) for version in ("1", "2")] == [True, False]


def test_a_figure_that_is_no_number_is_no_evidence() -> None:
    """An event holds finite numbers alone."""
    version = ModelVersion("zone-demand-tetouan-2", "1", {}, {"rmse_kw": math.nan, "mae_kw": 3.0})
    assert event_of(version, "promoted", "tetouan", AS_OF, "why").evidence == {"mae_kw": 3.0}
