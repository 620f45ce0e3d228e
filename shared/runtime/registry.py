"""The registry of models: tracked runs and registered versions in MLflow, whose artefacts are our own files.

MLflow never sees a Python object of ours: a version is a folder that the model itself wrote, beside an ``MLmodel`` file
with the signature. Nothing here pickles or unpickles.
"""

from __future__ import annotations

import json
import os
import re
import sqlite3
import textwrap
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from filelock import FileLock

from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion as Registered
    from mlflow.store.entities import PagedList

__all__ = [
    "CHALLENGER",
    "CHAMPION",
    "ENVIRONMENT",
    "PREVIOUS",
    "REASON",
    "ROLLED_BACK",
    "ModelVersion",
    "Registry",
    "RegistryError",
    "Signature",
    "file_of",
    "nobody_has_made",
    "shown",
    "sqlite_file",
]

EXPERIMENT = "tetouan"
CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
"""The aliases of a model: the version that is to run, the newest one that was not better, the champion before."""
REASON = "reason"
"""The tag of a version that says why somebody has made it the champion."""

ROLLED_BACK = {"rolled_back": "true"}
"""The tag of a version that a rollback has left, until somebody promotes it again."""

T = TypeVar("T")
Kind = Literal["long", "double", "doubles"]

_KINDS: dict[Kind, dict[str, object]] = {
    "long": {"type": "long"},
    "double": {"type": "double"},
    "doubles": {"type": "array", "items": {"type": "double"}},
}
_FOLDER = "model"
_ADDRESS = re.compile(r"(?<=:)//(?P<authority>[^\s/?#]*)(?P<rest>\S*)")
PAGE = 1000  # models that MLflow returns at once, at most
_SQLITE = "sqlite:///"
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # the latter: a version that is no number
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    # by itself MLflow tries a server that is down for minutes
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""What MLflow is told before it is imported: nothing is sent home, and nothing printed that nobody needs."""


class RegistryError(Refused):
    """The registry cannot be reached or does not hold what was asked for; the line says what to do."""


@dataclass(frozen=True)
class Signature:
    """What a model takes and gives, by name."""

    inputs: Mapping[str, Kind]
    outputs: Mapping[str, Kind]


@dataclass(frozen=True)
class ModelVersion:
    """One registered version of a model with the tags, metrics and parameters it was registered with.

    Attributes
    ----------
    registered
        When that was, by the clock of the registry; None where it is not known.
    aliases
        What it was called when the registry was asked; a version is the same whatever it is called.
    """

    name: str
    version: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    params: Mapping[str, str] = field(default_factory=dict)
    registered: datetime | None = None
    aliases: tuple[str, ...] = field(default=(), compare=False)

    @property
    def label(self) -> str:
        """``name/version``, as forecasts name their models."""
        return f"{self.name}/{self.version}"


class Registry:
    """A small view of MLflow: register, promote, find, fetch.

    Parameters
    ----------
    uri
        Tracking address of MLflow: ``sqlite:///<absolute path>`` or ``http(s)://host:port``.
    artifact_root
        Absolute folder beneath which the artefacts lie; None where the server keeps them.

    Raises
    ------
    RegistryError
        If the address is none, or nothing that works answers there; so do all methods.
    """

    def __init__(self, uri: str, artifact_root: Path | None) -> None:
        self._uri = uri
        self._artifact_root = artifact_root
        with self._reaching():
            self._client = _client(uri)

    def track(
        self,
        experiment: str,
        folder: Path,
        *,
        params: Mapping[str, object],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        run_name: str,
    ) -> str:
        """Track a run with the files of ``folder`` and register nothing; returns where MLflow's page shows its kind.

        That is the address below the one of the page, such as ``#/experiments/2``.
        """
        with self._reaching(), self._run(experiment, tags, run_name) as run:
            self._log(run.info.run_id, params, metrics)
            self._client.log_artifacts(run.info.run_id, str(folder))
        return f"#/experiments/{run.info.experiment_id}"

    def register(
        self,
        name: str,
        folder: Path,
        *,
        params: Mapping[str, object],
        metrics: Mapping[str, float],
        tags: Mapping[str, str],
        signature: Signature,
        run_name: str,
    ) -> ModelVersion:
        """Track a run with its parameters and metrics, and register the files of ``folder`` as a new version."""
        with self._reaching(), self._run(EXPERIMENT, tags, run_name) as run:
            run_id = run.info.run_id
            self._log(run_id, params, metrics)
            self._client.log_artifacts(run_id, str(folder), _FOLDER)
            files = sorted(path.name for path in folder.iterdir())
            self._client.log_text(run_id, _description(run_id, files, signature), f"{_FOLDER}/MLmodel")
            self._create_model(name)
            registered = self._client.create_model_version(
                name, f"{run.info.artifact_uri}/{_FOLDER}", run_id, tags=dict(tags)
            )
        return self._version(registered)

    def promote(self, version: ModelVersion, reason: str | None = None) -> None:
        """Make the version the champion of its model, and the champion before it the previous one.

        A ``reason`` is kept as a tag of the version. Where the program ends between two of the steps, another call
        completes them.
        """
        with self._reaching():
            for tag in ROLLED_BACK.keys() & version.tags.keys():
                self._client.delete_model_version_tag(version.name, version.version, tag)
            if reason is not None:
                self._client.set_model_version_tag(version.name, version.version, REASON, reason)
            aliases = self._aliases(version.name)
            if aliases.get(CHAMPION, version.version) != version.version:
                self._client.set_registered_model_alias(version.name, PREVIOUS, aliases[CHAMPION])
            self._client.set_registered_model_alias(version.name, CHAMPION, version.version)
            if aliases.get(CHALLENGER) == version.version:
                self._client.delete_registered_model_alias(version.name, CHALLENGER)

    def challenge(self, version: ModelVersion) -> None:
        """Make the version the challenger of its model."""
        with self._reaching():
            self._client.set_registered_model_alias(version.name, CHALLENGER, version.version)

    def roll_back(self, version: ModelVersion, reason: str) -> None:
        """Make the previous version of a model, as it was found, the champion again, and mark the one that is left.

        From then on that version is not the previous one: to call this again changes nothing.
        """
        name, back = version.name, version.version
        with self._reaching():
            aliases = self._aliases(name)
            if (left := aliases.get(CHAMPION)) != back:
                for tag, value in ROLLED_BACK.items() if left else ():
                    self._client.set_model_version_tag(name, left, tag, value)
                self._client.set_model_version_tag(name, back, REASON, reason)
                self._client.set_registered_model_alias(name, CHAMPION, back)
            if aliases.get(PREVIOUS) == back:
                self._client.delete_registered_model_alias(name, PREVIOUS)

    def champions(self, prefix: str) -> dict[str, str]:
        """Return the version of the champion of each model whose name begins so, by its name."""
        return {name: aliases[CHAMPION] for name, aliases in self.aliases(prefix).items() if CHAMPION in aliases}

    def aliases(self, prefix: str) -> dict[str, dict[str, str]]:
        """Return the version behind each alias of each model whose name begins so, by its name."""
        like = f"name LIKE '{prefix}%'"
        with self._reaching():
            models = _each(lambda token: self._client.search_registered_models(like, PAGE, page_token=token))
            return {model.name: _versions_of(model.aliases) for model in models}

    def newest(self, prefix: str, tags: Mapping[str, str]) -> dict[str, str]:
        """Return the newest version with all these tags of each model whose name begins so, by its name."""
        clauses = [f"name LIKE '{prefix}%'", *(f"tag.`{key}` = '{value}'" for key, value in tags.items())]
        found: dict[str, str] = {}
        with self._reaching():
            for version in self._search(" AND ".join(clauses)):
                found[version.name] = str(max(int(version.version), int(found.get(version.name, 0))))
        return found

    def versions(self, prefix: str) -> list[ModelVersion]:
        """Return all versions of the models whose name begins so, by name, the newest of each first."""
        aliases = self.aliases(prefix)
        with self._reaching():
            runs = self._runs()
            found = [
                _version_of(version, runs.get(version.run_id or ""), aliases.get(version.name, {}))
                for version in self._search(f"name LIKE '{prefix}%'")
            ]
        return sorted(found, key=lambda version: (version.name, -int(version.version)))

    def champion(self, name: str) -> ModelVersion | None:
        """Return the champion of the model, or None where there is none."""
        return self.called(name, CHAMPION)

    def called(self, name: str, alias: str) -> ModelVersion | None:
        """Return the version of the model with that alias, or None where there is none."""
        with self._reaching():
            version = self._aliases(name).get(alias)
            return self._version(self._client.get_model_version(name, version)) if version else None

    def find(self, name: str, tags: Mapping[str, str]) -> ModelVersion | None:
        """Return the newest version of the model that carries all these tags, or None."""
        with self._reaching():
            clauses = [f"name = '{name}'", *(f"tag.`{key}` = '{value}'" for key, value in tags.items())]
            found = self._client.search_model_versions(
                " AND ".join(clauses), max_results=1, order_by=["version_number DESC"]
            )
            return self._version(found[0]) if found else None

    def get(self, name: str, version: str) -> ModelVersion:
        """Return that version; raises `RegistryError` where it does not exist."""
        with self._reaching():
            return self._version(self._client.get_model_version(name, version))

    def known(self, name: str, version: str) -> ModelVersion | None:
        """Return that version, or None where it does not exist."""
        return _none_if_absent(lambda: self.get(name, version))

    def source_of(self, name: str, version: str) -> str | None:
        """Return where the files of that version lie, or None where it does not exist."""
        return _none_if_absent(lambda: self._source_of(name, version))

    def _source_of(self, name: str, version: str) -> str:
        with self._reaching():
            return str(self._client.get_model_version_download_uri(name, version))

    def download(self, source: str) -> Path:
        """Return a local folder with the files that lie there; those of a server are downloaded."""
        with self._reaching():
            from mlflow.artifacts import download_artifacts  # noqa: PLC0415 - as in _client

            return Path(download_artifacts(artifact_uri=source, tracking_uri=self._uri))

    def fetch(self, version: ModelVersion) -> Path:
        """Return a local folder with the files of the version; those of a server are downloaded."""
        return self.download(self._source_of(version.name, version.version))

    @contextmanager
    def _run(self, experiment: str, tags: Mapping[str, str], name: str) -> Iterator[Run]:
        """Begin a run; it has failed where the block raises."""
        run = self._client.create_run(self._experiment_id(experiment), tags=dict(tags), run_name=name)
        outcome = "FAILED"
        try:
            yield run
            outcome = "FINISHED"
        finally:
            self._client.set_terminated(run.info.run_id, outcome)

    def _experiment_id(self, name: str) -> str:
        if found := self._client.get_experiment_by_name(name):
            return found.experiment_id
        root = self._artifact_root.absolute().as_uri() if self._artifact_root else None
        return self._client.create_experiment(name, artifact_location=root)

    def _log(self, run_id: str, params: Mapping[str, object], metrics: Mapping[str, float]) -> None:
        for key, value in params.items():
            self._client.log_param(run_id, key, value)
        for key, number in metrics.items():
            self._client.log_metric(run_id, key, number)

    def _create_model(self, name: str) -> None:
        if not self._client.search_registered_models(f"name = '{name}'"):
            self._client.create_registered_model(name)

    def _aliases(self, name: str) -> dict[str, str]:
        """Return the version behind each alias of a model, none of one that is not known."""
        found = self._client.search_registered_models(f"name = '{name}'")
        return _versions_of(found[0].aliases) if found else {}

    def _search(self, clauses: str) -> Iterator[Registered]:
        return _each(lambda token: self._client.search_model_versions(clauses, PAGE, page_token=token))

    def _runs(self) -> dict[str, Run]:
        """Return all runs by their identity: to ask for each by itself takes a question a version."""
        if (experiment := self._client.get_experiment_by_name(EXPERIMENT)) is None:
            return {}
        of = [experiment.experiment_id]
        runs = _each(lambda token: self._client.search_runs(of, max_results=PAGE, page_token=token))
        return {run.info.run_id: run for run in runs}

    def _version(self, found: Registered) -> ModelVersion:
        run = self._client.get_run(found.run_id) if found.run_id else None
        return _version_of(found, run, self._aliases(found.name))

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn what MLflow and the layers beneath it raise into one line."""
        try:
            yield
        except _failures() as error:
            # what is cut off first may leave a password without the @ that tells where it ends
            why = textwrap.shorten(shown(str(_root(error))), 160, placeholder=" …")
            if getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST":
                raise RegistryError(f"{why} in the registry at {shown(self._uri)}: run `tetouan train`") from error
            raise RegistryError(
                f"the registry at {shown(self._uri)} cannot be used ({why}): check TETOUAN_MLFLOW_URI and that its "
                "server runs, or TETOUAN_STATE_DIR and that its folder can be written and has room"
            ) from error


def sqlite_file(uri: str) -> Path | None:
    """Return the file of a SQLite registry, whether or not it is there; None of another registry."""
    return Path(uri.removeprefix(_SQLITE)) if uri.startswith(_SQLITE) else None


def nobody_has_made(uri: str) -> bool:
    """Tell whether the registry is a SQLite file that is not there yet: who only asks must not begin to make it."""
    path = sqlite_file(uri)
    return path is not None and not (path.exists() and path.stat().st_size)


def file_of(uri: str) -> tuple[int, int] | None:
    """Return what tells the file of a SQLite registry from one that is made in its place; None where there is none."""
    path = sqlite_file(uri)
    if path is None or not path.exists():
        return None
    found = path.stat()
    return found.st_dev, found.st_ino


def _client(uri: str) -> MlflowClient:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    _prepare(uri)
    from mlflow import MlflowClient  # noqa: PLC0415 - MLflow reads its environment on import, and takes a second for it

    with _schema_lock(uri):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _schema_lock(uri: str) -> AbstractContextManager[object]:
    """Let one process at a time make the schema of a SQLite registry, as MLflow does on its first use."""
    return FileLock(f"{uri.removeprefix(_SQLITE)}.lock") if uri.startswith(_SQLITE) else nullcontext()


def _prepare(uri: str) -> None:
    """Create the folder of a SQLite registry, and fail at once where MLflow would try for a minute."""
    if not uri.startswith(_SQLITE):
        return
    path = Path(uri.removeprefix(_SQLITE))
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA schema_version")


def _each(ask: Callable[[str | None], PagedList[T]]) -> Iterator[T]:
    """Yield what is on all pages of an answer; ``ask`` is given the token of the next one."""
    token: str | None = None
    while True:
        page = ask(token)
        yield from page
        if not (token := page.token):
            return


def _versions_of(aliases: Mapping[str, object]) -> dict[str, str]:
    """Return the version behind each alias as text: some stores count in numbers."""
    return {alias: str(version) for alias, version in aliases.items()}


def _version_of(found: Registered, run: Run | None, aliases: Mapping[str, str]) -> ModelVersion:
    version = str(found.version)
    return ModelVersion(
        found.name,
        version,
        tags=dict(found.tags),
        metrics=dict(run.data.metrics) if run else {},
        params=dict(run.data.params) if run else {},
        registered=datetime.fromtimestamp(found.creation_timestamp / 1000, UTC),
        aliases=tuple(sorted(alias for alias, named in aliases.items() if named == version)),
    )


def _failures() -> tuple[type[Exception], ...]:
    from mlflow.exceptions import MlflowException  # noqa: PLC0415 - as in _client
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - as in _client

    return MlflowException, SQLAlchemyError, sqlite3.Error, OSError


def _root(error: BaseException) -> BaseException:
    """Return what the database said, where it is behind the error: the layers above drown it in SQL."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, sqlite3.Error):
        cause = cause.__cause__ or cause.__context__
    return cause or error


def _none_if_absent(ask: Callable[[], T]) -> T | None:
    """Return what is asked for, or None where it is not in the registry."""
    try:
        return ask()
    except RegistryError as error:
        if getattr(error.__cause__, "error_code", None) in _ABSENT:
            return None
        raise


def shown(text: str) -> str:
    """Return an address, or a text with addresses, without users, passwords and queries."""
    return _ADDRESS.sub(_without_secrets, text)


def _without_secrets(found: re.Match[str]) -> str:
    authority, rest = found["authority"], found["rest"]
    if (
        authority and "@" in rest
    ):  # a password with a character that has to be escaped there: nobody knows where it ends
        return "//…"
    return f"//{authority.rpartition('@')[2]}{rest.partition('?')[0]}"


def _description(run_id: str, files: list[str], signature: Signature) -> str:
    """Return the ``MLmodel`` file: which files make up the model, and its signature."""
    from mlflow.models import Model, ModelSignature  # noqa: PLC0415 - as in _client

    columns = {
        side: json.dumps([{"name": name, **_KINDS[kind]} for name, kind in kinds.items()])
        for side, kinds in (("inputs", signature.inputs), ("outputs", signature.outputs))
    }
    flavour = {"tetouan": {"files": files}}
    described = Model(_FOLDER, run_id, flavors=flavour, signature=ModelSignature.from_dict(columns))
    return str(described.to_yaml())
