"""Sentences packed into chunks that the embedding model reads whole.

Only whole sentences go into a chunk, unless one alone is longer than the model reads. The model's own tokenizer
counts; this module is handed the counting function and knows no model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ingest.article import Article, Chunk, Span
from ingest.sentences import Sentence

CountTokens = Callable[[Sequence[str]], list[int]]
"""Counts the tokens of each text, without the special tokens that a model adds around it."""

CHUNKING_VERSION = 1
"""Raised when the rules change, so that a build cuts every article anew."""

TITLE_TOKENS = 48
"""Most tokens of the title in what is embedded: a longer one would push the article's own words out."""

_WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class ChunkingSettings:
    """How long a chunk may be and how much of it the next one repeats, in tokens of the embedding model.

    `with_title` says whether the article's title is embedded and searched with each chunk.
    """

    max_tokens: int
    overlap_tokens: int
    with_title: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.overlap_tokens < self.max_tokens:
            raise ValueError(
                f"overlap of {self.overlap_tokens} tokens does not fit chunks of {self.max_tokens}; "
                "set chunk_overlap_tokens below chunk_tokens"
            )


@dataclass(frozen=True, slots=True)
class _Piece:
    sentence: Sentence
    tokens: int  # of the text from the end of the piece before, list mark included


def embedded_text(title: str, words: str) -> str:
    """Give what is embedded and searched for a chunk: the title (as shortened by `embedded_title`) and its words."""
    return f"{title}\n{words}" if title else words


def embedded_title(title: str, count_tokens: CountTokens) -> str:
    """Shorten a title, by whole words, to at most `TITLE_TOKENS` tokens; empty where the first word is longer."""
    if count_tokens([title])[0] <= TITLE_TOKENS:
        return title
    ends = [match.end() for match in _WORD.finditer(title)]
    for end, tokens in reversed(list(zip(ends, count_tokens([title[:end] for end in ends]), strict=True))):
        if tokens <= TITLE_TOKENS:
            return title[:end]
    return ""


def fit_sentences(
    text: str, sentences: Sequence[Sentence], *, max_tokens: int, count_tokens: CountTokens
) -> list[Sentence]:
    """Cut every sentence that is longer than `max_tokens` between words, or within a word longer than that.

    Returns:
        Sentences in text order that cover the same words, each at most `max_tokens` long.
    """
    counts = count_tokens([sentence.span.of(text) for sentence in sentences])
    fitted: list[Sentence] = []
    for sentence, tokens in zip(sentences, counts, strict=True):
        if tokens <= max_tokens:
            fitted.append(sentence)
        else:
            spans = _cut(text, sentence.span, max_tokens, count_tokens)
            fitted.extend(Sentence(span, sentence.kind, sentence.block) for span in spans)
    return fitted


def _cut(text: str, span: Span, max_tokens: int, count_tokens: CountTokens) -> list[Span]:
    words = [Span(span.start + m.start(), span.start + m.end()) for m in _WORD.finditer(span.of(text))]
    counts = count_tokens([word.of(text) for word in words])
    cuts: list[Span] = []
    held: Span | None = None
    held_tokens = 0
    for word, tokens in zip(words, counts, strict=True):
        if held is not None and held_tokens + tokens <= max_tokens and len(word.of(text)) <= 4 * max_tokens:
            held, held_tokens = Span(held.start, word.end), held_tokens + tokens
            continue
        if held is not None:
            cuts.append(held)
        # A tokenizer may count a monster word as one unknown token: its length decides, too.
        parts = [Span(start, min(start + max_tokens, word.end)) for start in range(word.start, word.end, max_tokens)]
        if tokens <= max_tokens and len(word.of(text)) <= 4 * max_tokens:
            parts = [word]
        cuts.extend(parts[:-1])
        held, held_tokens = parts[-1], tokens if len(parts) == 1 else max_tokens
    if held is not None:
        cuts.append(held)
    return cuts


def chunk_article(
    article: Article, sentences: Sequence[Sentence], *, settings: ChunkingSettings, count_tokens: CountTokens
) -> list[Chunk]:
    """Pack an article's sentences into chunks of at most `settings.max_tokens` tokens.

    A heading stays with what follows it, a list with its lead-in where both fit, and each chunk begins with the
    whole sentences of the one before that fit into `settings.overlap_tokens`.

    Args:
        article: The article that the spans of `sentences` point into.
        sentences: All its sentences in text order, none longer than `settings.max_tokens` (see `fit_sentences`).
        settings: Sizes in tokens.
        count_tokens: The embedding model's counter.

    Returns:
        Chunks in text order; every sentence is whole in at least one of them. None for no sentences.
    """
    pieces = _pieces(article.text, sentences, count_tokens)
    chunks: list[Chunk] = []
    first = 0
    while first < len(pieces):
        last = _fill(pieces, first, settings.max_tokens)
        span = Span(pieces[first].sentence.span.start, pieces[last].sentence.span.end)
        # Counts of parts need not add up to the count of the whole; the whole is what the model reads.
        while last > first and count_tokens([span.of(article.text)])[0] > settings.max_tokens:
            last -= 1
            span = Span(span.start, pieces[last].sentence.span.end)
        chunks.append(Chunk(article.id, len(chunks), span))
        if last == len(pieces) - 1:
            break
        first = _overlap_start(pieces, first, last, settings)
    return chunks


def _pieces(text: str, sentences: Sequence[Sentence], count_tokens: CountTokens) -> list[_Piece]:
    starts = [0, *(sentence.span.end for sentence in sentences[:-1])]
    counts = count_tokens([text[start : sentence.span.end] for start, sentence in zip(starts, sentences, strict=False)])
    return [_Piece(sentence, tokens) for sentence, tokens in zip(sentences, counts, strict=True)]


def _fill(pieces: list[_Piece], first: int, max_tokens: int) -> int:
    """Find the last piece of the chunk that starts at `first`."""
    last, total = first, pieces[first].tokens
    while last + 1 < len(pieces) and total + pieces[last + 1].tokens <= max_tokens:
        last += 1
        total += pieces[last].tokens
    if last == len(pieces) - 1:
        return last
    cut = _list_start(pieces, first, last, max_tokens)
    while cut > first and pieces[cut].sentence.kind == "heading":
        cut -= 1
    # Nothing but headings before the cut: keep the fill as it was.
    return cut if pieces[cut].sentence.kind != "heading" else last


def _list_start(pieces: list[_Piece], first: int, last: int, max_tokens: int) -> int:
    """Move a cut that falls inside a list to before its lead-in, if the whole list fits into one chunk."""
    if pieces[last + 1].sentence.kind != "item":
        return last
    start = last + 1
    while start > first and pieces[start - 1].sentence.kind == "item":
        start -= 1
    start -= 1  # the lead-in
    end = last + 1
    while end + 1 < len(pieces) and pieces[end + 1].sentence.kind == "item":
        end += 1
    if start <= first or sum(piece.tokens for piece in pieces[start : end + 1]) > max_tokens:
        return last
    return start - 1


def _overlap_start(pieces: list[_Piece], first: int, last: int, settings: ChunkingSettings) -> int:
    """Find where the next chunk starts: after `last`, or at the whole sentences before it that are repeated."""
    start, total = last + 1, 0
    room = settings.max_tokens - pieces[last + 1].tokens
    while (
        start - 1 > first
        and pieces[start - 1].sentence.kind == "prose"
        and total + pieces[start - 1].tokens <= min(settings.overlap_tokens, room)
    ):
        start -= 1
        total += pieces[start].tokens
    return start
