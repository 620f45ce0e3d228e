"""The three services on one broker as processes of their own, each of which can be struck down and started again."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from harness.brokers import LeakError, service, until
from shared.contracts import topics
from shared.contracts.messages import Forecast, Scores
from shared.runtime.concerns import RegistrySettings
from shared.runtime.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from harness.brokers import Broker, ServiceProcess
    from shared.contracts.topics import Topic

__all__ = ["NAMES", "Stream", "kind_of", "replicas_of", "streaming"]

NAMES = ("ingestor", "monitor", "forecaster")


def kind_of(name: str) -> str:
    """Return which service a replica is one of: that of forecaster-2 is forecaster."""
    return name.partition("-")[0]


def replicas_of(kind: str, count: int) -> list[str]:
    """Return the names of the replicas of a service: one has the service's own, several have a number behind it."""
    return [kind] if count == 1 else [f"{kind}-{n}" for n in range(1, count + 1)]


class Stream:
    """The services of one broker; each replica has a state folder of its own, and all have the models of a folder.

    Parameters
    ----------
    leaks
        Takes the log of each service that has left a connection open at its end; without it that fails the end.
    """

    def __init__(
        self,
        broker: Broker,
        folder: Path,
        models_dir: Path,
        port: Callable[[], int],
        settings: Mapping[str, str],
        *,
        replicas: int = 1,
        leaks: list[str] | None = None,
    ) -> None:
        self.broker = broker
        self.services: dict[str, ServiceProcess] = {}
        self.replicas = {kind: replicas_of(kind, replicas) for kind in NAMES}
        self._folder = folder
        self._port = port
        self._leaks = leaks
        self._stacks = {name: ExitStack() for names in self.replicas.values() for name in names}
        self.settings = {
            "TETOUAN_SNAPSHOT_EVERY_S": "0.2",
            "TETOUAN_MLFLOW_URI": load(RegistrySettings, state_dir=models_dir).registry_uri,
            "TETOUAN_REPORT_EVERY_HOURS": "0",
            **settings,
        }

    def state_dirs(self, kind: str) -> list[Path]:
        """Return the state folders of the replicas of a service."""
        return [self.state_dir(name) for name in self.replicas[kind]]

    def state_dir(self, name: str) -> Path:
        """Return the state folder of a replica."""
        return self._folder / name

    def start(self, name: str, *, ready: bool = True, **settings: str) -> None:
        """Start a service on a port of its own."""
        own = {
            **self.settings,
            "TETOUAN_STATE_DIR": str(self.state_dir(name)),
            "TETOUAN_GROUP_INSTANCE_ID": name,  # who was killed is not waited for when it comes back
            **settings,
        }
        module = f"services.{kind_of(name)}"
        running = service(name, self.broker, self._folder, self._port(), ready=ready, module=module, **own)
        self._stacks[name].push(self._forgives)
        self.services[name] = self._stacks[name].enter_context(running)

    def _forgives(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if self._leaks is None or not isinstance(error, LeakError):
            return False
        self._leaks.append(str(error))
        return True

    def kill(self, name: str) -> None:
        """Kill a service without a warning."""
        self.services[name].process.kill()
        self.end(name)

    def end(self, name: str) -> None:
        """Tell a service to stop, and wait until it has."""
        self._stacks[name].close()
        del self.services[name]

    def forget(self, name: str) -> None:
        """Remove the state folder of a service: what it restores then is on the topics."""
        shutil.rmtree(self.state_dir(name), ignore_errors=True)

    def stop(self) -> None:
        """End all services, those first that others wait for."""
        with ExitStack() as all_of_them:
            for kind in ("monitor", "forecaster", "ingestor"):
                for name in self.replicas[kind]:
                    all_of_them.enter_context(self._stacks[name])

    def live(self) -> bool:
        """Tell whether every service says that it is alive."""
        return all(running.process.poll() is None and running.live() for running in self.services.values())

    def misses_broker(self) -> bool:
        """Tell whether every service says that the broker does not answer."""
        return all("does not answer" in (running.waiting_for("broker") or "") for running in self.services.values())

    def answered(self, readings: int) -> bool:
        """Tell whether so many different origins have a forecast."""
        return self._has(topics.FORECASTS, readings, lambda raw: Forecast.from_bytes(raw).origin)

    def scored(self, hours: int) -> bool:
        """Tell whether so many different hours have scores."""
        return self._has(topics.SCORES, hours, lambda raw: Scores.from_bytes(raw).time)

    def _has(self, topic: Topic, count: int, time_of: Callable[[bytes], datetime]) -> bool:
        # what is asked for again and again must not cost what it waits for its processor: count first, read then
        if self.broker.held(topic) < count:
            return False
        return len({time_of(message.value() or b"") for message in self.broker.everything(topic)}) >= count


@contextmanager
def streaming(
    broker: Broker,
    folder: Path,
    models_dir: Path,
    port: Callable[[], int],
    settings: Mapping[str, str] | None = None,
    *,
    ready: bool = True,
    replicas: int = 1,
    at_first: int | None = None,
    leaks: list[str] | None = None,
) -> Iterator[Stream]:
    """Run the three services until the block ends, ``at_first`` so many of the replicas, or all."""
    stream = Stream(broker, folder, models_dir, port, settings or {}, replicas=replicas, leaks=leaks)
    try:
        for names in stream.replicas.values():
            for name in names[:at_first]:
                stream.start(name, ready=False)
        if ready:
            until(lambda: all(running.ready() for running in stream.services.values()), "all services to be ready")
        yield stream
    finally:
        stream.stop()
