"""The clients of examples/ read the variables of the services."""

from __future__ import annotations

import runpy
import ssl
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples"
CLIENTS = pytest.mark.parametrize("name", ["subscribe_confluent", "subscribe_faststream", "subscribe_aiokafka"])
CERTIFIED = {
    "SECURITY": "SSL",
    "CA": "ca.pem",
    "CERTIFICATE": "client.pem",
    "KEY": "client.key",
    "KEY_PASSWORD": "of the key",
}


def client(name: str) -> dict[str, Any]:
    """Return what a client defines."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))


@CLIENTS
@pytest.mark.parametrize(
    ("variable", "arguments", "address"),
    [
        ("", [], "127.0.0.1:9092"),
        ("kafka.example:9093", [], "kafka.example:9093"),
        ("kafka.example:9093", ["--bootstrap", "there:1"], "there:1"),
    ],
)
def test_the_address_is_that_of_the_services_unless_another_is_given(
    monkeypatch: pytest.MonkeyPatch, name: str, variable: str, arguments: list[str], address: str
) -> None:
    """The option goes before the variable, the variable before the local broker."""
    monkeypatch.setenv("TETOUAN_KAFKA_BOOTSTRAP", variable)
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    assert client(name)["parse_arguments"]().bootstrap == address


def test_confluent_is_given_certificate_and_key_with_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every variable of a certificate has its option."""
    for name, value in CERTIFIED.items():
        monkeypatch.setenv(f"TETOUAN_KAFKA_{name}", value)
    assert client("subscribe_confluent")["access"]() == {
        "security.protocol": "SSL",
        "ssl.ca.location": "ca.pem",
        "ssl.certificate.location": "client.pem",
        "ssl.key.location": "client.key",
        "ssl.key.password": "of the key",
    }


@pytest.mark.parametrize(("name", "function"), [("subscribe_faststream", "security"), ("subscribe_aiokafka", "access")])
def test_a_client_of_aiokafka_is_given_certificate_and_key_with_its_password(
    monkeypatch: pytest.MonkeyPatch, name: str, function: str
) -> None:
    """The context loads all three; a variable of the same name without our prefix means nothing."""
    loaded: list[tuple[str, ...]] = []

    class Context(ssl.SSLContext):
        """Notes what it is to load."""

        def load_cert_chain(self, *given: Any) -> None:
            """Note it."""
            loaded.append(given)

    def made(cafile: str) -> Context:
        assert cafile == "ca.pem"
        return Context(ssl.PROTOCOL_TLS_CLIENT)

    monkeypatch.setattr(ssl, "create_default_context", made)
    for variable, value in CERTIFIED.items():
        monkeypatch.setenv(f"TETOUAN_KAFKA_{variable}", value)
        monkeypatch.setenv(variable, "something else")
    assert client(name)[function]() is not None
    assert loaded == [("client.pem", "client.key", "of the key")]


def test_aiokafka_is_given_user_and_password_of_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the end of the line."""
    file = tmp_path / "password"
    file.write_text("secret\n", encoding="utf-8")
    given = {"SECURITY": "SASL_PLAINTEXT", "SASL_MECHANISM": "PLAIN", "USERNAME": "us", "PASSWORD_FILE": str(file)}
    for variable, value in given.items():
        monkeypatch.setenv(f"TETOUAN_KAFKA_{variable}", value)
    assert client("subscribe_aiokafka")["access"]() == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": "us",
        "sasl_plain_password": "secret",
    }
