"""A service whose records are mostly refused is not ready, names the reason, and recovers by itself."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry, Gauge

from shared.contracts import topics
from shared.contracts.messages import DeadLetter
from shared.runtime.health import Health
from shared.runtime.records import Outgoing
from shared.runtime.rejections import Rejections
from tests.unit.consumed import Consumed

if TYPE_CHECKING:
    from collections.abc import Sequence


class Setting:
    """What is counted and told."""

    def __init__(self, max_share: float = 0.5) -> None:
        self.health = Health(broker_up=True)
        self.registry = CollectorRegistry()
        self.rejections = Rejections(max_share, self.health, Gauge("share", "", registry=self.registry))
        self.offset = 0

    def batch(self, outcomes: Sequence[str]) -> None:
        """Account for records of these reasons, empty where one was accepted; then look twice."""
        records = [Consumed(topic="raw", offset=self.offset + number) for number in range(len(outcomes))]
        self.offset += len(outcomes)
        letters = [letter(record, reason) for record, reason in zip(records, outcomes, strict=True) if reason]
        self.rejections.account(records, [Outgoing(topics.CLEAN.name, b"", b""), *letters])
        self.rejections.look()
        self.rejections.look()


def letter(record: Consumed, reason: str) -> Outgoing:
    """Return the dead letter of a record."""
    said = DeadLetter(
        reason=reason,
        field="site",
        value=f"{reason} advice",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        received=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return Outgoing(topics.REJECTED.name, None, b"", tuple(said.to_headers()))


def test_most_records_refused_is_not_ready_with_the_top_reason_and_its_advice() -> None:
    """The text says share, setting, reason, where the last one stands, and what to do."""
    setting = Setting()
    setting.batch(["unknown_site"] * 4 + ["no_time"] * 3 + [""] * 3)
    ready, evidence = setting.health.ready()
    assert not ready
    assert evidence["waiting_for"] == {
        "records": "70% of the last 10 records are dead letters, above the 50% of TETOUAN_MAX_REJECTED_SHARE; 4 of "
        "them unknown_site, the last one at raw-0 offset 3: site: unknown_site advice"
    }
    assert setting.registry.get_sample_value("share") == 0.7


def test_it_recovers_by_itself() -> None:
    """As soon as accepted records are the larger share of the last fifty."""
    setting = Setting()
    setting.batch(["unknown_site"] * 60)
    assert not setting.health.ready()[0]
    setting.batch([""] * 24)
    assert not setting.health.ready()[0]
    setting.batch([""])
    assert setting.health.ready()[0]


@pytest.mark.parametrize("outcomes", [["no_time"] * 9, ["no_time", ""] * 25, [""] * 50 + ["no_time"] * 25])
def test_few_records_or_half_of_them_do_not_matter(outcomes: list[str]) -> None:
    """Ten are needed for a share, and it has to be above the setting; order within a batch is that of its records."""
    setting = Setting()
    setting.batch(outcomes)
    assert setting.health.ready()[0]


def test_a_burst_between_two_looks_does_not_matter() -> None:
    """Only what lasts for two looks is told."""
    setting = Setting()
    setting.rejections.account(
        [Consumed(offset=n) for n in range(20)], [letter(Consumed(offset=n), "no_time") for n in range(20)]
    )
    setting.rejections.look()
    assert setting.health.ready()[0]


def test_with_a_share_of_one_it_is_always_ready() -> None:
    """Where all may be refused, none makes it unready."""
    setting = Setting(max_share=1)
    setting.batch(["unknown_site"] * 60)
    assert setting.health.ready()[0]
