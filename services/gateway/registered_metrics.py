"""The metrics of registered versions of which no message has told: nobody promotes those that tags name."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any

import structlog

from shared.runtime.clock import monotonic_s
from shared.runtime.registry import RegistryError
from shared.runtime.threads import begin_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from concurrent.futures import Future

__all__ = ["RegisteredMetrics"]

PATIENCE_S = 3.0
AGAIN_S = 10.0  # from one question to the next

log = structlog.get_logger()


class RegisteredMetrics:
    """What the registry says of versions, which never changes; its method may be called from any thread.

    Parameters
    ----------
    ask
        Returns the metrics of versions, ``name/version``; may take seconds; raises ``RegistryError``.
    patience_s
        That a request waits for them; they are asked for all the same.
    """

    def __init__(
        self, ask: Callable[[Collection[str]], Mapping[str, Mapping[str, float]]], patience_s: float = PATIENCE_S
    ) -> None:
        self._ask = ask
        self._patience_s = patience_s
        self._known: dict[str, Mapping[str, float]] = {}
        self._asking: Future[None] | None = None
        self._asked_s = -AGAIN_S
        self._turn = Lock()

    def complete(self, items: Sequence[dict[str, Any]]) -> None:
        """Fill in the metrics of versions that have none, as far as they are known within the time for it."""
        lacking = {
            f"{item['model']}/{item['version']}": item for item in items if item["version"] and not item["metrics"]
        }
        if asking := self._asking_for(lacking.keys() - self._known.keys()):
            with suppress(TimeoutError):
                asking.result(self._patience_s)
        for label, item in lacking.items():
            item["metrics"] = dict(self._known.get(label, {}))

    def _asking_for(self, labels: Collection[str]) -> Future[None] | None:
        """Return what ends as the registry has answered the question that is open, a new one where none is."""
        with self._turn:
            is_open = self._asking is not None and not self._asking.done()
            if labels and not is_open and monotonic_s() - self._asked_s >= AGAIN_S:
                self._asked_s = monotonic_s()
                self._asking = begin_in_thread(self._answer, labels)
            return self._asking if labels else None

    def _answer(self, labels: Collection[str]) -> None:
        try:
            self._known |= self._ask(labels)
        except RegistryError as error:
            log.warning("the registry does not say what models have scored", why=str(error))
