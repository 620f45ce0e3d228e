"""Who listens on a port of this machine."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

import psutil

from cli.findings import Port

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["holder_of", "ports_of"]

SHOWN = 60  # characters of a command line


def ports_of(host: str, wanted: Mapping[str, int]) -> list[Port]:
    """Return who holds the ports that services would listen on."""
    return [Port(number, name, _obstacle(host, number)) for name, number in wanted.items()]


def _obstacle(host: str, port: int) -> str | None:
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        return holder_of(port) or os.strerror(error.errno or errno.EIO)
    return None


def holder_of(port: int) -> str | None:
    """Return the process that listens on a port, None where that cannot be known."""
    try:
        found = psutil.net_connections("tcp")
    except (psutil.Error, OSError):
        return None
    listening = (each for each in found if each.status == psutil.CONN_LISTEN and each.pid is not None)
    pids = [each.pid for each in listening if each.laddr and each.laddr[1] == port]
    if not pids:
        return None
    try:
        return f"pid {pids[0]}, {' '.join(psutil.Process(pids[0]).cmdline())[:SHOWN]}"
    except (psutil.Error, OSError):
        return f"pid {pids[0]}"
