"""The settings: read from the environment, refused in one line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.runtime.settings import PREFIX, Refused, Settings, load

README = Path(__file__).parents[3] / "README.md"


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("HTTP_PORT", "abc", "TETOUAN_HTTP_PORT='abc'"),
        ("HTTP_PORT", "70000", "less than or equal to 65535"),
        ("ZONES", "2,9", "name one or more different zones of 1, 2, 3"),
        ("ZONES", "2,2", "name one or more different zones"),
        ("ZONES", "two", "TETOUAN_ZONES"),
        ("SITE", "atlantis", "site 'atlantis' is not known: choose one of tetouan"),
        ("LOG_FORMAT", "xml", "'console' or 'json'"),
        ("ZONE", "2", "TETOUAN_ZONE is no setting: did you mean TETOUAN_ZONES?"),
    ],
)
def test_a_bad_setting_is_refused_in_one_line_that_names_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str
) -> None:
    """The refusal is one line with the variable, its value and what would do."""
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(Refused) as refusal:
        load(Settings)
    assert line in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_lists_are_read_from_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several zones and groups are given as one text with commas, blanks around them do not matter."""
    monkeypatch.setenv(PREFIX + "ZONES", "1, 3")
    monkeypatch.setenv(PREFIX + "LAG_GROUPS", "ingestor,monitor")
    settings = load(Settings)
    assert settings.zones == (1, 3)
    assert settings.lag_groups == ("ingestor", "monitor")


def test_the_registry_lies_in_the_state_folder_unless_a_server_is_named(tmp_path: Path) -> None:
    """Without TETOUAN_MLFLOW_URI the registry is SQLite under the state folder, with it artefacts are the server's."""
    local = load(Settings, state_dir=tmp_path)
    assert local.registry_uri == f"sqlite:///{tmp_path}/mlflow/mlflow.db"
    assert local.artifact_root == tmp_path / "mlflow" / "artifacts"
    server = load(Settings, mlflow_uri="http://127.0.0.1:5000")
    assert server.registry_uri == "http://127.0.0.1:5000"
    assert server.artifact_root is None


def test_the_readme_lists_every_setting_and_no_other() -> None:
    """The table of the README has one row a setting."""
    listed = re.findall(r"^\| `(TETOUAN_[A-Z_]+)`", README.read_text(encoding="utf-8"), re.MULTILINE)
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    assert sorted(listed) == sorted([*known, PREFIX + "TEST_KAFKA"])
