"""What is kept of the answers of a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from services.forecaster import kept_answers
from services.forecaster.kept_answers import KeptAnswers

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Counting:
    """A registry that counts what it is asked."""

    asked = 0

    def __init__(self, uri: str, artifact_root: Path | None) -> None:
        self.opened = uri, artifact_root

    def champions(self, prefix: str) -> dict[str, str]:
        """Return one champion."""
        Counting.asked += 1
        return {f"{prefix}tetouan-2": str(Counting.asked)}

    def newest(self, prefix: str, tags: Mapping[str, str]) -> dict[str, str]:
        """Return the tags."""
        Counting.asked += 1
        return {prefix: ",".join(tags.values())}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of a registry that counts."""
    monkeypatch.setattr(kept_answers, "Registry", Counting)
    Counting.asked = 0
    file = tmp_path / "mlflow.db"
    file.write_text("as it was", encoding="utf-8")
    return file


def again(file: Path) -> KeptAnswers:
    """Return what another process asks."""
    return KeptAnswers(f"sqlite:///{file}", None)


def test_what_was_asked_is_not_asked_again_while_the_file_is_as_it_was(registry: Path) -> None:
    """Another process finds the answer; another question is asked."""
    first = again(registry).champions("zone-demand-")
    assert again(registry).champions("zone-demand-") == first == {"zone-demand-tetouan-2": "1"}
    assert again(registry).newest("zone-demand-", {"as_of": "a"}) == {"zone-demand-": "a"}
    assert again(registry).newest("zone-demand-", {"as_of": "b"}) == {"zone-demand-": "b"}
    assert Counting.asked == 3


def test_a_registry_that_has_changed_is_asked(registry: Path) -> None:
    """So is one that is being written, and one whose kept answers cannot be read."""
    again(registry).champions("zone-demand-")
    registry.write_text("with another version", encoding="utf-8")
    assert again(registry).champions("zone-demand-") == {"zone-demand-tetouan-2": "2"}
    journal = registry.with_name("mlflow.db-journal")
    journal.touch()
    assert again(registry).champions("zone-demand-") == {"zone-demand-tetouan-2": "3"}
    journal.unlink()
    registry.with_name("mlflow.db.answers").write_text("[]", encoding="utf-8")
    assert again(registry).champions("zone-demand-") == {"zone-demand-tetouan-2": "4"}


def test_of_a_server_nothing_is_kept(registry: Path) -> None:
    """Nobody tells when it changes."""
    for count in (1, 2):
        served = KeptAnswers("http://127.0.0.1:1", None).champions("zone-demand-")
        assert served == {"zone-demand-tetouan-2": str(count)}
    assert list(registry.parent.iterdir()) == [registry]


def test_files_of_this_machine_are_found_where_they_lie(tmp_path: Path) -> None:
    """No copy is made of them, and the registry is not opened."""
    folder = tmp_path / "a b"
    assert again(tmp_path / "mlflow.db").download(folder.as_uri()) == folder
    assert again(tmp_path / "mlflow.db").download(str(folder)) == folder
