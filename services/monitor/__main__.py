"""Runs the monitor: ``python -m services.monitor``."""

from __future__ import annotations

import sys

INTERRUPTED = 130

if __name__ == "__main__":
    try:  # Ctrl-C may come while this is still importing
        from services.monitor.app import build
        from services.monitor.settings import MonitorSettings
        from shared.runtime.service import main

        code = main("monitor", MonitorSettings, build)
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)
