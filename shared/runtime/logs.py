"""Structured log lines on standard error, for people or as JSON, from our own code and from the libraries alike."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog

__all__ = ["configure"]

NOISY = {
    "aiokafka": logging.CRITICAL,  # seventy lines a second while a broker is away; the look-out says it once
    "faststream": logging.WARNING,
    "uvicorn": logging.WARNING,
    "httpx": logging.WARNING,
    "alembic": logging.WARNING,
    "mlflow": logging.WARNING,
}


def configure(service: str, form: Literal["console", "json"], level: str) -> None:
    """Send the lines of structlog and of the standard library through one formatter; ``service`` is on every line."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if form == "json"
        else [
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
        ]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name, least in NOISY.items():
        logging.getLogger(name).setLevel(max(least, root.level))
