"""Runs the forecaster: ``python -m services.forecaster``."""

from __future__ import annotations

import sys

from services.forecaster.app import build
from services.forecaster.settings import ForecasterSettings
from shared.runtime.service import main

if __name__ == "__main__":
    sys.exit(main("forecaster", ForecasterSettings, build))
