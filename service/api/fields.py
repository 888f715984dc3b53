"""What the forms of requests share: kinds of values, strictness, filters, pages."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from index.searcher import Filters
from ingest.article import ArticleId

MAX_MESSAGE_CHARS = 4000
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def refused(message: str) -> PydanticCustomError:
    """Give the error of a value that is not allowed; the message is fixed text of ours."""
    # The template is fixed text of ours: nothing of the input is put into it.
    return PydanticCustomError("byline", message)


def _day(value: object) -> object:
    if value is None or isinstance(value, date):
        return value
    if isinstance(value, str) and DAY.fullmatch(value):
        try:
            return date.fromisoformat(value)
        except ValueError:
            pass
    raise refused("expected a day of the calendar as YYYY-MM-DD")


def _whole_number(value: object) -> object:
    # Pydantic reads "1_000" as a number, too.
    if isinstance(value, str) and not re.fullmatch(r"[0-9]{1,9}", value):
        raise refused("expected a whole number")
    return value


def not_blank(value: str) -> str:
    """Refuse a text without a character that is seen."""
    if not value.strip():
        raise refused("is blank; expected some text")
    return value


Day = Annotated[date, BeforeValidator(_day)]
NOT_BLANK = {"pattern": r"\S"}
Question = Annotated[
    str, Field(min_length=1, max_length=MAX_MESSAGE_CHARS, json_schema_extra=NOT_BLANK), AfterValidator(not_blank)
]


Name = Annotated[str, Field(min_length=1, max_length=500)]
Cursor = Annotated[str, Field(min_length=1, max_length=200)]


class RequestModel(BaseModel):
    """Base of what clients send: no unknown fields, and no value of another type taken for the right one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _only_known_fields(cls, values: Any) -> Any:  # noqa: ANN401  # whatever a client sent
        # Before pydantic does it: its report would carry the unknown name, which is the client's text.
        if isinstance(values, dict) and not values.keys() <= cls.model_fields.keys():
            raise refused(f"holds an unknown field; the fields are {', '.join(cls.model_fields)}")
        return values


class ResponseModel(BaseModel):
    """Base of what is answered; reads the values inside by their attributes."""

    model_config = ConfigDict(from_attributes=True)


class FiltersIn(RequestModel):
    """Which articles may be used. One without a known date is left out as soon as a date is asked for."""

    published_from: Day | None = Field(default=None, description="Only articles of this day or later.")
    published_to: Day | None = Field(default=None, description="Only articles of this day or earlier.")
    sources: list[Name] | None = Field(
        default=None, min_length=1, max_length=100, description="Only articles of these sources, by their exact names."
    )
    article_ids: list[Name] | None = Field(
        default=None, min_length=1, max_length=1000, description="Only these articles."
    )

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        require_order(self.published_from, self.published_to)
        return self

    def to_filters(self) -> Filters:
        """Give the filters of a search."""
        return Filters(
            published_from=self.published_from,
            published_to=self.published_to,
            sources=tuple(self.sources or ()),
            article_ids=tuple(ArticleId(article) for article in self.article_ids or ()),
        )


class PageQuery(RequestModel):
    """Which page of a list."""

    limit: Annotated[int, BeforeValidator(_whole_number), Field(strict=False)] = Field(default=50, ge=1, le=200)
    cursor: Cursor | None = None


def in_utc(moment: datetime) -> datetime:
    """Give a time in UTC, as all times of the contract are."""
    return moment.astimezone(UTC)


def require_order(first: date | None, last: date | None) -> None:
    """Refuse a period that ends before it begins."""
    if first is not None and last is not None and first > last:
        raise refused("published_from is after published_to")
