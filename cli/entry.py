"""The entry point of `tetouan`: Ctrl-C ends it without a traceback, also while it is still importing."""

from __future__ import annotations

import sys

__all__ = ["main"]

INTERRUPTED = 130


def main() -> None:
    """Run the command."""
    try:
        from cli.__main__ import main as run  # noqa: PLC0415 - a second in which Ctrl-C may come

        run()
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(INTERRUPTED)
