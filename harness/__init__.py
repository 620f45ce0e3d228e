"""Brokers, services as processes, and synthetic sites: what integration tests and benchmarks run on."""
