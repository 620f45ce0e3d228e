"""Tests of the forecasting core."""
