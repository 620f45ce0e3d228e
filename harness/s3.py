"""An S3 on this machine for the tests, as a process of its own: moto's server."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx

from harness.brokers import PATIENCE_S, free_port, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Bucket", "s3_bucket"]


@dataclass(frozen=True)
class Bucket:
    """A bucket and the address of its server."""

    name: str
    endpoint: str

    @property
    def uri(self) -> str:
        """``s3://`` and its name."""
        return f"s3://{self.name}"

    @property
    def env(self) -> dict[str, str]:
        """What a client of S3 is told; the server takes any key."""
        return {
            "AWS_ACCESS_KEY_ID": "tests",
            "AWS_SECRET_ACCESS_KEY": "tests",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "MLFLOW_S3_ENDPOINT_URL": self.endpoint,
        }

    def listed(self) -> list[str]:
        """Return the keys in order, the first thousand of them."""
        listing = httpx.get(f"{self.endpoint}/{self.name}").raise_for_status().text
        return [part.partition("</Key>")[0] for part in listing.split("<Key>")[1:]]


@contextmanager
def s3_bucket(folder: Path, name: str = "models") -> Iterator[Bucket]:
    """Yield an empty bucket, which ends with the block; the server logs to a file in the folder."""
    bucket = Bucket(name, f"http://127.0.0.1:{(port := free_port())}")
    with (folder / "s3.log").open("ab") as out:
        command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
        server = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        until(lambda: _answers(bucket.endpoint) or server.poll() is not None, "the S3 server")
        httpx.put(f"{bucket.endpoint}/{name}").raise_for_status()
        yield bucket
    finally:
        server.terminate()
        server.wait(PATIENCE_S)


def _answers(endpoint: str) -> bool:
    try:
        return httpx.get(endpoint).is_success
    except httpx.TransportError:
        return False
