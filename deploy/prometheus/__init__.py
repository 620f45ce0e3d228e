"""Prometheus: what it scrapes, and its alerts as code."""
