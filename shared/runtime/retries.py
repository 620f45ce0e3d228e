"""Trying again while Kafka is the reason."""

from __future__ import annotations

import structlog
import tenacity
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from shared.runtime.diagnosis import NoAccessError

__all__ = ["patiently"]

log = structlog.get_logger()


def patiently(what: str, **context: object) -> tenacity.AsyncRetrying:
    """Try again for ever while Kafka is the reason, with a growing pause, and say so each time."""

    def say(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning(f"{what}, trying again", attempt=state.attempt_number, error=str(error), **context)  # noqa: G004 - one phrase a caller

    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type((KafkaError, KafkaException, NoAccessError)),
        wait=tenacity.wait_exponential(multiplier=0.2, max=5),
        before_sleep=say,
        reraise=True,
    )
