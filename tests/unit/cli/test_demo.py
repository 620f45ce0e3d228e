"""What the processes of a demo are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cli.demo import environment
from cli.processes import SERVICES
from cli.settings import CommandSettings
from shared.runtime.concerns import ServiceSettings
from shared.runtime.settings import PREFIX, load

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_the_user_s_consumer_group_is_not_that_of_a_demo(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With TETOUAN_GROUP exported the replay of a demo still watches the very groups that its services join."""
    monkeypatch.setenv(PREFIX + "GROUP", "north")
    monkeypatch.setenv(PREFIX + "GROUP_INSTANCE_ID", "north-1")
    for name, value in environment(load(CommandSettings), "127.0.0.1:1", tmp_path).items():
        monkeypatch.setenv(name, value)
    settings, of_service = load(CommandSettings), load(ServiceSettings)
    assert {of_service.group_of(service) for service in SERVICES} == set(SERVICES)
    assert settings.lag_groups == (*SERVICES, "audit")
    assert settings.lag_patience_s > 3600  # while models are fitted, however slow the machine is
    assert of_service.group_instance_id is None
