"""Whether a service makes progress (`/healthz`) and whether it can answer (`/readyz`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog

from shared.runtime.clock import monotonic_s

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BROKER_AWAY", "Health", "Reason", "WaitsOfPartitions"]

STALLED_S = 60.0


class Reason(StrEnum):
    """What a service may wait for before it is ready."""

    ASSIGNMENT = "assignment"
    BROKER = "broker"
    DATABASE = "database"
    MODELS = "models"
    PAST = "past"
    PUBLISHING = "publishing"
    READING = "reading"
    RECORDS = "records"
    STATE = "state"
    TRANSACTIONS = "transactions"


OUTSIDE = (
    Reason.TRANSACTIONS,
    Reason.DATABASE,
    Reason.MODELS,
    Reason.READING,
    Reason.PUBLISHING,
    Reason.PAST,
)
"""What is waited for and comes from outside: a restart would wait for it as well."""
BROKER_AWAY = "the Kafka broker does not answer: check TETOUAN_KAFKA_BOOTSTRAP"

log = structlog.get_logger()


@dataclass
class Health:
    """The state that the consume loop keeps and the HTTP answers show.

    ``waiting_for`` holds what is still missing before the service is ready, by name, each with what to do about it.
    """

    waiting_for: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    """By partition, which record cannot be fetched, and what to do about it."""
    lag_records: int = 0
    broker_up: bool = False
    broker_fault: str = BROKER_AWAY
    """Why it is not, and what to do about it."""
    failure: BaseException | None = None
    on_failure: Callable[[], None] = lambda: None
    _progress_s: float = field(default_factory=monotonic_s)

    def progressed(self) -> None:
        """Note that a batch was finished, or that there is nothing to do."""
        self._progress_s = monotonic_s()

    def fail(self, error: BaseException) -> None:
        """Note the failure that ends the service: what follows it must not be committed.

        Only the first one is kept: the others may follow from it.
        """
        log.error("failing", error=repr(error))  # at once, as the way to the end may fail too
        if self.failure is None:
            self.failure = error
        self.on_failure()

    def live(self) -> tuple[bool, dict[str, object]]:
        """Return whether work moves on, with the evidence.

        A broker that does not answer, begins no transaction, or does not permit something, a record that cannot be
        fetched, and a registry that has no models are no reason for a restart: the service waits and says so in
        ``/readyz``.
        """
        idle_s = monotonic_s() - self._progress_s
        waits = not self.broker_up or bool(self.unreadable) or not self.waiting_for.keys().isdisjoint(OUTSIDE)
        stalled = not waits and self.lag_records > 0 and idle_s > STALLED_S
        evidence: dict[str, object] = {"seconds_since_progress": round(idle_s, 1), "lag_records": self.lag_records}
        return not stalled and self.failure is None, evidence

    def ready(self) -> tuple[bool, dict[str, object]]:
        """Return whether the service can answer, with what it waits for."""
        missing = self.waiting_for | self.unreadable
        if not self.broker_up:
            missing[Reason.BROKER] = self.broker_fault
        return not missing, {"waiting_for": missing, "notes": self.notes}


class WaitsOfPartitions:
    """One line of `/readyz`, made of what several partitions wait for.

    Parameters
    ----------
    health
        Where it is shown.
    reason
        Under which name.
    """

    def __init__(self, health: Health, reason: Reason) -> None:
        self._health = health
        self._reason = reason
        self._lines: dict[int, str] = {}

    def note(self, number: int, line: str) -> None:
        """Show what a partition waits for."""
        self._lines[number] = line
        self.show()

    def done(self, number: int) -> None:
        """Show no more that this partition waits."""
        self._lines.pop(number, None)
        self.show()

    def show(self) -> None:
        """Show what is waited for, or nothing."""
        if not self._lines:
            self._health.waiting_for.pop(self._reason, None)
            return
        by_line: dict[str, list[int]] = {}
        for number, line in sorted(self._lines.items()):
            by_line.setdefault(line, []).append(number)
        shown = (f"{line} (partition {', '.join(map(str, numbers))})" for line, numbers in by_line.items())
        self._health.waiting_for[self._reason] = "; ".join(shown)
