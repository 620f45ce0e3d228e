"""Runs the ingestor: ``python -m services.ingestor``."""

from __future__ import annotations

import sys

INTERRUPTED = 130

if __name__ == "__main__":
    try:  # Ctrl-C may come while this is still importing
        from services.ingestor.app import build
        from services.ingestor.settings import IngestorSettings
        from shared.runtime.service import main

        code = main("ingestor", IngestorSettings, build)
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)
