"""Subscribers of the live stream in a process of their own, for `benchmarks.live`.

``python -m benchmarks.subscribers ADDRESS --reading N --stalled M --events K --out FILE`` opens N streams that read
and M that read nothing behind the head of the answer, and prints a line once all are open. When each of the N has had
K events, or none of them has had one for ten seconds, it closes these, prints how many events came out of order, and
leaves the M open until its standard input ends. FILE then holds when each event came to each of the N, in seconds of
the machine's clock that never goes back; a row is a stream, a column an offset, NaN what never came.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import socket
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from shared.runtime.clock import monotonic_s

if TYPE_CHECKING:
    from numpy.typing import NDArray

PATH = "/api/v1/stream?topics=readings"
QUIET_S = 10.0
TAKES_LITTLE_BYTES = 4096
_OFFSET = re.compile(rb"\nid: [^:]+:\d+:(\d+)\n")


class StreamReader(asyncio.Protocol):
    """One stream that reads.

    Parameters
    ----------
    arrived_s
        Its row: the time of each offset is entered once; one out of order counts in ``disorders``.
    """

    def __init__(self, request: bytes, arrived_s: NDArray[np.float64]) -> None:
        self._request = request
        self._arrived_s = arrived_s
        self._rest = b""
        self._next = 0
        self.begun = asyncio.Event()
        self.disorders = 0
        self.last_s = monotonic_s()

    @property
    def is_done(self) -> bool:
        """Whether all events have come."""
        return self._next == len(self._arrived_s)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # it is one
        """Ask."""
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Note when the events came that are whole by now."""
        now_s = self.last_s = monotonic_s()
        self.begun.set()
        whole, mark, self._rest = (self._rest + data).rpartition(b"\n\n")
        for found in _OFFSET.finditer(whole + mark):
            offset = int(found[1])
            self.disorders += offset != self._next
            self._next = offset + 1
            self._arrived_s[offset] = now_s


async def run(address: str, arrived_s: NDArray[np.float64]) -> int:
    """Enter when each event came to each stream; return how many came out of order."""
    request = _request(address)
    loop, streams = asyncio.get_running_loop(), [StreamReader(request, row) for row in arrived_s]
    transports = [(await loop.create_connection(partial(_itself, stream), *_place(address)))[0] for stream in streams]
    await asyncio.gather(*(stream.begun.wait() for stream in streams))
    _say("open")
    while not all(stream.is_done for stream in streams):
        await asyncio.sleep(0.1)
        if monotonic_s() - max(stream.last_s for stream in streams) > QUIET_S:
            break
    for transport in transports:
        transport.close()
    return sum(stream.disorders for stream in streams)


def _itself(stream: StreamReader) -> StreamReader:
    return stream


def _place(address: str) -> tuple[str, int]:
    url = urlsplit(address)
    return url.hostname or "", url.port or 0


def _request(address: str) -> bytes:
    return f"GET {PATH} HTTP/1.1\r\nHost: {urlsplit(address).netloc}\r\n\r\n".encode()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _stalled(address: str) -> socket.socket:
    """Open a stream and take no more of it than its head."""
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, TAKES_LITTLE_BYTES)
    one.connect(_place(address))
    one.sendall(_request(address))
    one.recv(1024)
    return one


def main() -> None:
    """Run until all has come."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("--reading", type=int, required=True)
    parser.add_argument("--stalled", type=int, required=True)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    stalled = [_stalled(arguments.address) for _ in range(arguments.stalled)]
    arrived_s = np.full((arguments.reading, arguments.events), np.nan)
    disorders = asyncio.run(run(arguments.address, arrived_s))
    np.save(arguments.out, arrived_s)
    _say(str(disorders))
    sys.stdin.read()
    for one in stalled:
        one.close()


if __name__ == "__main__":
    main()
