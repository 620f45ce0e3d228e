"""What keeps us from the Kafka brokers, in one line that says what to change.

librdkafka tells why it cannot connect only beside its calls, which just time out, and aiokafka only in its log. So
whoever gets no answer asks here: an administration client connects once more and is listened to.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from aiokafka.conn import create_conn
from aiokafka.errors import BrokerResponseError, KafkaError
from aiokafka.protocol.admin import SaslHandShakeRequest
from confluent_kafka import KafkaError as Fault
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

if TYPE_CHECKING:
    from shared.runtime.access import Access

__all__ = ["NoAccessError", "explain", "why_no_answer", "why_refused"]

ANSWER_S = 5.0
ATTEMPTS = 5
PROBE_S = 2.0
NO_ANSWER = "does not answer"
CHECK_ADDRESS = "start it, such as with `tetouan demo` in another terminal, or set TETOUAN_KAFKA_BOOTSTRAP"

# what the brokers refuse, by Kafka's number: the kind of thing, its setting in Kafka's tools, and the operations
_ACLS = {
    29: ("topic", "--topic", "Read, Write or Describe"),
    30: ("consumer group", "--group", "Read"),
    31: ("cluster", "--cluster", "IdempotentWrite, or Write on a topic,"),
    53: ("transactional id", "--transactional-id", "Write"),
}

_NO_TOPIC = (Fault._UNKNOWN_TOPIC, Fault.UNKNOWN_TOPIC_OR_PART)  # noqa: SLF001 - the client's public names

_NAMES = {29: "TopicAuthorizationFailed", 30: "GroupAuthorizationFailed", 53: "TransactionalIdAuthorizationFailed"}


class NoAccessError(Exception):
    """The brokers do not let us in, or do what we need; the message is one line that says what to change."""


def explain(
    access: Access,
    error: KafkaException | KafkaError | NoAccessError,
    resource: str | None = None,
    answer_s: float = ANSWER_S,
) -> str:
    """Return one line for an error of any of the clients; asks the broker, for ``answer_s``, where it has no answer.

    ``resource`` is the topic, group or transactional id that was asked for, where the error may not name it.
    """
    if isinstance(error, NoAccessError):
        return str(error)
    if _number(error) in _NO_TOPIC:
        topic = f"topic {resource}" if resource else "such topic"
        return f"{_broker(access)} has no {topic} ({_text(error)}): start the services, or run `tetouan topics`"
    refusal = why_refused(access, error, resource)
    no_answer = refusal or why_no_answer(access, answer_s)
    return no_answer or f"{_broker(access)} did not answer in time ({_text(error)}): try again"


def why_refused(access: Access, error: BaseException, resource: str | None = None) -> str | None:
    """Return the line for a missing permission, None where the error is another one."""
    acl = _ACLS.get(_number(error))
    if acl is None:
        return None
    kind, option, operations = acl
    user = access.username or ("CN=..." if access.certificate else "ANONYMOUS")
    name = resource or _named(error)
    thing = f"{kind} {name}" if name else f"the {kind}"
    return (
        f"{_broker(access)} does not let {_user(access)} use {thing} ({_text(error)}): allow {operations} there, "
        f"such as with kafka-acls --add --allow-principal User:{user} {option}{f' {name}' if name else ''}"
    )


def why_no_answer(access: Access, answer_s: float = ANSWER_S) -> str | None:
    """Return why the brokers cannot be spoken to, None where they answer; takes ``answer_s`` and some seconds more."""
    faults: list[Fault] = []
    admin = AdminClient(access.confluent({"error_cb": faults.append}))
    for _ in range(ATTEMPTS):
        try:
            admin.list_topics(timeout=answer_s / ATTEMPTS)
        except KafkaException as error:
            last = error
            admin.poll(0)  # what it has to say is said here
            if line := next((line for fault in faults if (line := _of_fault(access, fault))), None):
                return line
        else:
            return None
    telling = [fault for fault in faults if fault.code() != Fault._ALL_BROKERS_DOWN]  # noqa: SLF001 - its public name
    line = _of_listeners(access) if faults and not telling else None
    return line or f"{_broker(access)} {NO_ANSWER} ({_text(telling[0] if telling else last)}): {CHECK_ADDRESS}"


def _of_fault(access: Access, fault: Fault) -> str | None:
    text = _text(fault)
    if fault.code() == Fault._AUTHENTICATION:  # noqa: SLF001 - the client's public name for it
        return _of_authentication(access, text)
    if "PLAINTEXT broker listener" in text:
        change = "SASL_PLAINTEXT" if access.authenticates else "PLAINTEXT"
        return f"{_broker(access)} speaks no TLS ({text}): set TETOUAN_KAFKA_SECURITY={change}"
    if " alert " in text:
        shown = "does not accept our certificate" if access.certificate else "demands a certificate of ours"
        advice = "set TETOUAN_KAFKA_CERTIFICATE and TETOUAN_KAFKA_KEY to those of an authority that it knows"
        return f"{_broker(access)} {shown} ({text}): {advice}"
    if fault.code() == Fault._SSL:  # noqa: SLF001 - the client's public name for it
        advice = "set TETOUAN_KAFKA_CA to the certificates of the authority that signed it, in PEM"
        if "hostname" in text.lower() or "ip address mismatch" in text.lower():
            advice = "set TETOUAN_KAFKA_BOOTSTRAP to a name that stands in it"
        return f"the certificate of {_broker(access)} is not accepted ({text}): {advice}"
    return None


def _of_authentication(access: Access, text: str) -> str:
    if "SASL state" in text:  # the answer of a listener that knows of no users
        change = "SSL" if access.encrypts else "PLAINTEXT"
        return f"{_broker(access)} asks for no user and password ({text}): set TETOUAN_KAFKA_SECURITY={change}"
    if "mechanism" in text and "supported" in text.lower():
        change = "set TETOUAN_KAFKA_SASL_MECHANISM to one that it supports"
        return f"{_broker(access)} does not support authentication with {access.mechanism} ({text}): {change}"
    return (
        f"{_broker(access)} refuses {_user(access)}, authentication failed ({text}): correct TETOUAN_KAFKA_USERNAME "
        f"or TETOUAN_KAFKA_PASSWORD, or make the user for {access.mechanism} on the broker"
    )


def _of_listeners(access: Access) -> str | None:
    """Return what the first listener speaks that closes our connections without a word; None where it is mute."""
    for address in access.bootstrap.split(","):
        with suppress(OSError, ValueError):
            if (found := asyncio.run(_spoken(*_split(address)))) is not None:
                return f"{_broker(access)} {found}, not {access.security}"
    return None


async def _spoken(host: str, port: int) -> str | None:
    """Return what a listener speaks, and which setting does; None where it speaks neither with TLS nor without."""
    mechanisms = await _mechanisms(host, port, None)
    if mechanisms is not None:
        wants = f"wants a password ({', '.join(mechanisms)})" if mechanisms else "asks for no password"
        return f"speaks no TLS and {wants}: set TETOUAN_KAFKA_SECURITY={'SASL_' if mechanisms else ''}PLAINTEXT"
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is told nothing, only asked what it speaks
    if not await _speaks_tls(host, port, context):
        return None
    mechanisms = await _mechanisms(host, port, context)
    if mechanisms is None:
        return "speaks TLS and demands a certificate of ours: set TETOUAN_KAFKA_SECURITY=SSL or SASL_SSL"
    wants = f"wants a password ({', '.join(mechanisms)})" if mechanisms else "asks for no password"
    return f"speaks TLS and {wants}: set TETOUAN_KAFKA_SECURITY={'SASL_' if mechanisms else ''}SSL"


async def _speaks_tls(host: str, port: int, context: ssl.SSLContext) -> bool:
    try:
        async with asyncio.timeout(PROBE_S):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
            writer.transport.abort()
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # it has read what we said
    except (OSError, TimeoutError):
        return False
    return True


async def _mechanisms(host: str, port: int, tls: ssl.SSLContext | None) -> list[str] | None:
    """Return how a listener lets users authenticate, nothing where it knows none; None where it speaks otherwise."""
    protocol: dict[str, Any] = {"security_protocol": "SSL", "ssl_context": tls} if tls else {}
    with suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(PROBE_S):
            connection = await create_conn(host, port, **protocol)
            try:
                answer = await connection.send(SaslHandShakeRequest("none"))
                return list(answer.enabled_mechanisms)
            finally:
                await connection.close()
    return None


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.strip().rpartition(":")
    return host.strip("[]"), int(port)


def _broker(access: Access) -> str:
    return f"the Kafka broker at {access.bootstrap}"


def _user(access: Access) -> str:
    return f"user {access.username!r}" if access.authenticates else "us"


def _number(error: BaseException) -> int:
    """Return Kafka's number of an error of either client, -1 where it has none."""
    if isinstance(error, BrokerResponseError):
        return int(error.errno)
    if isinstance(error, KafkaException):
        return int(error.args[0].code())
    return next((number for number, name in _NAMES.items() if name in str(error)), -1)  # aiokafka wraps some


def _named(error: BaseException) -> str | None:
    """Return what aiokafka names as refused: the name or names it was asked for, in the error."""
    if not isinstance(error, BrokerResponseError) or not error.args or error.args[0] is None:
        return None
    names = error.args[0]
    return ", ".join(sorted(map(str, names))) if isinstance(names, (set, frozenset, list, tuple)) else str(names)


def _text(error: BaseException | Fault) -> str:
    """Return what an error says, without the address and the milliseconds of librdkafka."""
    fault = error.args[0] if isinstance(error, KafkaException) else error
    text = fault.str() if isinstance(fault, Fault) else str(fault)
    return re.sub(r"^\S+://\S+: |^\S+/bootstrap: | \(after \d+ms in state \w+\)|, verify that ssl\.ca.*$", "", text)
