"""The only place where parts are put together: settings in, working objects out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from index.builder import Builder, BuildReport, Progress, chunking_record
from index.catalog import Catalog
from index.embedding import Embedder, LazyEmbedder, check_model, load_embedder
from index.manifest import Manifest
from ingest.chunking import ChunkingSettings
from ingest.library import ArticleLibrary
from service.answering.abstention import load_abstention_model
from service.answering.extractive import ExtractiveAnswerer
from service.assistant import Assistant
from service.conversations import CONVERSATIONS_FILE, ConversationStore
from service.jobs import BuildJobs
from service.live_index import LiveIndex
from service.llm import ChatModel
from service.settings import Settings

LIBRARY_FILE = "library.sqlite"


@dataclass(frozen=True, slots=True)
class Parts:
    """All that a server needs, opened. `close` them when done."""

    settings: Settings
    library: ArticleLibrary
    catalog: Catalog
    live: LiveIndex
    assistant: Assistant
    builds: BuildJobs
    conversations: ConversationStore

    def close(self) -> None:
        """Cancel a running build, stop watching, and close the databases."""
        self.builds.close()
        self.live.close()
        self.conversations.close()
        self.library.close()


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


def open_assistant(settings: Settings, catalog: Catalog, embedder: Embedder) -> tuple[LiveIndex, Assistant]:
    """Open the published generation, if there is one, and what answers from it."""
    live = LiveIndex(catalog, embedder)
    live.refresh()
    abstention = load_abstention_model(settings.abstention_model)
    extractive = ExtractiveAnswerer(abstention, max_sentences=settings.answer_sentences)
    return live, Assistant(live, extractive, passages=settings.answer_passages)


def open_llm(settings: Settings) -> ChatModel | None:
    """Give the LLM that the settings name, None where they name none. Asks it nothing yet."""
    if settings.llm_base_url is None or settings.llm_model is None:
        return None
    from service.openai_chat import OpenAiChatModel

    return OpenAiChatModel(
        base_url=settings.llm_base_url,
        model=settings.llm_model,
        api_key=settings.llm_api_key,
        timeout_seconds=settings.llm_timeout_seconds,
    )


def chunking_settings(settings: Settings) -> ChunkingSettings:
    """Give how articles are cut by the settings."""
    return ChunkingSettings(settings.chunk_tokens, settings.chunk_overlap_tokens, settings.chunk_title)


def build_index(
    settings: Settings,
    library: ArticleLibrary,
    catalog: Catalog,
    *,
    full: bool = False,
    on_progress: Callable[[Progress], None] = lambda _: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> BuildReport:
    """Bring the index up to date with the library, by the settings; see `Builder.build`.

    The embedding model is loaded only if there is something to embed, and apart from the one that a server asks
    questions with: they must not wait for a batch of passages.
    """
    return Builder(catalog, LazyEmbedder(settings.embedding_model), chunking_settings(settings)).build(
        library.all,
        full=full,
        keep=settings.keep_generations,
        on_progress=on_progress,
        cancelled=cancelled,
    )


def index_is_stale(manifest: Manifest, settings: Settings) -> str | None:
    """Say which setting differs from those that a generation was made with; None where all are the same."""
    if manifest.embedding.model_sha256 != check_model(settings.embedding_model).model_sha256:
        return f"the embedding model is now {settings.embedding_model!r}, the index has {manifest.embedding.model!r}"
    chunking = chunking_settings(settings)
    if manifest.chunking != chunking_record(chunking):
        return f"chunks are now made by {chunking_record(chunking)}, those of the index by {manifest.chunking}"
    return None


def assemble(settings: Settings) -> Parts:
    """Open everything that a server needs; loads the embedding model.

    Raises:
        IndexingError, IngestError: A part cannot be opened; the message says which and what to do.
    """
    library = open_library(settings.data)
    catalog = open_catalog(settings.data)
    embedder = load_embedder(settings.embedding_model)
    live, assistant = open_assistant(settings, catalog, embedder)

    def run_build(full: bool, on_progress: Callable[[Progress], None], cancelled: Callable[[], bool]) -> BuildReport:
        report = build_index(
            settings,
            library,
            catalog,
            full=full,
            on_progress=on_progress,
            cancelled=cancelled,
        )
        live.refresh()
        return report

    return Parts(
        settings=settings,
        library=library,
        catalog=catalog,
        live=live,
        assistant=assistant,
        builds=BuildJobs(run_build),
        conversations=open_conversations(settings.data),
    )
