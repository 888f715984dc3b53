"""How the program logs: one line an event, on standard error, without the values of variables."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logging(level: int = logging.INFO) -> None:
    """Log events from `level` up, unless the surrounding program has chosen a way of its own.

    structlog's default prints to standard output, where only results belong, and adds the values of variables to a
    traceback, so whole questions and articles.
    """
    # A client that went away is no event: asyncio would write a line for every chunk that it misses.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    # Its warnings are refusals that a client gets.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    if structlog.is_configured():
        return
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
