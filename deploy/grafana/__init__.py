"""Grafana: its provisioning, and its dashboard as code."""
