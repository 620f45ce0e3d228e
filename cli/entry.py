"""The entry point of `tetouan`: Ctrl-C ends it without a traceback, also while it is still importing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["main"]

INTERRUPTED = 130


def main() -> None:
    """Run the command; what is printed where somebody has closed standard output or error is lost."""
    nowhere = Path(os.devnull)
    sys.stdout, sys.stderr = (each or nowhere.open("w", encoding="utf-8") for each in (sys.stdout, sys.stderr))
    try:
        from cli.__main__ import main as run  # noqa: PLC0415 - a second in which Ctrl-C may come

        run()
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")
        sys.exit(INTERRUPTED)
