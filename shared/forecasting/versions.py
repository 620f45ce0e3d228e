"""The versions of the states of models: what an older or newer release wrote is not read.

They stand by themselves, so that whoever only asks whether a file can be read need not import what reads it.
"""

from __future__ import annotations

__all__ = ["WEATHER_DEMAND", "ZONE_DEMAND"]

ZONE_DEMAND = 16
WEATHER_DEMAND = 8
