"""Paces the year of readings onto the raw topic."""
