"""The JSON of articles and uploads, as in the contract."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from ingest.article import DateSource, TitleSource
from ingest.intake import normalise_url
from ingest.library import Outcome
from service.api.fields import (
    DAY,
    NOT_BLANK,
    Day,
    Name,
    PageQuery,
    RequestModel,
    ResponseModel,
    not_blank,
    refused,
    require_order,
)

_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _day_or_moment(value: str) -> str:
    if DAY.fullmatch(value) or _MOMENT.fullmatch(value):
        try:
            datetime.fromisoformat(value.upper())
        except ValueError:
            pass
        else:
            return value
    raise refused("expected YYYY-MM-DD, or a time as in RFC 3339")


def _web_address(value: str) -> str:
    if normalise_url(value) is None:
        raise refused("expected an address that begins with http:// or https://")
    return value


MomentText = Annotated[
    str,
    Field(max_length=40, json_schema_extra={"anyOf": [{"format": "date"}, {"format": "date-time"}]}),
    AfterValidator(_day_or_moment),
]


ArticleText = Annotated[str, Field(min_length=1, json_schema_extra=NOT_BLANK), AfterValidator(not_blank)]
WebAddress = Annotated[
    str,
    Field(min_length=1, max_length=2000, json_schema_extra={"format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"}),
    AfterValidator(_web_address),
]


class ArticlesQuery(PageQuery):
    """Which articles, and which page of them."""

    source: Name | None = None
    published_from: Day | None = None
    published_to: Day | None = None
    query: Annotated[str, Field(min_length=1, max_length=500)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        require_order(self.published_from, self.published_to)
        return self


def _given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"type": "string"}}}


class ArticleRequest(RequestModel):
    """An article to take in: exactly one of `text`, `html` and `markdown`, and what is known about it.

    A stated field goes before what the page or the front matter says.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [_given(form) for form in ("text", "html", "markdown")],
            "examples": [{"text": "The ferry to Lund island stops in winter.", "source": "Lund Post"}],
        }
    )

    text: ArticleText | None = None
    html: ArticleText | None = None
    markdown: ArticleText | None = None
    title: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    url: WebAddress | None = None
    source: Name | None = None
    authors: list[Name] | None = Field(default=None, max_length=50)
    published_at: MomentText | None = None
    external_id: Name | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        if sum(form is not None for form in (self.text, self.html, self.markdown)) != 1:
            raise refused("give exactly one of text, html and markdown")
        return self


class ArticleHeadOut(ResponseModel):
    """An article without its text. `indexed`: the index that answers now holds this version of it."""

    article_id: str
    title: str
    title_source: TitleSource
    source: str
    url: str | None
    authors: list[str]
    published_at: date | None
    date_source: DateSource
    external_id: str | None
    characters: int
    stored_at: datetime
    indexed: bool


class StoredArticleOut(ArticleHeadOut):
    """An article that was taken in."""

    outcome: Outcome


class FileReportOut(ResponseModel):
    """What became of an article of an uploaded file, or of a file, or a line of one, that was refused, and why."""

    file: str
    outcome: Outcome | Literal["refused"]
    article_id: str | None
    reason: str | None


class FileReportsOut(ResponseModel):
    """One line for each article and each refusal, in the order of the files."""

    results: list[FileReportOut]


class ArticleOut(ArticleHeadOut):
    """An article with its text, to which all offsets refer."""

    text: str


class ArticlesOut(ResponseModel):
    """A page of articles, in the order in which they were first added."""

    data: list[ArticleHeadOut]
    next_cursor: str | None
