"""Checks that run over every fold, every part of a zone's state and every fallback level."""
