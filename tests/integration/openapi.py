"""Asks the gateway what its OpenAPI document permits, and what it does not: ``python -m tests.integration.openapi``.

Schemathesis makes up the requests, with all its checks; the gateway has two days of history, and a weather model.
"""

from __future__ import annotations

import argparse
import re
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import TYPE_CHECKING, NamedTuple

import uvicorn

from tests.unit.gateway.api.filled import begun, fill

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Outcome", "examine", "serving"]

PATIENCE_S = 3600.0


class Outcome(NamedTuple):
    """What came of it: the exit code of Schemathesis, how many requests it made, and what it has printed."""

    code: int
    cases: int
    said: str


def examine(examples: int, *options: str) -> Outcome:
    """Let Schemathesis ask; ``examples`` are those of each operation in its longest phase."""
    with serving() as address, TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).with_name("schemathesis")), "run", f"{address}/openapi.json"]
        checks = ["--checks", "all", "--max-examples", str(examples), "--continue-on-failure", "--no-color"]
        done = subprocess.run(
            [*command, *checks, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=folder,  # it keeps its examples where it runs
            timeout=PATIENCE_S,
            check=False,
        )
    found = re.search(r"([\d,]+) generated", done.stdout)
    return Outcome(done.returncode, int(found[1].replace(",", "")) if found else 0, done.stdout)


@contextmanager
def serving() -> Iterator[str]:
    """Serve a gateway with two days of history and a weather model; yields its address."""
    with TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        asked = begun(Path(folder))
        fill(asked)
        config = uvicorn.Config(asked.gateway.application(), log_config=None, access_log=False, lifespan="off")
        server = uvicorn.Server(config)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
            asked.database.close()


def main() -> int:
    """Run it, and print what Schemathesis says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100, help="of each operation in the longest phase")
    outcome = examine(parser.parse_args().examples)
    sys.stdout.write(outcome.said)
    return outcome.code


if __name__ == "__main__":
    sys.exit(main())
