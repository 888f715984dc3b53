"""`byline ask` and `byline search`: parse, call one function, print."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from service.answering.answer import AnswererName
from service.errors import WrongUse
from service.options import CommandFailed, DataOption, JsonOption, settings_of

if TYPE_CHECKING:
    from index.searcher import Filters
    from service.assistant import Assistant
    from service.settings import Settings

Mode = Literal["hybrid", "dense", "lexical"]

_DAY: Any = {"formats": ["%Y-%m-%d"], "metavar": "YYYY-MM-DD"}
SourcesOption = Annotated[
    list[str] | None, typer.Option("--source", help="Only articles of this source; may be given again.", metavar="NAME")
]
FromOption = Annotated[datetime | None, typer.Option("--from", help="Only articles published then or later.", **_DAY)]
ToOption = Annotated[datetime | None, typer.Option("--to", help="Only articles published then or earlier.", **_DAY)]
AsOfOption = Annotated[
    datetime | None, typer.Option("--as-of", help="Answer as on this day: leave out what came later.", **_DAY)
]


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command()(ask)
    app.command()(search)


def ask(
    context: typer.Context,
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    answerer: Annotated[
        AnswererName | None, typer.Option(help="Who answers; by default whom the settings name.")
    ] = None,
    source: SourcesOption = None,
    earliest: FromOption = None,
    latest: ToOption = None,
    as_of: AsOfOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Answer one question, with citations."""
    from service.console import say, say_json

    if not question.strip():
        raise typer.BadParameter("the question is empty; write it in quotation marks")
    filters = _filters(source, _day(earliest), _day(latest))
    assistant = _assistant(settings_of(context, data))
    reply = assistant.ask(question, answerer=answerer, as_of=_day(as_of), filters=filters)
    # The forms of the HTTP API take FastAPI with them, and a terminal needs none of it.
    if json:
        from service.api.replies import reply_out
        from service.conversations import new_message_id

        message = reply_out(reply, message_id=new_message_id(), conversation_id=None)
        say_json(message.model_dump(mode="json"))
    else:
        from service.rendering import render_reply

        say(render_reply(reply).rstrip("\n"))


def search(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="Words to search for.")],
    top_k: Annotated[int, typer.Option("--top-k", min=1, max=100, help="Most passages.")] = 5,
    mode: Annotated[Mode, typer.Option(help="Both sides fused, or one alone.")] = "hybrid",
    source: SourcesOption = None,
    earliest: FromOption = None,
    latest: ToOption = None,
    data: DataOption = None,
    json: JsonOption = False,
) -> None:
    """Show the passages that match best."""
    from service.console import say, say_json

    if not query.strip():
        raise typer.BadParameter("the query is empty; write it in quotation marks")
    filters = _filters(source, _day(earliest), _day(latest))
    assistant = _assistant(settings_of(context, data))
    found = assistant.search(query, top_k=top_k, mode=mode, filters=filters)
    if json:
        from service.api.search_schemas import search_reply

        say_json(search_reply(found).model_dump(mode="json"))
        return
    for number, hit in enumerate(found.result.hits, start=1):
        day = f", {hit.article.published_at}" if hit.article.published_at else ""
        say(f"{number}. {hit.article.title} — {hit.article.source}{day}  (score {hit.score:.3f})")
        say("   " + hit.text.replace("\n", "\n   "))
    if not found.result.hits:
        say("Nothing found.")


def _assistant(settings: Settings) -> Assistant:
    from index.embedding import load_embedder
    from service.assembly import embedder_settings, engine_of_index, open_assistant, open_catalog

    catalog = open_catalog(settings.data)
    if catalog.current() is None and not catalog.names():
        raise CommandFailed(f"there is no index in {settings.data} yet; run 'byline add PATH' and 'byline build'")
    embedder = load_embedder(embedder_settings(settings), engine_of_index(catalog))
    return open_assistant(settings, catalog, embedder)[1]


def _day(moment: datetime | None) -> date | None:
    """Give the day of an option: its midnight is what the command line reads."""
    return moment.date() if moment is not None else None


def _filters(sources: list[str] | None, earliest: date | None, latest: date | None) -> Filters:
    from index.searcher import Filters

    if earliest is not None and latest is not None and earliest > latest:
        raise WrongUse(f"--from {earliest} is after --to {latest}: no article can be of that time")
    return Filters(published_from=earliest, published_to=latest, sources=tuple(sources or ()))
