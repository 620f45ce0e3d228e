"""What a demo knows of the registry without asking it."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from cli.known_models import are_known
from cli.settings import CommandSettings
from shared.runtime.kept_answers import KeptAnswers
from shared.runtime.settings import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TAGS = {"as_of": "a"}


class Registered:
    """A registry with the models of zones 1 and 2, of which zone 1 has no weather model, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def newest(self, prefix: str, tags: Mapping[str, str]) -> dict[str, str]:
        """Return the versions."""
        zones = {"zone-demand-": (1, 2), "weather-demand-": (2,)}[prefix]
        return {f"{prefix}tetouan-{zone}": "1" for zone in zones} if tags == TAGS else {}

    def source_of(self, name: str, version: str) -> str | None:
        """Return a folder of its own for each."""
        return str(self.folder / name / version)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a registry that a forecaster has asked for all that it needs."""
    monkeypatch.setattr("shared.runtime.kept_answers.Registry", lambda _uri, _root: Registered(tmp_path))
    (tmp_path / "mlflow.db").write_text("a registry", encoding="utf-8")
    asked = KeptAnswers(settings(tmp_path).registry_uri, None)
    for prefix in ("zone-demand-", "weather-demand-"):
        for name, version in asked.newest(prefix, TAGS).items():
            folder = tmp_path / name / version
            folder.mkdir(parents=True)
            with zipfile.ZipFile(folder / "state.npz", "w") as file:
                file.writestr("numbers", "1 2 3")
            asked.source_of(name, version)
    asked.newest("zone-demand-", {"as_of": "b"})
    asked.newest("weather-demand-", {"as_of": "b"})
    asked.save()
    return tmp_path


def settings(folder: Path, zones: str = "1,2") -> CommandSettings:
    """Return the settings of a demo beside the registry."""
    return load(CommandSettings, state_dir=folder, zones=zones, mlflow_uri=f"sqlite:///{folder}/mlflow.db")


def test_what_a_forecaster_was_told_is_known(registry: Path) -> None:
    """For the zones that have models; what it was not asked for is not."""
    assert are_known(TAGS, settings(registry))
    assert are_known(TAGS, settings(registry, "1"))
    assert not are_known(TAGS, settings(registry, "1,3"))
    assert not are_known({"as_of": "b"}, settings(registry))
    assert not are_known({"as_of": "c"}, settings(registry))


def test_models_whose_files_are_gone_or_broken_are_not_known(registry: Path) -> None:
    """A training has to look after them."""
    file = registry / "weather-demand-tetouan-2" / "1" / "state.npz"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    assert not are_known(TAGS, settings(registry))
    assert are_known(TAGS, settings(registry, "1"))
    file.unlink()
    assert not are_known(TAGS, settings(registry))


def test_a_registry_that_has_changed_is_not_known(registry: Path) -> None:
    """A version may have been deleted, or the database restored."""
    (registry / "mlflow.db").write_text("a registry with less", encoding="utf-8")
    assert not are_known(TAGS, settings(registry))


def test_of_a_server_nothing_is_known(tmp_path: Path) -> None:
    """It is asked."""
    assert not are_known(TAGS, load(CommandSettings, state_dir=tmp_path, mlflow_uri="http://127.0.0.1:1"))
