"""Articles: taking them in, listing, showing and removing them."""

from __future__ import annotations

import codecs
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import JSONResponse, Response

from index.errors import NoGeneration
from ingest.article import Article, ArticleId, RefusedInput
from ingest.intake import prepare
from ingest.library import ListFilter, Outcome, Stored
from ingest.readers import RawArticle, read_bytes
from service.api.access import READ, REFUSALS, WRITE
from service.api.article_schemas import (
    ArticleHeadOut,
    ArticleOut,
    ArticleRequest,
    ArticlesOut,
    ArticlesQuery,
    FileReportOut,
    FileReportsOut,
    StoredArticleOut,
)
from service.api.asking import Gone
from service.api.errors import InvalidValue, NotFound, Overloaded, ShuttingDown, responses
from service.api.fields import in_utc
from service.api.keyed import KEY_PARAMETER, KeyedRoute, once
from service.api.multipart import MAX_FILES, Form, read_form
from service.api.state import ApiState, State
from service.api.uploads import MAX_NAME_CHARS, UploadStopped, take_in
from service.erasure import remove_article

MAX_UPLOADS = 8
"""Under way at once: their files lie on the disk until they are read."""

FILES_PATH = "/v1/articles/files"

router = APIRouter(prefix="/v1/articles", tags=["articles"], route_class=KeyedRoute, responses=REFUSALS)

_POST_RESPONSES = responses(400, 408, 409, 413, 415, 422, 503) | {
    200: {"model": StoredArticleOut, "description": "The article was there already, or was replaced."}
}

_FILES_SCHEMA = {
    "type": "object",
    "required": ["files"],
    "additionalProperties": False,
    "properties": {
        "files": {
            "type": "array",
            "minItems": 1,
            "description": f"At most {MAX_FILES}.",
            "items": {"type": "string", "contentMediaType": "application/octet-stream"},
        },
        "source": {
            "type": ["string", "null"],
            "maxLength": MAX_NAME_CHARS,
            "description": "Of articles that name none; empty is none.",
        },
    },
}


@router.post(
    "",
    status_code=201,
    response_model=StoredArticleOut,
    responses=_POST_RESPONSES,
    dependencies=[WRITE],
    openapi_extra=KEY_PARAMETER,
)
async def add_article(body: ArticleRequest, state: State) -> Response:
    """Take an article in; it is on disk when this answers, and found once an index was built."""
    # Reading HTML and cleaning take the processor, storing waits for the disk.
    article = await state.questions.run(_read, body, state.parts.settings.max_article_chars)
    outcome, stored = await state.storage.run(_store, state, article)
    out = StoredArticleOut(**_head(stored, state).model_dump(), outcome=outcome)
    return JSONResponse(
        out.model_dump(mode="json"),
        status_code=201 if outcome == "added" else 200,
        headers={"Location": f"/v1/articles/{article.id}"},
    )


@router.post(
    "/files",
    dependencies=[WRITE],
    response_model=FileReportsOut,
    responses=responses(400, 408, 409, 413, 415, 422, 503),
    openapi_extra=KEY_PARAMETER
    | {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FILES_SCHEMA}}}},
)
async def add_files(request: Request, state: State) -> Response:
    """Take in all articles of the files of a form; those that are reported on are on disk when this answers.

    Files are what `byline add` reads: .txt, .md, .html, .jsonl. One that cannot be read is refused alone.
    """
    if state.uploading >= MAX_UPLOADS:
        raise Overloaded("too many uploads are under way; try again shortly")
    state.uploading += 1
    try:
        with closing(await read_form(request)) as form:
            return await once(request, state, form.digest(), partial(_take_in, form, state))
    finally:
        state.uploading -= 1


async def _take_in(form: Form, state: ApiState) -> Response:
    source = _source(form)
    form.files = [file for file in form.files if file.name or file.size]  # browsers send what was not chosen
    if not form.files:
        raise InvalidValue("the form has no file; give each a file name", pointer="#/files")
    max_chars = state.parts.settings.max_article_chars
    try:
        with Gone(state) as gone:
            reports = await state.uploads.run(
                take_in, state.parts.library, form, source=source, max_chars=max_chars, stopped=gone
            )
    except UploadStopped as error:
        raise ShuttingDown("the server is shutting down; send the files again when it is back") from error
    out = FileReportsOut(results=[FileReportOut.model_validate(report) for report in reports])
    return Response(out.model_dump_json(), media_type="application/json")


@router.get("", responses=responses(422, 503), dependencies=[READ])
async def list_articles(query: Annotated[ArticlesQuery, Query()], state: State) -> ArticlesOut:
    """List articles in the order in which they were first added, without their texts."""
    where = ListFilter(query.source, query.published_from, query.published_to, query.query)
    page = await state.storage.run(state.parts.library.page, where, limit=query.limit, cursor=query.cursor)
    return ArticlesOut(data=[_head(stored, state) for stored in page.items], next_cursor=page.next_cursor)


@router.get(
    "/{article_id}",
    dependencies=[READ],
    response_model=ArticleOut,
    responses=responses(404, 422, 503) | {304: {"description": "Not changed since the ETag that was sent."}},
)
async def get_article(
    article_id: str,
    state: State,
    generation: Annotated[str | None, Query(max_length=20)] = None,
    if_none_match: Annotated[str | None, Header()] = None,
) -> Response:
    """Give an article with its text: as the library has it, or as the served generation, where it is named, holds it.

    Between an edit and the next build the two differ, and the quotes of answers stand in the generation's.
    """
    if generation is not None:
        return JSONResponse(_held(ArticleId(article_id), generation, state).model_dump(mode="json"))
    stored = await state.storage.run(state.parts.library.get, ArticleId(article_id))
    if stored is None:
        raise NotFound("there is no article of this id")
    head = _head(stored, state)
    # `indexed` is part of what is shown, and changes without the article.
    tag = f'"{stored.article.content_hash[:32]}-{"indexed" if head.indexed else "new"}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if if_none_match is not None and _matches(tag, if_none_match):
        return Response(status_code=304, headers=headers)
    out = ArticleOut(**head.model_dump(), text=stored.article.text)
    return JSONResponse(out.model_dump(mode="json"), headers=headers)


@router.delete("/{article_id}", status_code=204, responses=responses(404, 422, 503), dependencies=[WRITE])
async def delete_article(article_id: str, state: State) -> None:
    """Remove an article; no search that begins after this finds it, and the next build takes it out of the index.

    Answers that were stored keep its id and title, not its words.
    """
    if not await state.storage.run(_remove, state, ArticleId(article_id)):
        raise NotFound("there is no article of this id")


def _source(form: Form) -> str | None:
    """Give the one field that a form of files may have; blank is as if it were not there."""
    if not form.fields.keys() <= {"source"}:
        raise InvalidValue(
            "holds an unknown field, or a file without a file name; the fields are files, source", pointer="#"
        )
    source = form.fields.get("source", "").strip()
    if len(source) > MAX_NAME_CHARS:
        raise InvalidValue(f"is longer than {MAX_NAME_CHARS} characters", pointer="#/source")
    if "\0" in source:
        raise InvalidValue("holds a NUL character; leave it out", pointer="#/source")
    return source or None


def _read(body: ArticleRequest, max_chars: int) -> Article:
    form = next(name for name in ("text", "html", "markdown") if getattr(body, name) is not None)
    try:
        return prepare(_raw(body), max_chars=max_chars)
    except RefusedInput as error:
        raise InvalidValue(str(error), pointer=f"#/{form}") from error


def _raw(body: ArticleRequest) -> RawArticle:
    if body.text is not None:
        raw = RawArticle(body.text)
    elif body.html is not None:
        raw = _read_as("article.html", body.html)
    else:
        raw = _read_as("article.md", body.markdown or "")
    stated = {
        "title": body.title,
        "url": body.url,
        "source": body.source,
        "authors": tuple(body.authors) if body.authors is not None else None,
        "published": body.published_at,
        "external_id": body.external_id,
    }
    return replace(raw, **{name: value for name, value in stated.items() if value is not None})  # type: ignore[arg-type]


def _read_as(name: str, text: str) -> RawArticle:
    # The mark says that it is UTF-8, whatever encoding the page itself states.
    raw = read_bytes(name, codecs.BOM_UTF8 + text.encode()).articles[0]
    # There is no file whose name could be the article's identity.
    return replace(raw, path=None)


def _store(state: ApiState, article: Article) -> tuple[Outcome, Stored]:
    library = state.parts.library
    outcome = library.put(article)
    stored = library.get(article.id)
    if stored is None:
        raise NotFound("the article was stored, and removed by another request at once")
    return outcome, stored


def _remove(state: ApiState, article: ArticleId) -> bool:
    try:
        return remove_article(state.parts.library, state.parts.conversations, state.parts.replies, article)
    finally:
        state.parts.live.hide_removed()


def _head(stored: Stored, state: ApiState) -> ArticleHeadOut:
    article = stored.article
    return ArticleHeadOut(
        article_id=article.id,
        title=article.title,
        title_source=article.title_source,
        source=article.source,
        url=article.url,
        authors=list(article.authors),
        published_at=article.published_at,
        date_source=article.date_source,
        external_id=article.external_id,
        characters=len(article.text),
        stored_at=in_utc(stored.stored_at),
        indexed=_is_indexed(article, state),
    )


def _is_indexed(article: Article, state: ApiState) -> bool:
    try:
        held = state.parts.live.searcher().generation.manifest.articles
    except NoGeneration:
        return False
    return held.get(article.id) == article.content_hash


def _held(article_id: ArticleId, name: str, state: ApiState) -> ArticleOut:
    searcher = state.parts.live.searcher()
    generation = searcher.generation
    if generation.name != name:
        raise NotFound("this generation is not the one that is served")
    row = generation.article_row(article_id)
    if row is None or article_id in searcher.removed:
        raise NotFound("the generation holds no article of this id")
    article = generation.articles[row]
    stored = Stored(article, datetime.fromisoformat(generation.manifest.built_at))
    return ArticleOut(**_head(stored, state).model_dump(), text=article.text)


def _matches(tag: str, if_none_match: str) -> bool:
    given = [part.strip().removeprefix("W/") for part in if_none_match.split(",")]
    return tag in given or "*" in given
