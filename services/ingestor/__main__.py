"""Runs the ingestor: ``python -m services.ingestor``."""

from __future__ import annotations

import sys

from services.ingestor.app import build
from services.ingestor.settings import IngestorSettings
from shared.runtime.service import main

if __name__ == "__main__":
    sys.exit(main("ingestor", IngestorSettings, build))
