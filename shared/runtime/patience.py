"""How long the runtime waits for what, in one place: tests hand in shorter times, and patch none."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Patience"]


@dataclass(frozen=True)
class Patience:
    """Times in seconds.

    Attributes
    ----------
    admin_s
        For a question to the brokers.
    batch_s
        For the batches in hand, when partitions are given back or the service stops.
    begin_s
        For the first transaction of a producer.
    explain_s
        For finding out why the brokers do not answer: several questions of five seconds.
    goodbye_s
        For a producer to end what it has begun, before its connections are closed.
    keep_s
        For the last snapshots, at the end.
    look_every_s
        Between two looks at a record that cannot be fetched.
    place_s
        For what a place of snapshots does in a second.
    refused_s
        After an error of the group, or a missing permission, until the next poll.
    request_s
        For an answer of the brokers to a consumer.
    rest_s
        How long the state of a partition that was given back stays in memory.
    shown_s
        How long a refusal is shown after the last one; what is refused is asked for more often.
    stop_s
        For the whole end of the consume loop.
    transact_s
        For what a broker does in 10 ms; aiokafka itself would wait for ever.
    watch_s
        Between two looks at the broker and the lag.
    """

    admin_s: float = 5.0
    batch_s: float = 5.0
    begin_s: float = 10.0
    explain_s: float = 60.0
    goodbye_s: float = 2.0
    keep_s: float = 4.0
    look_every_s: float = 15.0
    place_s: float = 30.0
    refused_s: float = 1.0
    request_s: float = 5.0
    rest_s: float = 120.0
    shown_s: float = 5.0
    stop_s: float = 8.0
    transact_s: float = 30.0
    watch_s: float = 1.0
