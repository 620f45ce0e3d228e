"""Readings in, batch models in the registry out."""
