"""The registry: what is registered can be found, fetched and promoted, and what goes wrong is one line."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from harness.mlflow_server import mlflow_server
from harness.s3 import s3_bucket
from shared.runtime import registry as registry_module
from shared.runtime.registry import Registry, RegistryError, Signature, shown
from tests.servers import served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.postgresql import PostgreSQL
    from shared.runtime.registry import ModelVersion

SIGNATURE = Signature(inputs={"step": "long", "weather": "doubles"}, outputs={"demand_kw": "double"})


@pytest.fixture(scope="module")
def postgresql_server(request: pytest.FixtureRequest) -> Iterator[PostgreSQL]:
    """PostgreSQL, or a skip that says how to provide it."""
    yield from served(request.config)


@pytest.fixture(
    scope="module",
    params=[
        "sqlite",
        pytest.param("server", marks=pytest.mark.slow),
        pytest.param("server on postgresql and s3", marks=[pytest.mark.slow, pytest.mark.real_postgresql]),
    ],
)
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """An empty registry of each kind; creating its tables takes seconds, so there is one for all tests."""
    folder = tmp_path_factory.mktemp("mlflow")
    file = f"sqlite:///{folder / 'sub' / 'mlflow.db'}"
    if request.param == "sqlite":
        yield Registry(file, folder / "artifacts")
        return
    with ExitStack() as stack:
        if request.param == "server":
            (folder / "sub").mkdir()
            backend, bucket = file, None
        else:
            server: PostgreSQL = request.getfixturevalue("postgresql_server")
            backend = stack.enter_context(server.database()).render_as_string(hide_password=False)
            bucket = stack.enter_context(s3_bucket(folder))
        yield Registry(stack.enter_context(mlflow_server(backend, folder, bucket)), None)
        assert bucket is None or any(key.endswith("/state.npz") for key in bucket.listed())


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Write what a model would write."""
    (tmp_path / "state.npz").write_bytes(b"numbers")
    return tmp_path


def _register(registry: Registry, name: str, folder: Path, as_of: str = "2017-10-19T04:30:00+00:00") -> ModelVersion:
    return registry.register(
        name,
        folder,
        params={"trees": 3, "seed": None},
        metrics={"rmse_kw/mean": 813.5},
        tags={"as_of": as_of, "zone": "2"},
        signature=SIGNATURE,
        run_name="a run",
    )


def test_a_registered_version_is_found_again(registry: Registry, files: Path) -> None:
    """Name, number, tags and metrics come back as they were given; the number counts up."""
    first, second = _register(registry, "counted", files), _register(registry, "counted", files)
    assert (first.label, second.label) == ("counted/1", "counted/2")
    assert registry.get("counted", "2") == second
    assert dict(second.tags) == {"as_of": "2017-10-19T04:30:00+00:00", "zone": "2"}
    assert dict(second.metrics) == {"rmse_kw/mean": 813.5}


def test_the_versions_to_run_of_models_that_begin_alike_are_listed_page_by_page(
    registry: Registry, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The champions, or the newest with the tags; all of them, however many there are, and no other."""
    monkeypatch.setattr(registry_module, "PAGE", 1)
    for name in ("listed-north", "listed-south", "listed-without", "unlisted"):
        first = _register(registry, name, files)
        _register(registry, name, files)
        if name != "listed-without":
            registry.promote(first)
    assert registry.champions("listed-") == {"listed-north": "1", "listed-south": "1"}
    assert registry.newest("listed-", {"zone": "2"}) == {
        "listed-north": "2",
        "listed-south": "2",
        "listed-without": "2",
    }
    assert registry.newest("listed-", {"zone": "3"}) == registry.champions("nothing-") == {}


def test_a_run_can_be_tracked_without_a_model(registry: Registry, files: Path) -> None:
    """It stands in an experiment of its own, whose page is named; two of them share it. Nothing is registered."""

    def track(experiment: str) -> str:
        return registry.track(
            experiment,
            files,
            params={"alpha": 0.1},
            metrics={"rmse_kw": 1.0},
            tags={"site": "north"},
            run_name="a run",
        )

    first = track("compare-north")
    assert first.startswith("#/experiments/")
    assert track("compare-north") == first
    assert track("compare-south") != first
    assert registry.champions("compare-") == {}


def test_the_artefact_is_our_own_files(registry: Registry, files: Path) -> None:
    """The fetched folder holds the bytes that were handed in and an MLmodel file that names them, nothing else."""
    folder = registry.fetch(_register(registry, "fetched", files))
    assert {path.name for path in folder.iterdir()} == {"state.npz", "MLmodel"}
    assert (folder / "state.npz").read_bytes() == b"numbers"
    assert "tetouan:\n    files:\n    - state.npz" in (folder / "MLmodel").read_text()


def test_the_signature_is_recorded(registry: Registry, files: Path) -> None:
    """The MLmodel file says by name and type what goes in and what comes out."""
    from mlflow.models import Model  # noqa: PLC0415 - slow, and to be imported after the registry has set it up

    folder = registry.fetch(_register(registry, "signed", files))
    signature = Model.load(folder).signature.to_dict()
    assert [(c["name"], c["type"]) for c in json.loads(signature["inputs"])] == [("step", "long"), ("weather", "array")]
    assert [(c["name"], c["type"]) for c in json.loads(signature["outputs"])] == [("demand_kw", "double")]


def test_the_champion_is_what_was_promoted_last(registry: Registry, files: Path) -> None:
    """There is none before a promotion; then it is that version, also when a newer one exists, and can go back."""
    first, second = _register(registry, "promoted", files), _register(registry, "promoted", files)
    assert registry.champion("promoted") is None
    registry.promote(second)
    assert registry.champion("promoted") == second
    registry.promote(first)
    assert registry.champion("promoted") == first


def test_the_champion_before_is_the_previous_one(registry: Registry, files: Path) -> None:
    """A challenger that is promoted is none any more; the same promotion once more changes nothing but the reason."""
    first, second = _register(registry, "followed", files), _register(registry, "followed", files)
    registry.promote(first)
    registry.challenge(second)
    assert registry.aliases("followed") == {"followed": {"champion": "1", "challenger": "2"}}
    for reason in ("it is better", "it is much better"):
        registry.promote(second, reason)
        assert registry.aliases("followed") == {"followed": {"champion": "2", "previous": "1"}}
    found = registry.called("followed", "champion")
    assert found is not None
    assert (found.tags["reason"], found.aliases) == ("it is much better", ("champion",))


def test_a_rollback_that_is_said_twice_goes_back_once(registry: Registry, files: Path) -> None:
    """The version that was left is not the previous one, so that nobody comes back to it by accident."""
    first, second = _register(registry, "returned", files), _register(registry, "returned", files)
    registry.promote(first)
    registry.promote(second)
    for _ in range(2):
        registry.roll_back(first, "it forecasts nonsense")
        assert registry.aliases("returned") == {"returned": {"champion": "1"}}
    assert registry.get("returned", "1").tags["reason"] == "it forecasts nonsense"
    assert registry.get("returned", "2").tags["rolled_back"] == "true"
    registry.promote(registry.get("returned", "2"))
    assert "rolled_back" not in registry.get("returned", "2").tags


def test_a_rollback_goes_to_the_version_that_was_found(registry: Registry, files: Path) -> None:
    """Whichever is the previous one by the time: another command may have promoted a third one meanwhile."""
    first, second, third = (_register(registry, "raced", files) for _ in range(3))
    for version in (first, second, third):
        registry.promote(version)
    registry.roll_back(first, "it was checked")
    assert registry.aliases("raced") == {"raced": {"champion": "1", "previous": "2"}}


def test_a_promotion_that_ended_half_way_is_completed(registry: Registry, files: Path) -> None:
    """Between its steps the champion is a whole version, and a rollback goes nowhere."""
    first, second = _register(registry, "halved", files), _register(registry, "halved", files)
    registry.promote(first)
    registry._client.set_registered_model_alias("halved", "previous", "1")  # noqa: SLF001 - as a program that ended here
    assert registry.champion("halved") == first
    registry.promote(second)
    assert registry.aliases("halved") == {"halved": {"champion": "2", "previous": "1"}}


def test_all_versions_are_found_with_what_they_were_registered_with(
    registry: Registry, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest of a model first, however many pages there are; each is what the registry says of it alone."""
    monkeypatch.setattr(registry_module, "PAGE", 2)
    for _ in range(3):
        version = _register(registry, "all-of-them", files)
    registry.promote(version)
    found = registry.versions("all-of-")
    assert [each.version for each in found] == ["3", "2", "1"]
    assert found == [registry.get("all-of-them", each.version) for each in found]
    assert (found[0].aliases, found[0].params["trees"], found[0].metrics) == (
        ("champion",),
        "3",
        {"rmse_kw/mean": 813.5},
    )
    assert found[0].registered is not None


def test_an_unknown_model_has_no_champion(registry: Registry) -> None:
    """A model that was never registered has no champion and no version, without an error."""
    assert registry.champion("nobody") is None
    assert registry.find("nobody", {}) is None


def test_find_returns_the_newest_with_all_tags(registry: Registry, files: Path) -> None:
    """Of several that match the newest is found; one tag that differs and it is not."""
    _register(registry, "tagged", files)
    newest = _register(registry, "tagged", files)
    _register(registry, "tagged", files, as_of="2017-11-01T00:00:00+00:00")
    wanted = {"as_of": "2017-10-19T04:30:00+00:00", "zone": "2"}
    assert registry.find("tagged", wanted) == newest
    assert registry.find("tagged", {**wanted, "zone": "3"}) is None


def test_a_missing_version_says_what_to_run(registry: Registry) -> None:
    """The error names the model and the version, and the command that makes one."""
    with pytest.raises(RegistryError, match=r"name=nobody, version=7\).*run `tetouan train`"):
        registry.get("nobody", "7")


def test_a_second_registry_sees_the_same_versions(files: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What one process registered another finds under the same address."""
    folder = tmp_path_factory.mktemp("shared")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    version = _register(Registry(uri, folder / "artifacts"), "passed-on", files)
    assert Registry(uri, folder / "artifacts").get("passed-on", "1") == version


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("sqlite:////proc/nowhere/mlflow.db", "No such file or directory"),
        (f"sqlite:///{__file__}", "file is not a database"),
        ("http://user:secret@127.0.0.1:9", "failed with exception"),
        ("carrier-pigeon://loft", "unsupported URI"),
    ],
)
def test_an_address_that_does_not_work_is_one_line(uri: str, why: str) -> None:
    """Every bad address fails with one line that names it, without a password, and the setting to change."""
    with pytest.raises(RegistryError, match=why) as caught:
        Registry(uri, None).champion("any")
    line = str(caught.value)
    assert "\n" not in line
    assert "TETOUAN_MLFLOW_URI" in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://user:p@ss@host:5000/a?token=x", "http://host:5000/a"),
        ("http://user:p/w@host", "http://…"),
        ("http://host/?token=a@b", "http://…"),
        ("postgresql+psycopg://u:p@host/db?password=x", "postgresql+psycopg://host/db"),
        ("sqlite:////home/a@b/mlflow.db", "sqlite:////home/a@b/mlflow.db"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Dx", "mssql+pyodbc:///"),
        ("no answer from http://u:p@ss@host, twice", "no answer from http://host, twice"),
        ("no address", "no address"),
    ],
)
def test_an_address_is_shown_without_secrets(text: str, said: str) -> None:
    """However odd the password is."""
    assert shown(text) == said


def test_mlflow_sends_no_telemetry(registry: Registry) -> None:
    """Once there is a registry, MLflow has been told to send nothing home."""
    from mlflow.environment_variables import MLFLOW_DISABLE_TELEMETRY  # noqa: PLC0415 - as above

    assert isinstance(registry, Registry)
    assert MLFLOW_DISABLE_TELEMETRY.get() is True  # type: ignore[no-untyped-call]  # MLflow leaves it untyped
