"""Metrics of one answer whose question has a known one. Pure functions of what was asked and what was answered."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean

from eval.sets.questions import Gold, LabelledQuestion, has_key
from index.lexical import terms
from ingest.article import ArticleId
from service.answering.answer import Answer, AnswerSentence, Citation

SUPPORTED_WORDS = 0.8
"""Least share of a sentence's words that its quotes must hold; its numbers must all stand there."""

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation + "“”‘’–—…")


def judge(question: LabelledQuestion, answer: Answer, texts: Mapping[ArticleId, str]) -> dict[str, float]:
    """Give the metrics of one answer that apply to it, by the names of `eval.metrics.ANSWER_METRICS`.

    Args:
        question: The question with what is known of its answer.
        answer: What was answered.
        texts: The text of every article of the set, which is not where the answerer read.
    """
    answered = answer.status != "abstained"
    found: dict[str, float] = {}
    shown = (*answer.citations, *answer.nearest)
    if shown:
        found["verbatim"] = fmean(_is_verbatim(citation, texts) for citation in shown)
    if answer.sentences:
        found["supported"] = fmean(sentence_supported(sentence, answer.citations) for sentence in answer.sentences)
    if question.row.unanswerable is not None:
        found["declined"] = float(not answered)
    else:
        found |= _due(question, answer)
    if question.row.type == "conflict":
        found["conflict_shown"] = float(_shows_conflict(question, answer))
    elif answered:
        found["conflict_false"] = float(bool(answer.conflicts))
    return found


def _due(question: LabelledQuestion, answer: Answer) -> dict[str, float]:
    """Give the metrics of a question that has an answer; one that was not given scores 0."""
    found = {"answered": float(answer.status != "abstained")}
    # The sentences, not the text: its citation marks are numbers too. An uncited sentence earns nothing.
    said = [sentence.text for sentence in answer.sentences if sentence.citations]
    if question.row.answer_keys:
        found["keys"] = fmean(has_key(key, said) for key in question.row.answer_keys)
        found["all_keys"] = float(found["keys"] == 1)
    if question.row.answer is not None:
        found["token_f1"] = token_f1(" ".join(said), question.row.answer)
    if answer.citations:
        found["citation_precision"] = fmean(is_right(citation, question.gold) for citation in answer.citations)
    found["citation_recall"] = fmean(is_cited(gold, answer.citations) for gold in question.gold)
    return found


def is_right(citation: Citation, gold: Sequence[Gold]) -> bool:
    """Tell whether a citation shares at least one character with a gold quote."""
    return any(_overlap(citation, one) for one in gold)


def is_cited(gold: Gold, citations: Sequence[Citation]) -> bool:
    """Tell whether any citation shares at least one character with a gold quote."""
    return any(_overlap(citation, gold) for citation in citations)


def _overlap(citation: Citation, gold: Gold) -> bool:
    # No Span: an empty citation is a fault to be counted, not one to stop at.
    shared = citation.start < gold.span.end and gold.span.start < citation.end
    return citation.article_id == gold.article_id and shared and citation.start < citation.end


def sentence_supported(sentence: AnswerSentence, citations: Sequence[Citation]) -> bool:
    """Tell whether the quotes that a sentence cites bear it out.

    They do if the sentence stands in one of them, or if together they hold every number of it and at least
    `SUPPORTED_WORDS` of its content words (stemmed). Cheap and strict on numbers; it knows nothing of negation.
    """
    quotes = [citation.quote for citation in citations if citation.number in sentence.citations]
    if any(sentence.text in quote for quote in quotes):
        return True
    held = " ".join(quotes)
    if not set(_NUMBER.findall(sentence.text)) <= set(_NUMBER.findall(held)):
        return False
    words = terms(sentence.text)
    known = set(terms(held))
    return bool(quotes) and sum(word in known for word in words) >= SUPPORTED_WORDS * len(words)


def token_f1(said: str, expected: str) -> float:
    """Give the harmonic mean of precision and recall of the words, in [0, 1], without articles and punctuation.

    Source: Rajpurkar, Zhang, Lopyrev, Liang, EMNLP 2016 (SQuAD), section 6.1 and its evaluation script.
    """
    given, wanted = Counter(_words(said)), Counter(_words(expected))
    shared = (given & wanted).total()
    if not given or not wanted:
        return float(given == wanted)
    return 2 * shared / (given.total() + wanted.total())


def _words(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.casefold().translate(_PUNCTUATION)).split()


def _is_verbatim(citation: Citation, texts: Mapping[ArticleId, str]) -> bool:
    text = texts.get(citation.article_id, "")
    return bool(citation.quote) and text[citation.start : citation.end] == citation.quote


def _shows_conflict(question: LabelledQuestion, answer: Answer) -> bool:
    """Tell whether one conflict of the answer holds every position that the question's keys name."""
    return any(
        all(has_key(key, [position.value for position in conflict.positions]) for key in question.row.answer_keys)
        for conflict in answer.conflicts
    )
