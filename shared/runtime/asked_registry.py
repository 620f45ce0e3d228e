"""A registry that is asked through a process of its own: which versions are to run, and the files of some of them."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from shared.runtime.helper import Helper, HelperDiedError
from shared.runtime.registered import Question, Reply
from shared.runtime.registry import RegistryError, file_of, nobody_has_made

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from shared.runtime.concerns import ModelSettings

__all__ = ["AskedRegistry"]

ANSWER_S = 120.0  # MLflow itself gives up after some twenty seconds, for each thing that it asks


class AskedRegistry:
    """The registry of the settings; its methods block, and may be called from any thread.

    One helper process answers all questions; the first question starts it. A registry that nobody has made is
    not asked: it holds no models.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._helper = Helper(["-m", "shared.runtime.registered"])
        self._file: object = None
        self._folders: set[TemporaryDirectory[str]] = set()

    @property
    def is_made(self) -> bool:
        """Whether there is a registry that could hold a model."""
        return not nobody_has_made(self._settings.registry_uri)

    def versions(self) -> Mapping[str, str]:
        """Return the version that is to run of each model by name; raises ``RegistryError``.

        That is the champion, or the newest one with the tags of the settings.
        """
        return self._ask(self._question(Path())).versions if self.is_made else {}

    @contextmanager
    def files_of(self, labels: Iterable[str]) -> Iterator[Question]:
        """Fetch the files of versions, ``name/version``; the question tells the folder of each while they are needed.

        Raises ``RegistryError``.
        """
        folder = TemporaryDirectory(prefix="tetouan-models-", ignore_cleanup_errors=True)
        self._folders.add(folder)
        try:
            question = self._question(Path(folder.name), tuple(sorted(set(labels))))
            if self.is_made:
                self._ask(question)
            yield question
        finally:
            folder.cleanup()
            self._folders.discard(folder)

    def metrics_of(self, labels: Iterable[str]) -> Mapping[str, Mapping[str, float]]:
        """Return the metrics of versions, ``name/version``, by label; raises ``RegistryError``."""
        question = self._question(Path()).model_copy(update={"metrics_of": tuple(sorted(set(labels)))})
        return self._ask(question).metrics if self.is_made else {}

    def stop(self) -> None:
        """End the process that asks, and remove the files that a thread may still read: nobody waits for it."""
        self._helper.stop()
        for folder in tuple(self._folders):
            folder.cleanup()

    def _question(self, folder: Path, files_of: tuple[str, ...] = ()) -> Question:
        settings = self._settings
        return Question(
            registry_uri=settings.registry_uri,
            artifact_root=settings.artifact_root,
            tags=dict(tag.split("=", 1) for tag in settings.model_tags),
            folder=folder,
            files_of=files_of,
        )

    def _ask(self, question: Question) -> Reply:
        """Return the answer; raises ``RegistryError``."""
        if (file := file_of(question.registry_uri)) != self._file:
            self._helper.renew()  # a registry that was made anew: the process has the old file open
            self._file = file
        try:
            line = self._helper.ask(question.model_dump_json().encode(), ANSWER_S)
        except TimeoutError:
            why = f"the registry did not answer within {ANSWER_S:.0f} s: see that its server runs"
            raise RegistryError(why) from None
        except HelperDiedError as error:  # only the kind: what it says may hold a password
            kind = str(error).partition(":")[0]
            why = f"asking the registry has failed ({kind}): see whether its server is one"
            raise RegistryError(why) from None
        reply = Reply.model_validate_json(line)
        if reply.error is not None:
            raise RegistryError(reply.error)
        return reply
