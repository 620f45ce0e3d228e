"""Where the Kafka brokers are and how they let us in, as each client library wants to be told."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import SecretStr

__all__ = ["Access", "Mechanism", "Security"]

_SILENT = logging.Logger("librdkafka", logging.CRITICAL + 1)  # noqa: LOG001 - in no hierarchy, and for nobody

Security = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True)
class Access:
    """Addresses and credentials of the Kafka brokers.

    ``username`` and ``password`` are set where ``security`` begins with SASL, ``certificate`` and ``key`` where the
    brokers demand a certificate. Without ``ca`` the certificate authorities of the system vouch for the brokers.
    """

    bootstrap: str
    security: Security = "PLAINTEXT"
    mechanism: Mechanism | None = None
    username: str | None = None
    password: SecretStr | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    key_password: SecretStr | None = None

    def __post_init__(self) -> None:
        """Refuse what no client can connect with; raises ``ValueError`` that says which setting to change."""
        _refuse_incomplete(self)
        _ = self.tls

    @property
    def authenticates(self) -> bool:
        """Whether user and password are sent."""
        return self.security.startswith("SASL_")

    @property
    def encrypts(self) -> bool:
        """Whether TLS is spoken."""
        return self.security.endswith("SSL")

    @cached_property
    def tls(self) -> ssl.SSLContext | None:
        """The TLS context, None without TLS; raises ``ValueError`` that names the file that is not PEM."""
        return _context(self) if self.encrypts else None

    def confluent(self, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the configuration of a client of confluent_kafka: what is needed to connect, and ``more``."""
        config = {
            "bootstrap.servers": self.bootstrap,
            "security.protocol": self.security,
            "sasl.mechanism": self.mechanism,
            "sasl.username": self.username,
            "sasl.password": _secret(self.password),
            "ssl.ca.location": self.ca and str(self.ca),
            "ssl.certificate.location": self.certificate and str(self.certificate),
            "ssl.key.location": self.key and str(self.key),
            "ssl.key.password": _secret(self.key_password),
            "logger": _SILENT,  # librdkafka would write its errors to the terminal
            "log_level": 0,
        }
        return {**{name: value for name, value in config.items() if value is not None}, **(more or {})}

    def aiokafka(self) -> dict[str, Any]:
        """Return the keyword arguments with which a client of aiokafka connects."""
        return {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security,
            "ssl_context": self.tls,
            "sasl_mechanism": self.mechanism or "PLAIN",  # the default of aiokafka, which ignores it without SASL
            "sasl_plain_username": self.username,
            "sasl_plain_password": _secret(self.password),
        }


def _secret(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _refuse_incomplete(access: Access) -> None:
    """Raise ``ValueError`` where something is missing, or given and not used."""
    security = f"TETOUAN_KAFKA_SECURITY={access.security}"
    for_sasl = {"SASL_MECHANISM": access.mechanism, "USERNAME": access.username, "PASSWORD": access.password}
    for_tls = {
        "CA": access.ca,
        "CERTIFICATE": access.certificate,
        "KEY": access.key,
        "KEY_PASSWORD": access.key_password,
    }
    if access.authenticates and (missing := next((name for name, value in for_sasl.items() if value is None), None)):
        raise ValueError(f"{security} asks for TETOUAN_KAFKA_{missing}: set it")
    if not access.authenticates:
        _refuse_unused(for_sasl, f"{security} sends no user", "SASL_SSL or SASL_PLAINTEXT")
    if not access.encrypts:
        _refuse_unused(for_tls, f"{security} speaks no TLS", "SSL or SASL_SSL")
    if (access.certificate is None) != (access.key is None):
        there, missing = ("CERTIFICATE", "KEY") if access.certificate else ("KEY", "CERTIFICATE")
        raise ValueError(f"TETOUAN_KAFKA_{there} is set without TETOUAN_KAFKA_{missing}: set both")
    if access.key_password is not None and access.key is None:
        raise ValueError("TETOUAN_KAFKA_KEY_PASSWORD is set without TETOUAN_KAFKA_KEY: set both")


def _refuse_unused(settings: Mapping[str, object], why: str, instead: str) -> None:
    unused = next((name for name, value in settings.items() if value is not None), None)
    if unused is not None:
        name = f"TETOUAN_KAFKA_{unused}"
        raise ValueError(f"{name} is set, but {why}: set TETOUAN_KAFKA_SECURITY to {instead}, or unset {name}")


def _context(access: Access) -> ssl.SSLContext:
    """Return the context for the files; raises ``ValueError`` that names the one that is wrong."""
    try:
        context = ssl.create_default_context(cafile=access.ca)
    except OSError as error:
        raise ValueError(_unreadable("CA", access.ca, error, "a file of PEM certificates")) from None
    if access.certificate is None:
        return context
    for name, file in (("CERTIFICATE", access.certificate), ("KEY", access.key)):
        _refuse_unreadable(name, file)
    try:
        context.load_cert_chain(access.certificate, access.key, _secret(access.key_password) or _refuse_encrypted)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ValueError(
                "TETOUAN_KAFKA_KEY is not the key of TETOUAN_KAFKA_CERTIFICATE: give those of one pair"
            ) from None
        names = f"TETOUAN_KAFKA_CERTIFICATE={str(access.certificate)!r} with TETOUAN_KAFKA_KEY={str(access.key)!r}"
        why = "TETOUAN_KAFKA_KEY_PASSWORD may be wrong" if access.key_password else "give PEM files"
        raise ValueError(f"{names}: cannot be read ({error.reason or 'no PEM'}): {why}") from None
    return context


def _refuse_encrypted() -> NoReturn:
    raise ValueError("TETOUAN_KAFKA_KEY is encrypted: set TETOUAN_KAFKA_KEY_PASSWORD")


def _refuse_unreadable(name: str, file: Path | None) -> None:
    try:
        if file is not None:
            file.read_bytes()
    except OSError as error:
        raise ValueError(_unreadable(name, file, error, "a PEM file")) from None


def _unreadable(name: str, file: Path | None, error: OSError, wanted: str) -> str:
    why = "it is no PEM" if isinstance(error, ssl.SSLError) else error.strerror
    return f"TETOUAN_KAFKA_{name}={str(file)!r}: {why}: give the path of {wanted}"
