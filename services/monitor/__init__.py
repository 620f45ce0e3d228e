"""Forecasts and the readings that come due in, scores out."""
