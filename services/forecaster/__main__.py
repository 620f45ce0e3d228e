"""Runs the forecaster: ``python -m services.forecaster``."""

from __future__ import annotations

import sys

INTERRUPTED = 130

if __name__ == "__main__":
    try:  # Ctrl-C may come while this is still importing
        import river.linear_model  # noqa: F401 - of the weather models: it takes seconds, which no stream may wait for

        from services.forecaster.app import build
        from services.forecaster.settings import ForecasterSettings
        from shared.runtime.service import main

        code = main("forecaster", ForecasterSettings, build)
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)
