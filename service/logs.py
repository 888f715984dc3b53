"""How the program logs: one line an event, on standard error, in a form for people or for machines.

Neither the values of variables nor the words of others get into it: what an exception of a library says may quote a
question or an article, so only its place and its kind are logged.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["console", "json"]

log = structlog.get_logger("byline")

_OURS = frozenset({"ingest", "index", "service", "eval"})
_WITHHELD = "(its message may quote texts, and is not logged)"


def configure_logging(level: int = logging.INFO, log_format: LogFormat = "console") -> None:
    """Log events from `level` up, unless the surrounding program has chosen a way of its own.

    What libraries log goes the same way, from WARNING up: below it some of them log whole requests.

    structlog's default prints to standard output, where only results belong, and adds the values of variables to a
    traceback, so whole questions and articles.

    Args:
        level: A level of `logging`.
        log_format: `console` for people, `json` for one JSON object a line.
    """
    # A client that went away is no event: asyncio would write a line for every chunk that it misses.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    # Its warnings are refusals that a client gets.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    if structlog.is_configured():
        return
    as_console = log_format == "console"
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _with_traceback,
    ]
    ending: list[Processor] = [structlog.processors.JSONRenderer()]
    if as_console:
        ending = [_without_controls, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    structlog.configure(
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared[:1], structlog.stdlib.add_logger_name, *shared[1:]],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
    )
    _take_over_others(sys.stderr, formatter, max(level, logging.WARNING))


def is_for_machines() -> bool:
    """Tell whether what is logged is JSON."""
    return isinstance(structlog.get_config()["processors"][-1], structlog.processors.JSONRenderer)


def level_named(name: str) -> int:
    """Give the level of `logging` of a name in lower case, such as "info"."""
    return logging.getLevelNamesMapping()[name.upper()]


def _take_over_others(stream: TextIO, formatter: logging.Formatter, level: int) -> None:
    """Have the records of libraries, Python's warnings and the ends of threads written by a formatter."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    threading.excepthook = _log_end_of_thread


def _log_end_of_thread(ended: threading.ExceptHookArgs) -> None:
    name = ended.thread.name if ended.thread is not None else "unknown"
    structlog.get_logger(__name__).error("thread failed", thread=name, exc_info=ended.exc_value)


def _with_traceback(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Put the traceback of an event, if it has one, into its text `exception`."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else given
    if error and not isinstance(error, BaseException):
        error = sys.exc_info()[1]
    if error:
        event["exception"] = "\n".join(plain_traceback(error))
    return event


def _without_controls(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Escape what would steer a terminal, and line ends, which would look like further events."""
    return {name: value if name == "exception" else _one_line(value) for name, value in event.items()}


def _one_line(value: Any) -> Any:  # noqa: ANN401  # any value of an event
    if not isinstance(value, str) or value.isprintable():
        return value
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in value)


def plain_traceback(error: BaseException) -> Iterator[str]:
    """Give the lines of a traceback: places and kinds, and messages only where they quote nothing of others."""
    chain = [error]
    while (before := _before(chain[-1])) is not None and before not in chain:
        chain.append(before)
    for one in reversed(chain):
        yield "Traceback (most recent call last):"
        yield from _frames(one.__traceback__)
        yield f"{_kind(one)}: {_message(one)}"
        for inner in one.exceptions if isinstance(one, BaseExceptionGroup) else ():
            yield from (f"  | {line}" for line in plain_traceback(inner))


def _before(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _frames(at: TracebackType | None) -> Iterator[str]:
    for frame in traceback.format_tb(at):
        yield from frame.rstrip("\n").split("\n")


def _kind(error: BaseException) -> str:
    cls = type(error)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _message(error: BaseException) -> str:
    home = type(error).__module__.partition(".")[0]
    # A ValueError or KeyError mostly says which value. The database's errors come without the values of statements.
    plain = home in _OURS | {"sqlalchemy"} or (home == "builtins" and not isinstance(error, ValueError | LookupError))
    return _one_line(str(error)) if plain else _WITHHELD
