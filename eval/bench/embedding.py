"""Part `embedding`: our embedder beside the bare model, on the very texts that the index holds.

Claim: our embedder costs no more than the bare library. Control: the same chunk and sentence texts, block by block,
the bare model and ours in turn, first one then the other in front; a ratio is taken within each block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

from eval.bench.floor import Floor
from eval.bench.measure import Cost, Figure, Measured, figure, timed, total
from index.builder import PART_ARTICLES
from index.embedding import Embedder
from index.generation import Generation
from ingest.chunking import embedded_text, embedded_title

if TYPE_CHECKING:
    from eval.bench.bench import Bench

_WARM_UP_TEXTS = 16
SAMPLED_ARTICLES = 400
"""Most articles whose texts are embedded again: by torch, thousands take a quarter of an hour."""
_FLOOR = "bare encode and FAISS add of the same texts"


@dataclass(frozen=True, slots=True)
class Texts:
    """What was embedded of a block of articles."""

    chunks: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """Some texts of one kind, embedded twice: by the floor, which adds them to FAISS too, and by our embedder."""

    texts: int
    tokens: int
    bare: Cost
    ours: Cost


@dataclass(frozen=True, slots=True)
class Passages:
    """Blocks of an index, in order; chunks and sentences apart.

    Of a large index they are of some of its articles: `times` says how many times their chunks the index has.
    """

    chunks: tuple[Block, ...]
    sentences: tuple[Block, ...]
    times: float = 1.0

    @property
    def bare_chunks(self) -> Cost:
        """What the floor takes for all chunks of the index."""
        return total(block.bare for block in self.chunks) * self.times

    @property
    def bare_all(self) -> Cost:
        """What the floor takes for all chunks and sentences of the index."""
        return self.bare_chunks + total(block.bare for block in self.sentences) * self.times

    @property
    def our_sentences(self) -> Cost:
        """What our embedder takes for all sentences of the index."""
        return total(block.ours for block in self.sentences) * self.times


def texts_of(generation: Generation, embedder: Embedder, *, with_title: bool) -> Iterator[Texts]:
    """Give what a build embedded, read back from the generation, in blocks of nearly equal numbers of articles.

    Of more than `SAMPLED_ARTICLES` so many are taken, from all over.
    """
    articles = range(0, len(generation.articles), -(-len(generation.articles) // SAMPLED_ARTICLES) or 1)
    blocks = max(1, round(len(articles) / PART_ARTICLES))
    bounds = [len(articles) * block // blocks for block in range(blocks + 1)]
    for first, last in pairwise(bounds):
        chunks: list[str] = []
        sentences: list[str] = []
        for row in articles[first:last]:
            article = generation.articles[row]
            title = embedded_title(article.title, embedder.count_tokens) if with_title else ""
            spans = (generation.chunk(chunk).span for chunk in generation.chunks_of(row))
            chunks += [embedded_text(title, span.of(article.text)) for span in spans]
            sentences += [generation.sentence(one).span.of(article.text) for one in generation.sentences_of(row)]
        yield Texts(tuple(chunks), tuple(sentences))


def measure_passages(generation: Generation, floor: Floor, embedder: Embedder, *, with_title: bool) -> Passages:
    """Embed the texts of a generation by the floor and by our embedder, in turn."""
    chunks: list[Block] = []
    sentences: list[Block] = []
    for number, texts in enumerate(texts_of(generation, embedder, with_title=with_title)):
        if number == 0:
            floor.ready_for_passages()
            floor.embed(texts.chunks[:_WARM_UP_TEXTS])
            floor.leave()
            embedder.encode(texts.chunks[:_WARM_UP_TEXTS])
        chunks.append(_block(texts.chunks, floor, embedder, bare_first=number % 2 == 0))
        if texts.sentences:
            sentences.append(_block(texts.sentences, floor, embedder, bare_first=number % 2 == 1))
    measured = sum(block.texts for block in chunks)
    return Passages(tuple(chunks), tuple(sentences), times=generation.chunk_count / max(measured, 1))


def _block(texts: Sequence[str], floor: Floor, embedder: Embedder, *, bare_first: bool) -> Block:
    tokens = sum(embedder.count_tokens(texts))
    bare = ours = Cost(0, 0)
    for turn in (bare_first, not bare_first):
        if turn:
            floor.ready_for_passages()
            bare = timed(partial(floor.embed_and_add, texts))
            floor.leave()
        else:
            ours = timed(partial(embedder.encode, texts))
    return Block(len(texts), tokens, bare, ours)


def measure_embedding(bench: Bench) -> Measured:
    """Measure the part; n counts the blocks."""
    passages = bench.passages
    figures = [*_figures("chunks", passages.chunks), *_figures("sentences", passages.sentences)]
    blocks = {
        kind: [
            {"texts": block.texts, "tokens": block.tokens, "bare": _json(block.bare), "ours": _json(block.ours)}
            for block in found
        ]
        for kind, found in (("chunks", passages.chunks), ("sentences", passages.sentences))
    }
    return Measured(figures, {"floor_threads": bench.floor.threads, "blocks": blocks})


def _figures(kind: str, blocks: Sequence[Block]) -> Iterator[Figure]:
    part = "embedding"
    bare = [block.texts / block.bare.wall for block in blocks]
    bare_tokens = [block.tokens / block.bare.wall for block in blocks]
    bare_cpu = [block.bare.cpu / block.texts * 1000 for block in blocks]
    yield figure(part, f"floor, {kind}", f"{kind}/s", bare)
    yield figure(part, f"floor, tokens of {kind}", "tokens/s", bare_tokens)
    yield figure(part, f"floor, CPU of {kind}", "ms/text", bare_cpu)
    ours = [block.texts / block.ours.wall for block in blocks]
    tokens = [block.tokens / block.ours.wall for block in blocks]
    cpu = [block.ours.cpu / block.texts * 1000 for block in blocks]
    yield figure(part, f"our embedder, {kind}", f"{kind}/s", ours, base=bare, floor=_FLOOR)
    yield figure(part, f"our embedder, tokens of {kind}", "tokens/s", tokens, base=bare_tokens, floor=_FLOOR)
    yield figure(part, f"our embedder, CPU of {kind}", "ms/text", cpu, base=bare_cpu, floor=_FLOOR)


def _json(cost: Cost) -> dict[str, float]:
    return {"wall_seconds": cost.wall, "cpu_seconds": cost.cpu}
