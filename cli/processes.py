"""The processes of a demo: broker, services, replay. They import what they need while the data are still being read."""

from __future__ import annotations

import errno
import signal
import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from cli.children import Children
from cli.runs import new_run
from replay.interruption import handled_by
from shared.runtime import embedded
from shared.runtime.settings import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from cli.children import Child
    from cli.settings import DemoSettings
    from shared.runtime.embedded import EmbeddedBroker

__all__ = ["AUDIT", "REPLAY", "SERVICES", "Processes", "starting"]

SERVICES = {"gateway": 8000, "ingestor": 8001, "forecaster": 8002, "monitor": 8003}
"""The ports of the services; that of the gateway is TETOUAN_HTTP_PORT where it is set."""
LATE = ("monitor", "gateway")
"""Services that have nothing to do before the first forecast."""
REPLAY = "replay"
AUDIT = "audit"
"""The consumer group of the process that watches a demo."""

MODULES = {
    # in the order in which they are needed
    "forecaster": ("services.forecaster", "services.forecaster.app", "river.linear_model"),
    REPLAY: ("cli", "cli.replaying", "shared.data.year"),
    "ingestor": ("services.ingestor", "services.ingestor.app"),
    "monitor": ("services.monitor", "services.monitor.app"),
    "gateway": ("services.gateway", "services.gateway.app"),
}
"""The module of each process, and what it imports before it is told what to do."""


class Processes:
    """The broker and the children of a demo.

    Attributes
    ----------
    run_dir
        Where their logs are.
    addresses
        Where each service listens.
    control
        The address at which the replay is paused and its pace changed.
    """

    def __init__(
        self, run_dir: Path, broker: EmbeddedBroker, children: Children, listeners: Mapping[str, socket.socket]
    ) -> None:
        self.run_dir = run_dir
        found = {name: "http://{}:{}".format(*each.getsockname()[:2]) for name, each in listeners.items()}
        self.control = f"{found.pop(REPLAY)}/control"
        self.addresses = found
        self._broker = broker
        self._all = children
        self._listeners = listeners
        self._started: dict[str, Child] = {}

    @property
    def bootstrap(self) -> str:
        """The address of the broker, once it listens; raises ``EmbeddedBrokerError``."""
        return self._broker.bootstrap

    @property
    def is_replaying(self) -> bool:
        """Whether the replay has not ended."""
        return self._started[REPLAY].process.poll() is None

    def start(self, name: str) -> None:
        """Let a process import what it needs; it inherits the socket that it listens on, so that nobody can take it."""
        module, *imported = MODULES[name]
        listener = self._listeners.get(name)
        inherited = {"CONTROL_FD" if name == REPLAY else "HTTP_FD": listener.fileno()} if listener else {}
        self._started[name] = self._all.start(name, module, imported, inherited)
        if listener is not None:
            listener.close()

    def begin(self, name: str, env: Mapping[str, str], args: Sequence[str] = ()) -> None:
        """Let a process that was started run with these settings."""
        self._started[name].begin(env, args)

    def end_replay(self) -> None:
        """End the replay and wait for it."""
        self._all.end(self._started[REPLAY])

    def dead(self) -> tuple[str, Child | None] | None:
        """Return what to tell of a process that has died, with the child if it is one; None where all live."""
        if (code := self._broker.process.poll()) is not None:
            return f"the embedded broker has died with exit code {code}: start the demo again", None
        child = self._all.ended()
        if child is None:
            return None
        return (
            f"{child.name} has died with exit code {child.process.returncode}: see above, start the demo again",
            child,
        )


@contextmanager
def starting(settings: DemoSettings, console: Console) -> Iterator[Processes]:
    """Start all but those of ``LATE``, and end all on leaving; raises ``Refused`` where one cannot listen or log."""
    run_dir = new_run(settings.state_dir)
    with ExitStack() as stack:
        stack.enter_context(handled_by(signal.default_int_handler))  # no child outlives the demo
        broker = stack.enter_context(embedded.start())
        children = stack.enter_context(Children(run_dir))
        ports = {**SERVICES, "gateway": settings.http_port}
        listeners = {name: stack.enter_context(_listener(settings.http_host, port)) for name, port in ports.items()}
        listeners[REPLAY] = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        processes = Processes(run_dir, broker, children, listeners)
        for name, wanted in ports.items():
            if wanted not in (0, port := listeners[name].getsockname()[1]):
                console.print(_elsewhere(name, wanted, port), soft_wrap=True, highlight=False, markup=False)
        for name in ("forecaster", REPLAY, "ingestor"):
            processes.start(name)
        yield processes


def _elsewhere(name: str, wanted: int, port: int) -> str:
    from cli.ports import holder_of  # noqa: PLC0415 - it is seldom needed

    holder = holder_of(wanted)
    return f"port {wanted} is taken{f' ({holder})' if holder else ''}: the {name} listens on {port}"


def _listener(host: str, wanted: int) -> socket.socket:
    """Return a socket that listens on the port, or on a free one where it is taken."""
    try:
        return socket.create_server((host, wanted))
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return socket.create_server((host, 0))
        raise Refused(
            f"TETOUAN_HTTP_HOST={host!r} is no address of this machine ({error.strerror}): give one that is"
        ) from None
