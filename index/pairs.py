"""A question and a sentence as one input of a model that reads both together, with what stands around the sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from index.runtimes import TokenIds

TOKENIZER_FILE = "tokenizer.json"

LONGEST_TOKENS = 128
"""Of a whole pair, special tokens counted."""

QUESTION_TOKENS = 40
SENTENCE_TOKENS = 80
BEFORE_CHARS = 320


@dataclass(frozen=True, slots=True)
class Pair:
    """A question and a sentence that may answer it; `context` is what a reader of the sentence knows before it."""

    question: str
    sentence: str
    context: str = ""


@dataclass(frozen=True, slots=True)
class PairTokens:
    """The tokens of a pair, and for each its kind: 1 for the sentence, 0 for question and context."""

    ids: list[int]
    kinds: list[int]


def context_of(before: str, title: str = "") -> str:
    """Give the context of a sentence: the end of what stands before it, behind a title, if there are any."""
    return " | ".join(part for part in (title, before[-BEFORE_CHARS:]) if part)


def open_tokenizer(folder: Path) -> Tokenizer:
    """Open the tokenizer of a model folder or an export, without padding and truncation."""
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


def pair_tokens(tokenizer: Tokenizer, pairs: Sequence[Pair]) -> list[PairTokens]:
    """Give the tokens of pairs: question, sentence, context, each ended by a separator.

    Args:
        tokenizer: Of a BERT, without padding and truncation.
        pairs: What is too long of a question or a sentence is cut off, of a context what has no room.
    """
    # Known by every BERT; looked up, as it is not the same for all of them.
    first, separator = (int(tokenizer.token_to_id(name) or 0) for name in ("[CLS]", "[SEP]"))
    questions, sentences, contexts = (
        _ids(tokenizer, [getattr(pair, part) for pair in pairs]) for part in ("question", "sentence", "context")
    )
    found: list[PairTokens] = []
    for question, sentence, context in zip(questions, sentences, contexts, strict=True):
        asked = [first, *question[:QUESTION_TOKENS], separator]
        said = [*sentence[:SENTENCE_TOKENS], separator]
        room = LONGEST_TOKENS - len(asked) - len(said) - 1
        around = [*context[:room], separator] if context and room > 0 else []
        kinds = [0] * len(asked) + [1] * len(said) + [0] * len(around)
        found.append(PairTokens(asked + said + around, kinds))
    return found


def _ids(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    # Many pairs have the same question.
    distinct = list(dict.fromkeys(texts))
    encoded = tokenizer.encode_batch_fast(distinct, add_special_tokens=False)
    ids = {text: encoding.ids for text, encoding in zip(distinct, encoded, strict=True)}
    return [ids[text] for text in texts]


def filled(tokens: Sequence[PairTokens], length: int | None = None) -> dict[str, TokenIds]:
    """Give pairs as the inputs of a model, filled up to the same length.

    Args:
        tokens: At least one pair.
        length: At least that of the longest; None for that.

    Returns:
        Inputs by name, each of shape (n_pairs, length).
    """
    width = length or max(len(one.ids) for one in tokens)
    ids: TokenIds = np.zeros((len(tokens), width), dtype=np.int64)
    mask, kinds = np.zeros_like(ids), np.zeros_like(ids)
    for row, one in enumerate(tokens):
        ids[row, : len(one.ids)] = one.ids
        mask[row, : len(one.ids)] = 1
        kinds[row, : len(one.ids)] = one.kinds
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds}
