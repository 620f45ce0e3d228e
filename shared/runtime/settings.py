"""How settings are read: environment variables with the prefix ``TETOUAN_``, refused in one line."""

from __future__ import annotations

import difflib
import os
import pkgutil
import re
from typing import TYPE_CHECKING, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.runtime import failpoints
from shared.runtime.wanted import wanted

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "PREFIX",
    "READERS",
    "Refused",
    "Settings",
    "check_all",
    "load",
    "names",
    "settings_of",
    "unknown_variables",
    "unwritable",
]

PREFIX = "TETOUAN_"

READERS = {
    "ingestor": "services.ingestor.settings:IngestorSettings",
    "forecaster": "services.forecaster.settings:ForecasterSettings",
    "monitor": "services.monitor.settings:MonitorSettings",
    "gateway": "services.gateway.settings:GatewaySettings",
    "commands": "cli.settings:CommandSettings",
}
"""Who reads settings, and the class of these: all of them share one environment.

They are names, looked up where a variable is not the reader's own: a service imports no other service.
"""

_LIKENESS = 0.75  # of two names without the prefix, from which on one looks like the other misspelt

# what Kubernetes puts into every container for each service of the namespace, here one named tetouan or tetouan-*
_SERVICE_LINK = re.compile(r"_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$")
_SERVICE_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S+")

S = TypeVar("S", bound="Settings")


class Refused(Exception):  # noqa: N818 - the start is refused: no error of ours, one line that says what to change
    """What is asked for cannot be done; the message is one line that says what to change."""


def unwritable(folder: Path, error: OSError) -> Refused:
    """Return the refusal of a command whose state folder, or a part of it, cannot be written."""
    why = os.strerror(error.errno or 0)
    return Refused(f"cannot write to {folder} ({why}): set TETOUAN_STATE_DIR to a folder of yours")


class Settings(BaseSettings):
    """What the settings of every service and command have in common: where they are read from.

    `shared.runtime.concerns` has those that several read; a class of settings inherits what it needs of them.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)


def load(kind: type[S], **overrides: object) -> S:
    """Return the settings from the environment; raises ``Refused`` that names the first bad one."""
    _refuse_misspelt()
    _refuse_service_links(kind)
    try:
        return kind(**overrides)  # type: ignore[arg-type]  # pydantic validates what mypy cannot know of a dict
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:  # of several settings together: it names them, and what is given holds secrets
            raise Refused(reason) from None
        name, variable = str(first["loc"][0]), PREFIX + str(first["loc"][0]).upper()
        if first["type"] != "value_error":
            reason = f"give {wanted(kind.model_fields[name])}"
        given = overrides.get(name, os.environ.get(variable, first["input"]))  # of several numbers the input is one
        shown = re.sub(r"((?:\w+://)?)[^\s'\"]*@", r"\1", repr(given))  # an address may hold user and password
        raise Refused(f"{variable}={shown}: {reason}") from None


def settings_of(reader: str) -> type[Settings]:
    """Return the class of the settings of one of ``READERS``."""
    kind: type[Settings] = pkgutil.resolve_name(READERS[reader])
    return kind


def names() -> set[str]:
    """Return the names of all settings, without the prefix, in small letters."""
    return {name for reader in READERS for name in settings_of(reader).model_fields}


def check_all() -> None:
    """Raise ``Refused`` where a service or command would be refused its settings."""
    for reader in READERS:
        load(settings_of(reader))


def unknown_variables() -> list[str]:
    """Return a line for each variable of the environment that has our prefix and is ignored: it is no setting.

    Neither is one that looks misspelt among them, which ``load`` refuses, nor what Kubernetes tells of its services.
    """
    ignored = [name for name in _unknown() if _meant(name) is None]
    return [f"{name} is no setting and is ignored: see docs/reference.md" for name in ignored]


def _known() -> set[str]:
    """Return the variables that anybody reads."""
    of_tests = {PREFIX + "TEST_KAFKA", PREFIX + "TEST_KAFKA_SCRIPT", PREFIX + "TEST_POSTGRES", failpoints.VARIABLE}
    return of_tests | {PREFIX + name.upper() for name in names()}


def _unknown() -> list[str]:
    """Return the names of the variables that neither we nor Kubernetes know."""
    ours = {name for name in os.environ if name.startswith(PREFIX)}
    ours = {name for name in ours if not _SERVICE_LINK.search(name) and not _is_service_address(name)}
    return sorted(ours - _known()) if ours else []


def _is_service_address(name: str) -> bool:
    return name.endswith("_PORT") and _SERVICE_ADDRESS.fullmatch(os.environ[name]) is not None


def _meant(name: str) -> str | None:
    """Return the setting whose name is close to that of an unknown variable."""
    known = [each.removeprefix(PREFIX) for each in _known()]
    return next(iter(difflib.get_close_matches(name.removeprefix(PREFIX), known, n=1, cutoff=_LIKENESS)), None)


def _refuse_misspelt() -> None:
    """Refuse the first unknown variable whose name is close to that of a setting."""
    for name in _unknown():
        if close := _meant(name):
            raise Refused(f"{name} is no setting: did you mean {PREFIX}{close}?")


def _refuse_service_links(kind: type[Settings]) -> None:
    """Refuse a setting that Kubernetes has overwritten with the address of a service."""
    for name in sorted({PREFIX + name.upper() for name in kind.model_fields} & os.environ.keys()):
        if _is_service_address(name):
            service = name.removesuffix("_PORT").lower().replace("_", "-")
            raise Refused(
                f"{name}={os.environ[name]!r} is what Kubernetes says of its service {service}, no port: "
                "rename that service, or set enableServiceLinks: false in the pod"
            )
