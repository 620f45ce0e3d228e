"""Tests of the look at a file."""
