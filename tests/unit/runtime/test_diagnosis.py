"""What the brokers refuse, in one line that names the thing and how to permit it."""

from __future__ import annotations

import pytest
from aiokafka import errors
from confluent_kafka import KafkaError, KafkaException
from pydantic import SecretStr

from shared.runtime.access import Access
from shared.runtime.diagnosis import explain, why_refused

ACCESS = Access("kafka:9092", "SASL_PLAINTEXT", "PLAIN", "app", SecretStr("not-to-be-told"))


@pytest.mark.parametrize(
    ("error", "resource", "words"),
    [
        (errors.TopicAuthorizationFailedError("clean"), None, ("topic clean", "--topic clean")),
        (errors.TopicAuthorizationFailedError({"clean", "raw"}), None, ("topic clean, raw",)),
        (errors.GroupAuthorizationFailedError("ingestor"), None, ("consumer group ingestor", "--group ingestor")),
        (errors.TransactionalIdAuthorizationFailed("a-b-0"), None, ("transactional id a-b-0", "--transactional-id")),
        (errors.KafkaError("TopicAuthorizationFailedError()"), "clean", ("topic clean",)),
        (errors.KafkaError("TopicAuthorizationFailedError()"), None, ("the topic",)),
        (KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)), "clean", ("topic clean",)),
        (KafkaException(KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED)), None, ("the cluster", "IdempotentWrite")),
    ],
)
def test_a_missing_permission_is_named(error: Exception, resource: str | None, words: tuple[str, ...]) -> None:
    """With broker, user, the thing, and the command that permits it; no password."""
    line = why_refused(ACCESS, error, resource) or ""
    for word in ("kafka:9092", "user 'app'", "User:app", *words):
        assert word in line
    assert "\n" not in line
    assert "not-to-be-told" not in line


@pytest.mark.parametrize(
    "error",
    [
        errors.KafkaConnectionError("away"),
        errors.KafkaTimeoutError(),
        KafkaException(KafkaError(KafkaError.REQUEST_TIMED_OUT)),
    ],
)
def test_another_error_is_no_missing_permission(error: Exception) -> None:
    """A broker that is away permits nothing and refuses nothing."""
    assert why_refused(ACCESS, error) is None


@pytest.mark.parametrize(
    "error",
    [
        KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)),
        KafkaException(KafkaError(KafkaError._UNKNOWN_TOPIC)),  # noqa: SLF001 - the client's public name
        errors.UnknownTopicOrPartitionError(),
    ],
    ids=repr,
)
def test_a_topic_that_is_not_there_is_no_broker_that_is_slow(error: KafkaException | errors.KafkaError) -> None:
    """No broker is asked again: the line says how the topic is made."""
    line = explain(Access("127.0.0.1:1"), error, "readings.raw.v1")
    assert line.startswith("the Kafka broker at 127.0.0.1:1 has no topic readings.raw.v1 (")
    assert line.endswith("): start the services, or run `tetouan topics`")
    assert " has no such topic (" in explain(Access("127.0.0.1:1"), error)
