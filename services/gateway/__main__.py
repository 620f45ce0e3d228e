"""Runs the gateway: ``python -m services.gateway``."""

from __future__ import annotations

import sys

INTERRUPTED = 130

if __name__ == "__main__":
    try:  # Ctrl-C may come while this is still importing
        from services.gateway.app import build
        from services.gateway.settings import GatewaySettings
        from shared.runtime.service import main

        code = main("gateway", GatewaySettings, build)
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)
