"""Tracebacks in the log: places, kinds, and messages only where they quote nothing of others."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from pydantic import BaseModel

from ingest.article import IngestError
from service.llm import LlmUnavailable
from service.logs import plain_traceback


class Form(BaseModel):
    number: int


def raised(call):
    with pytest.raises(BaseException) as caught:  # noqa: PT011  # whichever
        call()
    return "\n".join(plain_traceback(caught.value))


@pytest.mark.parametrize(
    "call",
    [lambda: int("canary"), lambda: {}["canary"], lambda: Form(number="canary"), lambda: "\ud800".encode()],
)
def test_what_an_exception_quotes_is_not_shown(call):
    shown = raised(call).splitlines()
    assert shown[0] == "Traceback (most recent call last):"
    assert "in raised" in shown[1]
    assert shown[-1].endswith("(its message may quote texts, and is not logged)")
    assert "ValidationError" in shown[-1] or "Error: (" in shown[-1]


def test_our_own_messages_and_those_of_the_system_are_shown():
    def fails():
        try:
            Path("/nowhere/at/all").read_text()
        except OSError as error:
            raise IngestError("the library cannot be read") from error

    shown = raised(fails)
    assert "FileNotFoundError: [Errno 2] No such file or directory: '/nowhere/at/all'" in shown
    assert shown.endswith("ingest.article.IngestError: the library cannot be read")
    assert shown.index("FileNotFoundError") < shown.index("IngestError:")


def test_an_error_of_the_database_is_shown_without_its_values():
    engine = sa.create_engine("sqlite://", hide_parameters=True)

    def fails():
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT :word FROM absent"), {"word": "canary"})

    shown = raised(fails)
    engine.dispose()
    assert "no such table: absent" in shown
    assert "canary" not in shown.splitlines()[-1]


def test_each_error_of_a_group_is_shown():
    def fails():
        raise ExceptionGroup("two at once", [OSError("the disk"), LlmUnavailable("the LLM")])

    shown = raised(fails)
    assert "  | OSError: the disk" in shown
    assert "  | service.llm.LlmUnavailable: the LLM" in shown


def test_an_llm_error_has_a_message_for_the_log():
    assert LlmUnavailable("all of it").for_log == "all of it"
    assert LlmUnavailable("all: 'words'", for_log="all").for_log == "all"
