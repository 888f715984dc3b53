"""How commands speak: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

# Imported where it is needed: rich by what prints, and `index.reports`, which takes numpy with it, by nobody here.
if TYPE_CHECKING:
    from rich.console import Console

    from index.reports import Phase, Plan, Progress

LINE_EVERY_SECONDS = 10.0

_PHASES: dict[Phase, str] = {
    "read": "reading articles",
    "chunk": "cutting into chunks",
    "embed": "embedding",
    "write": "writing",
    "verify": "verifying",
    "publish": "publishing",
}


@cache
def out() -> Console:
    """Give the console of results, standard output."""
    from rich.console import Console

    return Console(highlight=False, markup=False, soft_wrap=True, emoji=False)


@cache
def err() -> Console:
    """Give the console of everything else, standard error."""
    from rich.console import Console

    return Console(highlight=False, markup=False, soft_wrap=True, emoji=False, stderr=True)


def printable(text: str) -> str:
    """Escape control characters: the name of a file or the text of an article must not steer a terminal."""
    return "".join(char if char in "\n\t" or not _steers(char) else ascii(char)[1:-1] for char in text)


def one_line(text: str) -> str:
    """Escape line ends, too: a name must not pass for a line of a report."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _steers(char: str) -> bool:
    return (
        unicodedata.category(char) in {"Cc", "Cs"} or char in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    )


def say(text: str) -> None:
    """Print a result."""
    out().print(printable(text))


def note(text: str) -> None:
    """Print a message that is no result; where the log is for machines, as a line of it."""
    from service.logs import is_for_machines, log

    if is_for_machines():
        log.info(text)
    else:
        err().print(printable(text))


def complain(text: str) -> None:
    """Print why a command ends in failure; where the log is for machines, as a line of it."""
    from service.logs import is_for_machines, log

    if is_for_machines():
        log.error(text)
    else:
        print(f"byline: {printable(text)}", file=sys.stderr)  # noqa: T201  # not wrapped, whatever the terminal


def say_json(value: Any) -> None:  # noqa: ANN401  # any JSON value
    """Print one JSON document."""
    out().print(json.dumps(value, ensure_ascii=False, indent=2))


def duration(seconds: float) -> str:
    """Say about how long something takes."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def plan_lines(plan: Plan) -> Iterator[str]:
    """Say what a build is about to do, where that is more than what a user expects of it."""
    takes = f", about {duration(plan.seconds)} at the pace of the last build" if plan.seconds is not None else ""
    if plan.reason is not None:
        yield f"{plan.embedded} of {plan.articles} articles are embedded anew ({plan.reason}){takes}."
    elif plan.seconds is not None and plan.seconds >= LINE_EVERY_SECONDS:
        yield f"{plan.embedded} of {plan.articles} articles are to be embedded{takes}."
    if plan.resumed:
        yield f"{plan.resumed} articles were embedded by a build that did not end, and are taken from there."


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """Show a bar for each phase of a build, or a line now and then where there is no terminal; gives what steps it."""
    if not err().is_terminal:
        yield _lines()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=err(), transient=True) as bar:
        task = bar.add_task("starting", total=None)
        shown: list[Phase] = []

        def step(progress: Progress) -> None:
            if shown[-1:] != [progress.phase]:
                shown.append(progress.phase)
                bar.reset(task, description=_PHASES[progress.phase], total=progress.total)
            bar.update(task, completed=progress.done, total=progress.total)

        yield step


def _lines() -> Callable[[Progress], None]:
    last: list[float] = [time.monotonic()]

    def step(progress: Progress) -> None:
        # A short build says nothing; a long one shows that it lives.
        if time.monotonic() - last[0] >= LINE_EVERY_SECONDS:
            last[0] = time.monotonic()
            note(f"{_PHASES[progress.phase]}: {progress.done} of {progress.total}")

    return step
