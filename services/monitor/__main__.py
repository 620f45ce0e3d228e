"""Runs the monitor: ``python -m services.monitor``."""

from __future__ import annotations

import sys

from services.monitor.app import build
from services.monitor.settings import MonitorSettings
from shared.runtime.service import main

if __name__ == "__main__":
    sys.exit(main("monitor", MonitorSettings, build))
