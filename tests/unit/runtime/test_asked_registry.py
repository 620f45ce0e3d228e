"""Tests of the registry that is asked through a process."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

from shared.runtime.asked_registry import AskedRegistry
from shared.runtime.concerns import ModelSettings
from shared.runtime.settings import load
from shared.runtime.threads import begin_in_thread

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

BOUND_S = 30.0


def test_a_stop_removes_the_files_that_a_thread_still_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process may end before the thread does, and leaves nothing in the temporary folder."""
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    registry = AskedRegistry(load(ModelSettings))
    reads, goes_on = Event(), Event()

    def read() -> None:
        with registry.files_of(["zone-demand-tetouan-2/1"]) as question:
            (question.folder / "file").write_bytes(b"model")
            reads.set()
            goes_on.wait(BOUND_S)

    outcome = begin_in_thread(read)
    assert reads.wait(BOUND_S)
    registry.stop()
    assert list(tmp_path.iterdir()) == []
    goes_on.set()
    outcome.result(BOUND_S)


def test_the_files_are_there_as_long_as_they_are_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And no longer."""
    monkeypatch.setenv("TETOUAN_STATE_DIR", str(tmp_path))
    registry = AskedRegistry(load(ModelSettings))
    with registry.files_of(["zone-demand-tetouan-2/1"]) as question:
        assert question.folder.is_dir()
    assert not question.folder.exists()
