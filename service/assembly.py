"""The only place where parts are put together: settings in, working objects out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from index.batching import BatchingEmbedder
from index.builder import Builder
from index.catalog import Catalog
from index.cutting import chunking_record
from index.embedding import Embedder, EmbedderSettings, LazyEmbedder, engine_difference, load_embedder
from index.errors import IndexingError, NoGeneration
from index.manifest import Manifest, read_manifest
from index.model_files import check_model
from index.reader import Reader, load_reader, prepare_reader
from index.reports import BuildReport, difference
from index.reranking import load_reranker
from index.runtimes import REFERENCE, Engine
from ingest.article import ArticleId
from ingest.chunking import ChunkingSettings
from ingest.cleaning import CLEANING_VERSION
from ingest.library import ArticleLibrary
from service.answering.abstention import load_abstention_model
from service.answering.extractive import ExtractiveAnswerer
from service.answering.question import stand_alone
from service.assistant import Assistant, Rewrite
from service.building import Cancelled, OnPlan, OnProgress, RunBuild
from service.builds import BuildJobs, InProcess, Launch
from service.conversation_file import CONVERSATIONS_FILE
from service.conversations import ConversationStore
from service.erasure import erase_removed
from service.jobs import JobRecords
from service.kept_replies import KeptReplies
from service.live_index import LiveIndex
from service.llm import StreamingChatModel
from service.settings import Settings

if TYPE_CHECKING:
    from service.answering.llm import LlmAnswerer

log = structlog.get_logger(__name__)

_FIRST_TEXTS = [
    "Where?",
    "Who said what about it, and why?",
    "When did which of them say what they would do about it now?",
]
"""Embedded before a server is ready: what a runtime prepares at its first texts, no question waits for."""

LIBRARY_FILE = "library.sqlite"
PREPARED_FOLDER = "models"

_WHEN_TOO_SLOW = "raise llm_timeout_seconds and request_timeout_seconds, or take a faster model"

REWRITE_SECONDS = 5.0
REWRITE_SHARE = 0.15
"""What an LLM has to say what a follow-up means: so long at most, and at most this share of the time for its answer."""

LLM_SHARE = 0.8
"""An LLM may take at most this share of the time that a request to the server has."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """What embeds questions, and why that, as a clause."""

    engine: Engine
    why: str


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a server needs, opened. `close` them when done."""

    settings: Settings
    embedding: Embedding
    library: ArticleLibrary
    catalog: Catalog
    live: LiveIndex
    assistant: Assistant
    builds: BuildJobs
    conversations: ConversationStore
    replies: KeptReplies

    def close(self) -> None:
        """Cancel a running build, stop watching, and close the databases."""
        self.builds.close()
        self.live.close()
        self.replies.close()
        self.conversations.close()
        self.library.close()


@dataclass(frozen=True, slots=True)
class Reading:
    """What answers and changes nothing; it lasts as long as the process."""

    live: LiveIndex
    assistant: Assistant


def has_library(data: Path) -> bool:
    """Tell whether a data folder has an article library, be it one that was set aside, without making one."""
    return ArticleLibrary.exists(data / LIBRARY_FILE)


def open_library(data: Path) -> ArticleLibrary:
    """Open the article library of a data folder, making it where it is missing."""
    return ArticleLibrary.open(data / LIBRARY_FILE)


def open_conversations(data: Path) -> ConversationStore:
    """Open the conversations of a data folder, making the store where it is missing."""
    return ConversationStore.open(data / CONVERSATIONS_FILE)


def open_catalog(data: Path) -> Catalog:
    """Open the index catalog of a data folder."""
    return Catalog(data / "index")


def open_records(data: Path) -> JobRecords:
    """Open the build records of a data folder."""
    return JobRecords(data / "builds")


def open_assistant(
    settings: Settings,
    catalog: Catalog,
    embedder: Embedder,
    removed: Callable[[], frozenset[ArticleId]] = frozenset,
    *,
    llm_seconds: float | None = None,
) -> tuple[LiveIndex, Assistant]:
    """Open the published generation, if there is one, and what answers from it.

    Args:
        settings: How to answer.
        catalog: Where generations are published.
        embedder: The model that questions are asked with.
        removed: Gives the articles that must not be found; see `ArticleLibrary.removed`.
        llm_seconds: Most time for an LLM's answer; None for that of the settings.
    """
    reranker = load_reranker(settings.reranker) if settings.reranker is not None else None
    live = LiveIndex(catalog, embedder, removed, reranker)
    live.refresh()
    abstention = load_abstention_model(settings.abstention_model, read=settings.answer_reader)
    reader = _open_reader(embedder.engine, _prepared(settings)) if settings.answer_reader else None
    extractive = ExtractiveAnswerer(abstention, max_sentences=settings.answer_sentences, reader=reader)
    model = open_llm(settings, seconds=llm_seconds)
    llm = _llm_answerer(model, settings, extractive, embedder) if model is not None else None
    return live, Assistant(
        live,
        extractive,
        passages=settings.answer_passages,
        llm=llm,
        answerer=settings.answerer,
        rewrite=_rewriter(settings, llm_seconds) if llm is not None else stand_alone,
    )


def _rewriter(settings: Settings, seconds: float | None) -> Rewrite:
    from service.answering.rewriting import Rewriter

    within = min(REWRITE_SECONDS, REWRITE_SHARE * (seconds or settings.llm_timeout_seconds))
    # More time is no help to who waits for an answer.
    model = open_llm(settings, seconds=within, when_too_slow="take a faster model to have follow-ups read by it")
    return Rewriter(model).stand_alone if model is not None else stand_alone


def _llm_answerer(
    model: StreamingChatModel, settings: Settings, extractive: ExtractiveAnswerer, embedder: Embedder
) -> LlmAnswerer:
    # Imported only here: without an LLM nobody waits for what it takes.
    from service.answering.llm import LlmAnswerer

    return LlmAnswerer(
        model,
        extractive,
        embedder.encode,
        context_tokens=settings.llm_context_tokens,
        reply_tokens=settings.llm_reply_tokens,
        fallback=settings.llm_fallback,
    )


def open_llm(
    settings: Settings, *, seconds: float | None = None, when_too_slow: str = _WHEN_TOO_SLOW
) -> StreamingChatModel | None:
    """Give the LLM that the settings name, None where they name none. Asks it nothing yet.

    Args:
        settings: Which, and by which key.
        seconds: Most time for one request; None for that of the settings.
        when_too_slow: What somebody is to do where that is not enough.
    """
    if settings.llm_base_url is None or settings.llm_model is None:
        return None
    from service.openai_chat import OpenAiChatModel

    return OpenAiChatModel(
        base_url=settings.llm_base_url,
        model=settings.llm_model,
        api_key=settings.llm_api_key,
        timeout_seconds=settings.llm_timeout_seconds if seconds is None else seconds,
        when_too_slow=when_too_slow,
    )


def chunking_settings(settings: Settings) -> ChunkingSettings:
    """Give how articles are cut by the settings."""
    return ChunkingSettings(settings.chunk_tokens, settings.chunk_overlap_tokens, settings.chunk_title)


def embedder_settings(settings: Settings) -> EmbedderSettings:
    """Give which model embeds, and what may compute it."""
    return EmbedderSettings(
        settings.embedding_model,
        _prepared(settings),
        settings.embedding_runtime,
        settings.embedding_precision,
    )


def _prepared(settings: Settings) -> Path:
    return settings.prepared_models or settings.data / PREPARED_FOLDER


def engine_of_index(catalog: Catalog) -> Engine | None:
    """Give what computed the vectors of the current generation, None where nobody knows."""
    current = catalog.current()
    if current is None:
        return None
    try:
        return read_manifest(catalog.folder(current)).embedding.engine
    except IndexingError:
        return None


def index_builder(settings: Settings) -> RunBuild:
    """Give what brings the index of a data folder up to date with its library, by the settings.

    The embedding model is loaded only if there is something to embed.
    """

    def run(full: bool, *, on_plan: OnPlan, on_progress: OnProgress, cancelled: Cancelled) -> BuildReport:
        library, catalog = open_library(settings.data), open_catalog(settings.data)
        embedder = LazyEmbedder(embedder_settings(settings), engine_of_index(catalog))
        first = catalog.current() is None
        chunking = chunking_settings(settings)
        try:
            report = Builder(catalog, embedder, chunking, exact_rows=settings.exact_chunks).build(
                library,
                full=full,
                keep=settings.keep_generations,
                on_plan=on_plan,
                on_progress=on_progress,
                cancelled=cancelled,
            )
            for problem in erase_removed(library, settings.data):
                log.warning("erasing is not finished; the next build goes on with it", reason=problem)
            if first and settings.answer_reader and report.chunks_embedded:
                _prepare_reader(embedder.engine, _prepared(settings))
            return report
        finally:
            library.close()

    return run


def _open_reader(engine: Engine, prepared: Path) -> Reader:
    try:
        return load_reader(engine, prepared)
    except (IndexingError, OSError) as error:  # such as a folder that may not be written to
        if engine == REFERENCE:
            raise
        log.warning("torch reads the sentences of answers, slower", instead_of=str(engine), reason=str(error))
        return load_reader(REFERENCE, prepared)


def _prepare_reader(engine: Engine, prepared: Path) -> None:
    """Export the reader during the first build, so that the first question after it need not wait for that."""
    try:
        prepare_reader(engine, prepared)
    except (IndexingError, OSError) as error:
        log.warning("the reader of answers is not prepared; the next start tries it again", reason=str(error))


def is_up_to_date(settings: Settings, library: ArticleLibrary, catalog: Catalog) -> bool:
    """Tell whether the current generation holds the library as it is, made by the settings as they are."""
    current = catalog.current()
    if current is None:
        return False
    try:
        manifest = read_manifest(catalog.folder(current))
    except IndexingError:
        return False
    return index_is_stale(manifest, settings) is None and manifest.articles == library.digests()


def index_is_stale(manifest: Manifest, settings: Settings) -> str | None:
    """Say which setting differs from those that a generation was made with; None where all are the same."""
    return difference(
        manifest,
        model=settings.embedding_model,
        model_sha256=check_model(settings.embedding_model).model_sha256,
        engine=engine_difference(manifest.embedding.engine, embedder_settings(settings)),
        chunking=chunking_record(chunking_settings(settings)),
        cleaning=CLEANING_VERSION,
    )


def assemble(settings: Settings, *, launch: Launch | None = None) -> Parts:
    """Open everything that a server needs; loads the embedding model.

    Args:
        settings: Of the process.
        launch: What puts builds to work; None for processes of their own.

    Raises:
        IndexingError, IngestError: A part cannot be opened; the message says which and what to do.
    """
    library = open_library(settings.data)
    catalog = open_catalog(settings.data)
    wanted, made_with = embedder_settings(settings), engine_of_index(catalog)
    embedder = _embedder_for_many(wanted, made_with)
    live, assistant = open_assistant(
        settings, catalog, embedder, library.removed, llm_seconds=_llm_seconds_of_request(settings)
    )
    return Parts(
        settings=settings,
        embedding=Embedding(embedder.engine, wanted.reason_for(embedder.engine, made_with)),
        library=library,
        catalog=catalog,
        live=live,
        assistant=assistant,
        builds=BuildJobs(open_records(settings.data), launch or InProcess(settings), live.refresh),
        conversations=open_conversations(settings.data),
        replies=KeptReplies.open(settings.data),
    )


def open_reading(settings: Settings) -> Reading:
    """Open what questions are answered from, for many threads; loads the embedding model.

    Articles that are removed while it is open are found no more, as in a server.

    Raises:
        NoGeneration: There is no index yet.
        IndexingError, IngestError: A part cannot be opened; the message says which and what to do.
    """
    catalog = open_catalog(settings.data)
    if catalog.current() is None and not catalog.names():
        raise NoGeneration(f"there is no index in {settings.data} yet; run 'byline add PATH' and 'byline build'")
    removed = open_library(settings.data).removed if has_library(settings.data) else frozenset[ArticleId]
    embedder = _embedder_for_many(embedder_settings(settings), engine_of_index(catalog))
    return Reading(*open_assistant(settings, catalog, embedder, removed, llm_seconds=_llm_seconds_of_request(settings)))


def _embedder_for_many(wanted: EmbedderSettings, made_with: Engine | None) -> BatchingEmbedder:
    embedder = BatchingEmbedder(load_embedder(wanted, made_with))
    embedder.encode(_FIRST_TEXTS)
    return embedder


def _llm_seconds_of_request(settings: Settings) -> float:
    """Give an LLM's time: what is left of a request's is for the answer without it."""
    return min(settings.llm_timeout_seconds, LLM_SHARE * settings.request_timeout_seconds)
