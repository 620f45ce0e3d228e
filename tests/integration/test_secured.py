"""Kafka that asks for passwords and certificates: with them all works, and what is refused is told in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # they are public, its stub forgets it
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from harness.brokers import PATIENCE_S, Broker, service, until
from harness.kafka import KafkaMissingError, missing, secured_kafka
from shared.contracts import topics
from shared.runtime.administration import ensure_topics
from tests.integration.test_ingestor import raw
from tests.used import note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.real_kafka

EXAMPLES = Path(__file__).parents[2] / "examples"
WRONG = "not-the-password"


@pytest.fixture(scope="module")
def accounts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A Kafka that speaks TLS and asks for user and password, and the administrator's settings."""
    folder = tmp_path_factory.mktemp("accounts")
    with ExitStack() as stack:
        bootstrap = started(request, stack, folder, "--sasl", "--tls")
        settings = {
            "TETOUAN_KAFKA_SECURITY": "SASL_SSL",
            "TETOUAN_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "TETOUAN_KAFKA_USERNAME": "admin",
            "TETOUAN_KAFKA_PASSWORD_FILE": str(folder / "admin.password"),
            "TETOUAN_KAFKA_CA": str(folder / "ca.pem"),
        }
        yield Broker("kafka", bootstrap, "", settings)


@pytest.fixture(scope="module")
def certificates(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A Kafka that demands a certificate, and the settings of one that it knows."""
    folder = tmp_path_factory.mktemp("certificates")
    with ExitStack() as stack:
        bootstrap = started(request, stack, folder, "--client-auth")
        settings = {
            "TETOUAN_KAFKA_SECURITY": "SSL",
            "TETOUAN_KAFKA_CA": str(folder / "ca.pem"),
            "TETOUAN_KAFKA_CERTIFICATE": str(folder / "client.pem"),
            "TETOUAN_KAFKA_KEY": str(folder / "client.key"),
        }
        yield Broker("kafka", bootstrap, "", settings)


def started(request: pytest.FixtureRequest, stack: ExitStack, folder: Path, *options: str) -> str:
    """Return the address of a Kafka with these options, or skip."""
    try:
        bootstrap = stack.enter_context(secured_kafka(folder, *options))
    except KafkaMissingError as error:
        missing(str(error))
    note(request.config, "Apache Kafka with " + " ".join(options), bootstrap)
    return bootstrap


def of(broker: Broker, **changes: str | None) -> Broker:
    """Return the broker with topics of its own and other settings; None takes one away."""
    settings = {**broker.security, **{f"TETOUAN_KAFKA_{name}": value for name, value in changes.items()}}
    security = {name: value for name, value in settings.items() if value is not None}
    return Broker("kafka", broker.bootstrap, f"secured-{uuid4().hex[:8]}.", security)


def run(broker: Broker, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with the settings of the broker."""
    env = {**os.environ, **broker.env, "TETOUAN_STATE_DIR": str(folder)}
    return subprocess.run(
        [sys.executable, *command], env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN", None])
def test_a_reading_goes_through(
    request: pytest.FixtureRequest, mechanism: str | None, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """With each mechanism, and with a certificate: the topics are made, and a reading comes out of the ingestor."""
    broker = of(request.getfixturevalue("accounts" if mechanism else "certificates"), SASL_MECHANISM=mechanism)
    made = run(broker, tmp_path, "-m", "cli", "topics")
    assert (made.returncode, made.stdout.count("made "), made.stderr) == (0, len(topics.ALL), "")
    with service("ingestor", broker, tmp_path, free_port()):
        broker.send(topics.RAW, [raw()])
        assert len(broker.read(topics.CLEAN, 1)) == 1


def test_every_service_and_command_works(accounts: Broker, tmp_path: Path, free_port: Callable[[], int]) -> None:
    """The replay's readings are answered and scored by the services, and watched by command and examples."""
    broker = of(accounts)
    settings = {"TETOUAN_MODELS_WAIT_S": "0", "TETOUAN_REPORT_EVERY_HOURS": "0", "TETOUAN_STATE_DIR": str(tmp_path)}
    with ExitStack() as stack:
        names = ("ingestor", "forecaster", "monitor")
        running = [
            stack.enter_context(service(name, broker, tmp_path, free_port(), ready=False, **settings)) for name in names
        ]
        until(lambda: all(each.ready() for each in running), "the services to be ready")
        replay = ["-m", "cli", "replay", "--data", "synthetic", "--from", "2018-10-20", "--days", "1"]
        replayed = run(broker, tmp_path, *replay)
        assert (replayed.returncode, "sent 144" in replayed.stderr) == (0, True), replayed.stderr
        assert len(broker.read(topics.FORECASTS, 144)) >= 144
        until(lambda: broker.held(topics.SCORES) > 0, "scores")
        watched = run(broker, tmp_path, "-m", "cli", "watch", "forecasts", "--from-start", "--count", "2")
        assert (watched.returncode, watched.stdout.count("tetouan zone 2")) == (0, 2), watched.stderr
        for client in ("subscribe_confluent", "subscribe_faststream", "subscribe_aiokafka"):
            name = broker.prefix + topics.FORECASTS.name
            told = ["--bootstrap", broker.bootstrap, "--topic", name, "--from-start", "--count", "2"]
            printed = run(broker, tmp_path, str(EXAMPLES / f"{client}.py"), *told)
            assert (printed.returncode, printed.stdout.count("tetouan zone 2")) == (0, 2), printed.stderr


REFUSED: dict[str, tuple[str, dict[str, str | None], str]] = {
    "wrong password": ("accounts", {"PASSWORD_FILE": None, "PASSWORD": WRONG}, "authentication failed"),
    "unknown user": ("accounts", {"USERNAME": "nobody"}, "refuses user 'nobody', authentication failed"),
    "no user": (
        "accounts",
        {"SECURITY": "SSL", "SASL_MECHANISM": None, "USERNAME": None, "PASSWORD_FILE": None},
        "wants a password",
    ),
    "neither TLS nor user": (
        "accounts",
        {"SECURITY": "PLAINTEXT", "SASL_MECHANISM": None, "USERNAME": None, "PASSWORD_FILE": None, "CA": None},
        "set TETOUAN_KAFKA_SECURITY=SASL_SSL",
    ),
    "no TLS": ("accounts", {"SECURITY": "SASL_PLAINTEXT", "CA": None}, "set TETOUAN_KAFKA_SECURITY=SASL_SSL"),
    "another authority": ("accounts", {"CA": "other-ca.pem"}, "set TETOUAN_KAFKA_CA"),
    "no certificate": ("certificates", {"CERTIFICATE": None, "KEY": None}, "demands a certificate"),
    "unknown certificate": (
        "certificates",
        {"CERTIFICATE": "other.pem", "KEY": "other.key"},
        "does not accept our certificate",
    ),
}


@pytest.mark.parametrize(("cluster", "changes", "words"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_told_in_one_line(
    request: pytest.FixtureRequest, cluster: str, changes: dict[str, str | None], words: str, tmp_path: Path
) -> None:
    """Exit code 2; not that nobody answers, but what to change; no password."""
    good: Broker = request.getfixturevalue(cluster)
    folder = Path(good.security["TETOUAN_KAFKA_CA"]).parent
    files = {name: str(folder / value) for name, value in changes.items() if value and value.startswith("other")}
    told = run(of(good, **(changes | files)), tmp_path, "-m", "cli", "topics")
    (line,) = told.stderr.splitlines()
    assert (told.returncode, told.stdout) == (2, "")
    assert words in line
    assert "does not answer" not in line
    assert WRONG not in line


def test_a_service_with_a_wrong_password_says_so(
    accounts: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """It stays up, not ready, and its log has no password either."""
    broker = of(accounts, PASSWORD_FILE=None, PASSWORD=WRONG)
    with service("ingestor", broker, tmp_path, free_port(), ready=False) as ingestor:
        until(lambda: "authentication failed" in (ingestor.waiting_for("broker") or ""), "the reason")
        assert ingestor.get("/readyz").status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert WRONG not in ingestor.log.read_text()
    assert "Traceback" not in ingestor.log.read_text()


def allow(admin: AdminClient, acls: list[AclBinding]) -> None:
    """Permit these."""
    for done in admin.create_acls(acls).values():
        done.result()


def test_a_missing_permission_is_named_until_it_is_given(
    accounts: Broker, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """Of a group, of a transactional id, and of a topic that may no longer be read: not ready, and ready afterwards."""
    broker = of(accounts, USERNAME="app", PASSWORD_FILE=None, PASSWORD="secret")  # noqa: S106 - of a test
    ensure_topics(accounts.access, broker.prefix)
    admin = AdminClient(accounts.access.confluent())
    scram = UserScramCredentialUpsertion("app", ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), b"secret")
    for done in admin.alter_user_scram_credentials([scram]).values():
        done.result()

    def acl(kind: Any, name: str, operation: Any, pattern: Any = ResourcePatternType.LITERAL) -> AclBinding:
        full = broker.prefix + name
        return AclBinding(kind, full, pattern, "User:app", "*", operation, AclPermissionType.ALLOW)

    reads_raw = acl(ResourceType.TOPIC, topics.RAW.name, AclOperation.READ)
    reads = [reads_raw, acl(ResourceType.TOPIC, topics.CLEAN.name, AclOperation.READ)]
    writes = [acl(ResourceType.TOPIC, topic.name, AclOperation.WRITE) for topic in (topics.CLEAN, topics.REJECTED)]
    allow(admin, [*reads, *writes])
    with service("ingestor", broker, tmp_path, free_port(), ready=False) as ingestor:

        def waits(key: str, *words: str) -> Callable[[], bool]:
            return lambda: all(word in (ingestor.waiting_for(key) or "") for word in words)

        until(waits("reading", "consumer group", broker.prefix + "ingestor", "--group"), "the group to be named")
        allow(admin, [acl(ResourceType.GROUP, "ingestor", AclOperation.READ)])
        until(waits("transactions", "transactional id", broker.prefix + "ingestor"), "the transactional id to be named")
        allow(admin, [acl(ResourceType.TRANSACTIONAL_ID, "ingestor", AclOperation.WRITE, ResourcePatternType.PREFIXED)])
        until(ingestor.ready, "the ingestor to be ready")
        assert "could not be checked" in ingestor.get("/readyz").json()["notes"]["topics"]
        gone = AclBindingFilter(
            ResourceType.TOPIC,
            broker.prefix + topics.RAW.name,
            ResourcePatternType.LITERAL,
            "User:app",
            "*",
            AclOperation.READ,
            AclPermissionType.ALLOW,
        )
        for done in admin.delete_acls([gone]).values():
            done.result()
        until(waits("reading", "topic", broker.prefix + topics.RAW.name), "the topic to be named")
        assert ingestor.live()
        allow(admin, [reads_raw])
        until(ingestor.ready, "the ingestor to be ready again")
    assert "Traceback" not in ingestor.log.read_text()
