"""What the brokers refuse, in one line that names the thing and how to permit it."""

from __future__ import annotations

import pytest
from aiokafka import errors
from confluent_kafka import KafkaError, KafkaException
from pydantic import SecretStr

from shared.runtime.access import Access
from shared.runtime.diagnosis import why_refused

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
