"""Trying again while Kafka is the reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
import tenacity
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException

from shared.runtime.diagnosis import NoAccessError, why_refused

if TYPE_CHECKING:
    from shared.runtime.access import Access
    from shared.runtime.health import Health

__all__ = ["Refusals", "retrying"]

log = structlog.get_logger()


@dataclass(frozen=True)
class Refusals:
    """Shows in `/readyz`, under ``key``, what the brokers do not let us do, for as long as they do not."""

    access: Access
    health: Health
    key: str

    def note(self, error: BaseException | None) -> str | None:
        """Show the line for an error that is a refusal, and return it; take it away where there is no error."""
        line = None if error is None else why_refused(self.access, error)
        if line is not None:
            self.health.waiting_for[self.key] = line
        elif error is None:
            self.health.waiting_for.pop(self.key, None)
        return line


def retrying(
    what: str, refusals: Refusals | None = None, *, only_refused: bool = False, **context: object
) -> tenacity.AsyncRetrying:
    """Try again for ever while Kafka is the reason, with a growing pause, and say so each time.

    With ``only_refused`` it has to be a missing permission.
    """

    def again(state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        line = refusals and refusals.note(error)
        kafka = isinstance(error, (KafkaError, KafkaException, NoAccessError))
        return line is not None if only_refused else kafka

    def say(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        line = (refusals and refusals.note(error)) or str(error)
        log.warning(f"{what}, trying again", attempt=state.attempt_number, error=line, **context)  # noqa: G004 - one phrase a caller

    return tenacity.AsyncRetrying(
        retry=again, wait=tenacity.wait_exponential(multiplier=0.2, max=5), before_sleep=say, reraise=True
    )
