"""Drives the pure cores of the services over history and scores what they would have sent."""
