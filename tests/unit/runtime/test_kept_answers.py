"""What is kept of the answers of a registry."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from shared.runtime import kept_answers
from shared.runtime.kept_answers import KeptAnswers, NotKeptError
from shared.runtime.registered import Question, answer
from shared.runtime.registry import ModelVersion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
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

    def known(self, name: str, version: str) -> ModelVersion | None:
        """Return a version."""
        Counting.asked += 1
        return ModelVersion(name, version, {}, {"rmse_kw": 1.5}) if version == "1" else None


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The file of a registry that counts."""
    monkeypatch.setattr(kept_answers, "Registry", Counting)
    Counting.asked = 0
    file = tmp_path / "mlflow.db"
    file.write_text("as it was", encoding="utf-8")
    return file


@contextmanager
def again(file: Path, *, only_kept: bool = False) -> Iterator[KeptAnswers]:
    """Yield what another process asks, and keep the answers."""
    answers = KeptAnswers(f"sqlite:///{file}", None, only_kept=only_kept)
    yield answers
    answers.save()


def champions(file: Path) -> str:
    """Return the version that another process is told."""
    with again(file) as answers:
        return answers.champions("zone-demand-")["zone-demand-tetouan-2"]


def test_metrics_are_kept_too(registry: Path) -> None:
    """By the process that answers questions; a version that does not exist has none."""
    for _ in range(2):
        with again(registry) as answers:
            question = Question(
                registry_uri="", artifact_root=None, tags={}, folder=registry.parent, metrics_of=("m/1", "m/2")
            )
            assert answer(question, answers).metrics == {"m/1": {"rmse_kw": 1.5}, "m/2": {}}
    assert Counting.asked == 2


def test_what_was_asked_is_not_asked_again_while_the_file_is_as_it_was(registry: Path) -> None:
    """Another process finds the answer; another question is asked, and however many there are none is forgotten."""
    assert champions(registry) == champions(registry) == "1"
    many = [{"as_of": str(n)} for n in range(150)]
    for _ in range(2):
        with again(registry) as answers:
            assert [answers.newest("zone-demand-", tags)["zone-demand-"] for tags in many] == [*map(str, range(150))]
    assert Counting.asked == 151
    assert {file.name for file in registry.parent.iterdir()} == {"mlflow.db", "mlflow.db.answers"}


@pytest.mark.parametrize("foreign", ["[]", "{}", "no JSON", '{"format": 0, "stamp": [], "answers": {}}'])
def test_a_registry_that_has_changed_is_asked(registry: Path, foreign: str) -> None:
    """So is one that is being written, and one whose kept answers are of another form."""
    assert champions(registry) == "1"
    registry.write_text("with another version", encoding="utf-8")
    assert champions(registry) == "2"
    journal = registry.with_name("mlflow.db-journal")
    journal.touch()
    assert champions(registry) == "3"
    journal.unlink()
    registry.with_name("mlflow.db.answers").write_text(foreign, encoding="utf-8")
    assert champions(registry) == "4"


def test_a_registry_that_changes_between_two_questions_is_asked_again(registry: Path) -> None:
    """What was answered before is not believed by the same process either."""
    with again(registry) as answers:
        assert answers.champions("zone-demand-")["zone-demand-tetouan-2"] == "1"
        registry.write_text("with another version", encoding="utf-8")
        assert answers.champions("zone-demand-")["zone-demand-tetouan-2"] == "2"


def test_who_wants_only_kept_answers_opens_nothing(registry: Path) -> None:
    """What is not kept is refused, what is kept is answered."""
    with again(registry, only_kept=True) as answers, pytest.raises(NotKeptError):
        answers.champions("zone-demand-")
    champions(registry)
    with again(registry, only_kept=True) as answers:
        assert answers.champions("zone-demand-") == {"zone-demand-tetouan-2": "1"}
    assert Counting.asked == 1


def test_of_a_server_nothing_is_kept(registry: Path) -> None:
    """Nobody tells when it changes."""
    for count in (1, 2):
        served = KeptAnswers("http://127.0.0.1:1", None)
        assert served.champions("zone-demand-") == {"zone-demand-tetouan-2": str(count)}
        served.save()
    assert list(registry.parent.iterdir()) == [registry]


@pytest.mark.parametrize("name", ["a b", "a%20b", "my#models", "what?"])
def test_files_of_this_machine_are_found_where_they_lie(tmp_path: Path, name: str) -> None:
    """No copy is made of them, and the registry is not opened."""
    folder = tmp_path / name
    with again(tmp_path / "mlflow.db", only_kept=True) as answers:
        assert answers.download(folder.as_uri()) == answers.download(str(folder)) == folder
