"""What a demo knows of the registry without asking it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cli.known_models import WantedModels

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of a model beside a registry."""
    (tmp_path / "mlflow.db").write_text("a registry", encoding="utf-8")
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "state.npz").write_bytes(b"numbers")
    return tmp_path / "model"


def wanted(folder: Path, **tags: str) -> WantedModels:
    """Return what a demo wants of the registry beside the folder."""
    state_dir = folder.parent
    return WantedModels({"as_of": "a", **tags}, "tetouan", (2,), f"sqlite:///{state_dir}/mlflow.db", state_dir)


def test_what_was_noted_is_known_by_the_next_demo(folder: Path) -> None:
    """Other models are not."""
    assert not wanted(folder).are_known
    wanted(folder).note([folder])
    assert wanted(folder).are_known
    assert not wanted(folder, as_of="b").are_known
    wanted(folder).forget()
    assert not wanted(folder).are_known


def test_a_note_is_not_believed_once_a_file_has_changed(folder: Path) -> None:
    """That of the model, or the registry itself."""
    wanted(folder).note([folder])
    (folder / "state.npz").write_bytes(b"half")
    assert not wanted(folder).are_known
    wanted(folder).note([folder])
    (folder / "state.npz").unlink()
    assert not wanted(folder).are_known
    (folder / "state.npz").write_bytes(b"numbers")
    wanted(folder).note([folder])
    (folder.parent / "new.db").write_text("another registry", encoding="utf-8")
    (folder.parent / "new.db").replace(folder.parent / "mlflow.db")
    assert not wanted(folder).are_known


def test_of_a_server_nothing_is_noted(folder: Path) -> None:
    """It may have lost them meanwhile."""
    served = WantedModels({"as_of": "a"}, "tetouan", (2,), "http://127.0.0.1:1", folder.parent)
    served.note([folder])
    assert not served.are_known
    assert not (folder.parent / "known-models").exists()
