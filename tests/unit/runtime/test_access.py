"""How the brokers let us in: what is missing or wrong is refused in one line, and no secret is told."""

from __future__ import annotations

import logging
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from shared.runtime.concerns import KafkaSettings
from shared.runtime.settings import PREFIX, Refused, load

if TYPE_CHECKING:
    from pathlib import Path

    from shared.runtime.access import Access

SECRET = "not-to-be-told"  # noqa: S105 - of no account
USER = {"SECURITY": "SASL_PLAINTEXT", "SASL_MECHANISM": "PLAIN", "USERNAME": "app"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two certificates, the key of the first, the same with a password, an empty file and some text."""
    folder = tmp_path_factory.mktemp("pem")
    for name in ("one", "two"):
        new = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", f"/CN={name}"]
        pair = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
        subprocess.run([*new, *pair], check=True, capture_output=True)
    locked = ["openssl", "pkey", "-in", str(folder / "one.key"), "-aes256", "-passout", "pass:word"]
    subprocess.run([*locked, "-out", str(folder / "locked.key")], check=True, capture_output=True)
    (folder / "empty").touch()
    (folder / "text").write_text("no certificate", encoding="utf-8")
    (folder / "password").write_text(SECRET + "\n", encoding="utf-8")
    return folder


def told(monkeypatch: pytest.MonkeyPatch, files: Path, settings: dict[str, str]) -> Access:
    """Return the access that the environment comes to; a name that begins with @ is a file."""
    for name, value in settings.items():
        monkeypatch.setenv(f"{PREFIX}KAFKA_{name}", str(files / value[1:]) if value.startswith("@") else value)
    return load(KafkaSettings).kafka


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"SECURITY": "TLS"}, "TETOUAN_KAFKA_SECURITY='TLS'"),
        ({"SECURITY": "SASL_SSL"}, "asks for TETOUAN_KAFKA_SASL_MECHANISM"),
        ({"SECURITY": "SASL_SSL", "SASL_MECHANISM": "PLAIN"}, "asks for TETOUAN_KAFKA_USERNAME"),
        (USER, "asks for TETOUAN_KAFKA_PASSWORD"),
        (USER | {"SASL_MECHANISM": "GSSAPI"}, "TETOUAN_KAFKA_SASL_MECHANISM='GSSAPI'"),
        (USER | {"PASSWORD": SECRET, "PASSWORD_FILE": "@password"}, "both set"),
        (USER | {"PASSWORD_FILE": "@nowhere"}, "nowhere': No such file or directory"),
        (USER | {"PASSWORD_FILE": "@empty"}, "it is empty"),
        (
            USER | {"PASSWORD": SECRET, "CA": "@one.pem"},
            "TETOUAN_KAFKA_CA is set, but TETOUAN_KAFKA_SECURITY=SASL_PLAINT",
        ),
        (
            {"USERNAME": "app"},
            "TETOUAN_KAFKA_USERNAME is set, but TETOUAN_KAFKA_SECURITY=PLAINTEXT sends no user: set TETOUAN_KAFKA_SEC",
        ),
        ({"PASSWORD": SECRET}, "TETOUAN_KAFKA_PASSWORD is set, but"),
        ({"PASSWORD": SECRET, "SECURITY": "nix"}, "TETOUAN_KAFKA_SECURITY='nix'"),
        ({"SASL_MECHANISM": "PLAIN"}, "TETOUAN_KAFKA_SASL_MECHANISM is set, but"),
        ({"SECURITY": "SSL", "CA": "@nowhere"}, "nowhere': No such file or directory"),
        ({"SECURITY": "SSL", "CA": "@text"}, "text': it is no PEM"),
        ({"SECURITY": "SSL", "CERTIFICATE": "@one.pem"}, "CERTIFICATE is set without TETOUAN_KAFKA_KEY"),
        ({"SECURITY": "SSL", "KEY": "@one.key"}, "KEY is set without TETOUAN_KAFKA_CERTIFICATE"),
        ({"SECURITY": "SSL", "KEY_PASSWORD": SECRET}, "KEY_PASSWORD is set without TETOUAN_KAFKA_KEY"),
        ({"KEY_PASSWORD": SECRET}, "KEY_PASSWORD is set, but TETOUAN_KAFKA_SECURITY=PLAINTEXT speaks no TLS"),
        ({"SECURITY": "SSL", "CERTIFICATE": "@one.pem", "KEY": "@nowhere"}, "TETOUAN_KAFKA_KEY='"),
        ({"SECURITY": "SSL", "CERTIFICATE": "@two.pem", "KEY": "@one.key"}, "TETOUAN_KAFKA_KEY is not the key of"),
        ({"SECURITY": "SSL", "CERTIFICATE": "@one.pem", "KEY": "@text"}, "give PEM files"),
        ({"SECURITY": "SSL", "CERTIFICATE": "@one.pem", "KEY": "@locked.key"}, "set TETOUAN_KAFKA_KEY_PASSWORD"),
        (
            {"SECURITY": "SSL", "CERTIFICATE": "@one.pem", "KEY": "@locked.key", "KEY_PASSWORD": SECRET},
            "TETOUAN_KAFKA_KEY_PASSWORD may be wrong",
        ),
    ],
)
def test_what_no_client_could_connect_with_is_refused(
    monkeypatch: pytest.MonkeyPatch, files: Path, settings: dict[str, str], line: str
) -> None:
    """The refusal is one line that names the setting, and holds no secret."""
    with pytest.raises(Refused) as refusal:
        told(monkeypatch, files, settings)
    assert line in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert SECRET not in str(refusal.value)


@pytest.mark.parametrize("given", [{"PASSWORD": SECRET}, {"PASSWORD_FILE": "@password"}])
def test_a_password_reaches_the_clients_and_nobody_else(
    monkeypatch: pytest.MonkeyPatch, files: Path, given: dict[str, str]
) -> None:
    """Given as such or in a file, without the end of its line: both libraries get it, and no text of ours shows it."""
    access = told(monkeypatch, files, USER | given)
    assert access.confluent()["sasl.password"] == SECRET
    assert access.aiokafka()["sasl_plain_password"] == SECRET
    assert SECRET not in f"{access!r} {load(KafkaSettings)!r}"


def test_both_libraries_are_told_the_same(monkeypatch: pytest.MonkeyPatch, files: Path) -> None:
    """Protocol, mechanism, user and files; more is added to what librdkafka is told."""
    names = {"CERTIFICATE": "@one.pem", "KEY": "@locked.key", "KEY_PASSWORD": "word", "CA": "@two.pem"}
    user = {"SECURITY": "SASL_SSL", "SASL_MECHANISM": "SCRAM-SHA-256", "PASSWORD": SECRET}
    access = told(monkeypatch, files, USER | user | names)
    told_librdkafka = access.confluent({"group.id": "watch"})
    assert not told_librdkafka.pop("logger").isEnabledFor(logging.CRITICAL)  # nothing comes between our own lines
    assert told_librdkafka == {
        "bootstrap.servers": "127.0.0.1:9092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-256",
        "sasl.username": "app",
        "sasl.password": SECRET,
        "ssl.ca.location": str(files / "two.pem"),
        "ssl.certificate.location": str(files / "one.pem"),
        "ssl.key.location": str(files / "locked.key"),
        "ssl.key.password": "word",
        "log_level": 0,
        "group.id": "watch",
    }
    config: dict[str, Any] = access.aiokafka()
    assert config.pop("ssl_context").verify_mode == ssl.CERT_REQUIRED
    assert config == {
        "bootstrap_servers": "127.0.0.1:9092",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "app",
        "sasl_plain_password": SECRET,
    }


def test_without_settings_nothing_is_encrypted_and_nobody_is_named() -> None:
    """The Kafka of compose.yaml and of the demo asks for nothing."""
    access = load(KafkaSettings).kafka
    assert access.confluent().keys() == {"bootstrap.servers", "security.protocol", "logger", "log_level"}
    assert access.confluent()["security.protocol"] == "PLAINTEXT"
    assert access.aiokafka()["ssl_context"] is None
