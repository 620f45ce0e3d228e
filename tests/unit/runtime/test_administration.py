"""Topics that somebody else has made: what they will not keep or not take is told, with what to change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.contracts import topics
from shared.runtime.administration import Kept, complaints, uneven

if TYPE_CHECKING:
    from shared.contracts.topics import Topic

OURS = {"retention.ms": "-1", "max.message.bytes": "1114112", "cleanup.policy": "delete", "min.insync.replicas": "1"}
WEEK_MS = str(7 * 24 * 3600 * 1000)


def told(topic: Topic, changes: dict[str, str], replicas: int = 1) -> list[str]:
    """Return the complaints about a topic like ours but for some settings, given with `_` for a dot."""
    config = OURS | {name.replace("_", "."): value for name, value in changes.items()}
    return complaints("t", topic, Kept(config, replicas))


@pytest.mark.parametrize("topic", topics.ALL, ids=lambda topic: topic.name)
def test_a_topic_that_keeps_all_and_takes_all_is_right(topic: Topic) -> None:
    """One like those that we make; one that keeps for longer than it must; one that says nothing of itself."""
    assert told(topic, {}) == []
    assert told(topic, {"retention_bytes": "-1"}) == []
    assert complaints("t", topic, Kept({}, 1)) == []


@pytest.mark.parametrize(
    ("topic", "changes", "line"),
    [
        (
            topics.CLEAN,
            {"retention_ms": WEEK_MS},
            "7 days, and are needed for ever: set retention.ms=-1 on it",
        ),
        (topics.FORECASTS, {"retention_ms": WEEK_MS}, "needed for 30 days: set retention.ms=2592000000 on it"),
        (topics.RAW, {"retention_bytes": "1000"}, "deleted beyond 1000 bytes a partition"),
        (
            topics.CLEAN,
            {"cleanup_policy": "compact"},
            "removes all records of a site but the last: set",
        ),
        (topics.CLEAN, {"cleanup_policy": "compact,delete"}, "cleanup.policy=compact,delete removes all"),
        (
            topics.FORECASTS,
            {"max_message_bytes": "100000"},
            "of more than 100000 bytes are refused: set max",
        ),
        (topics.REJECTED, {"max_message_bytes": "1048588"}, "of more than 1048588 bytes are refused"),
        (topics.SCORES, {"min_insync_replicas": "2"}, "min.insync.replicas=2 of 1 replicas: nothing we send is taken"),
    ],
)
def test_each_thing_that_will_go_wrong_is_one_line(topic: Topic, changes: dict[str, str], line: str) -> None:
    """It names the topic, what happens, and the setting to change."""
    (complaint,) = told(topic, changes)
    assert complaint.startswith("topic t: ")
    assert line in complaint.replace(", ours may have 1114112", "").replace(", ours may have 1048576", "")


@pytest.mark.parametrize(
    ("topic", "changes", "replicas"),
    [
        (topics.RAW, {"retention_ms": WEEK_MS}, 1),
        (topics.RAW, {"max_message_bytes": "1000"}, 1),
        (topics.FORECASTS, {"max_message_bytes": "1048588"}, 1),
        (topics.FORECASTS, {"retention_ms": str(60 * 24 * 3600 * 1000)}, 1),
        (topics.SCORES, {"min_insync_replicas": "2"}, 3),
    ],
)
def test_what_does_no_harm_is_not_told(topic: Topic, changes: dict[str, str], replicas: int) -> None:
    """Kept for long enough, the default size for all but dead letters, enough replicas; and we send no raw readings."""
    assert told(topic, changes, replicas) == []


def test_topics_that_are_read_together_need_equally_many_partitions() -> None:
    """A key stands on partitions of one number only then; the line says which has how many, and which to change."""
    assert uneven({"clean": 12, "forecasts": 12}) is None
    assert uneven({"raw": 3}) is None
    line = uneven({"clean": 12, "forecasts": 4}) or ""
    assert "clean has 12, forecasts has 4" in line
    assert "--topic forecasts --partitions 12" in line
