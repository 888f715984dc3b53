"""A reply of an LLM as it comes in, checked sentence by sentence, and the answer that it becomes.

A sentence that is borne out by another passage than it cites gets the right citation. One that is not borne out is said
in an article's own words, if a sentence says what it was trying to say; else it is dropped. So the LLM decides what is
said and in which order, and the articles what is true.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

from index.stages import Stage, stage_since
from service.answering.account import Account, Fate, LlmAccount, Outcome, Weighed
from service.answering.answer import Answer
from service.answering.composition import Draft, Piece, Source, conflict_of, lead_of, say
from service.answering.conflicts import Dispute
from service.answering.evidence import quotable
from service.answering.meant import is_fragment, meant
from service.answering.prompting import Prompt
from service.answering.reading import Said, SentenceReader
from service.answering.referents import leans
from service.answering.reply import Told
from service.answering.support import (
    Borne,
    Encode,
    Passage,
    PassageSentence,
    before,
    check,
    has_name,
    named_subject,
    place_of,
    speaking_of,
)
from service.llm import Delta, LlmError, LlmReplyUnusable

MOST_SENTENCES = 8
"""Of a reply that does not end by itself, no more is read."""

MOST_READ = 24
"""Sentences that are checked; a reply with more is not about the passages."""

# What models say, besides what they are told to say, where the passages hold no answer.
_DECLINES = re.compile(
    r"\bno answer\b"
    r"|\b(?:passages?|articles?|texts?|sources?|context|information)\b.{0,60}\b(?:do|does|did|is|are) ?n[o’']t\b"
    r"|\b(?:not|nowhere) (?:mentioned|stated|specified|provided|given|contained)\b"
    r"|\b(?:cannot|can['’]t|unable to) (?:be )?(?:answer|determine|find|tell)",
    re.IGNORECASE,
)

_ENDED = re.compile(r"[.!?…:][”\"'’)]*$")

OnPiece = Callable[[Piece], None]


class CheckedReply:
    """A reply being read: what of it was said, and what it took.

    Args:
        judged: The question, and what an answer without an LLM would weigh.
        dispute: What articles give differently for it: it stands in front of what the LLM says.
        passages: Those that the LLM was shown; number n of its citations is `passages[n - 1]`.
        encode: Embeds texts with the model of the index.
        max_citations: Most citations, above 0.
        on_piece: Told of each sentence as soon as it is checked.
        longest_chars: Longest reply that is read.

    Attributes:
        draft: What is said so far.
        declines: Whether the LLM said that the passages hold no answer.
        fates: What became of its sentences.
        stages: What reading took.
    """

    def __init__(
        self,
        judged: Weighed,
        dispute: Dispute | None,
        passages: Sequence[Passage],
        encode: Encode,
        *,
        max_citations: int,
        on_piece: OnPiece,
        longest_chars: int,
    ) -> None:
        self.draft = Draft(lead_of(dispute) if dispute else "")
        self.declines = False
        self.fates: list[Fate] = []
        self.stages: list[Stage] = []
        self._judged = judged
        self._dispute = dispute
        self._passages = passages
        self._copies = {one.quote: frozenset({one.article.id, *one.also_in}) for one in judged.ranked if one.also_in}
        self._encode = encode
        self._most = max_citations
        self._on_piece = on_piece
        self._longest_chars = longest_chars
        self._tokens = [0, 0]
        self._last: PassageSentence | None = None  # what the last sentence rests on

    def read(self, deltas: Iterator[Delta]) -> None:
        """Read a reply to its end, or until it has said enough; closes `deltas`.

        Raises:
            LlmError: It broke off, or is longer than it was allowed to be; what was said before stays.
        """
        reader, chars, began = SentenceReader(), 0, time.perf_counter()
        try:
            for delta in deltas:
                if delta.text and not self.stages:
                    self.stages.append(stage_since("llm_first", began))
                chars += len(delta.text)
                if chars > self._longest_chars:
                    raise LlmReplyUnusable("the LLM's reply is longer than it was allowed to be")
                self._tokens = [delta.prompt_tokens or self._tokens[0], delta.completion_tokens or self._tokens[1]]
                if self._take(reader.feed(delta.text)):
                    return
        finally:
            if isinstance(deltas, Generator):
                deltas.close()
            self.stages.append(stage_since("llm", began))
        self._take(reader.end())

    def _take(self, sentences: Sequence[Said]) -> bool:
        """Say sentences where they are borne out; tells whether it is enough."""
        for said in sentences:
            if len(self.fates) >= MOST_READ or len(self.draft.sentences) >= MOST_SENTENCES:
                return True
            outcome, reason = self._say(said)
            self.fates.append(Fate(outcome, reason, said.numbers[:MOST_READ]))
        return False

    def _say(self, said: Said) -> tuple[Outcome, str]:
        """Say a sentence if it is borne out; gives what became of it and why."""
        question = self._judged.question.text
        named = [self._passages[number - 1] for number in said.numbers if 0 < number <= len(self._passages)]
        if not self._passages or not quotable(said.words):
            return "dropped", "not_quotable"
        subject = named_subject(said.words, question, self._passages)
        about = speaking_of(subject, question, self._passages)
        fitting = [one for one in named if one in about]
        # "The bridge" of another article is another bridge; with a name of its own a sentence says which.
        borne = self._check(said.words, named if subject else fitting)
        cites_wrongly = borne is None and bool(said.numbers)
        borne = borne or self._check(said.words, self._passages if subject else about)
        if borne is not None:
            if obstacle := self._add(borne.words, borne.sources, about):
                return "dropped", obstacle
            return ("repaired", "cited_wrongly") if cites_wrongly else ("kept", borne.support)
        if _DECLINES.search(said.words):
            self.declines = True
            return "dropped", "declines"
        sources = meant(said.words, question, self._encode, about, fitting or about)
        obstacles = [self._add(source.quote, [source], about) for source in sources]
        if None in obstacles:
            return "repaired", "not_borne_out"
        return "dropped", next((obstacle for obstacle in obstacles if obstacle), "not_borne_out")

    def _add(self, words: str, sources: Sequence[Source], about: Sequence[Passage]) -> str | None:
        """Say words that rest on sources; gives why they cannot be said, None where they are."""
        if self._dispute and not self.draft.sentences:
            for evidence in self._dispute.evidence:
                self._on_piece(say(self.draft, Source.of(evidence)))
        if self._dispute and all(map(self.draft.quotes, sources)):
            return "said_already"
        last = place_of(sources[0], self._passages)
        first = self._named_before(words, sources[0], last, about)
        if first is None:
            return "not_borne_out"
        if self.draft.says(words):
            return "said_already"
        if not self.draft.room_for([*first, *sources], self._most):
            return "no_room"
        for source in map(self._with_copies, first):
            self._on_piece(say(self.draft, source))
        sources = [self._with_copies(source) for source in sources]
        if words == sources[0].quote:
            self._on_piece(say(self.draft, sources[0]))
        else:
            score = min(source.score for source in sources)
            whole = words if _ENDED.search(words) else f"{words}."
            self._on_piece(self.draft.add(whole, sources, support="supported", score=score))
        # What leaves out whom it speaks of, or speaks of several, tells nothing of whom "she" behind it is.
        clear = len(sources) == 1 and (words == sources[0].quote or has_name(words))
        self._last = last if clear else None
        return None

    def _named_before(
        self, words: str, source: Source, place: PassageSentence | None, about: Sequence[Passage]
    ) -> list[Source] | None:
        """Give what has to be said first: "She resigned." says something only behind the sentence that names her.

        None where it cannot be: no sentence names her, or it was said, and somebody else was spoken of since.
        """
        if not leans(words):
            return []
        if place is None:
            return None
        chain = before(place, source.hit.article_row, self._passages)
        rows = [one.row for one in chain]
        if self._last is not None and self._last.row in rows:
            chain = chain[rows.index(self._last.row) + 1 :]
        elif self._last is not None and self._goes_on(place, source.hit.article_row):
            return []
        elif not chain and (
            self.draft.sentences or source.hit.article_row not in {one.hit.article_row for one in about}
        ):
            return None
        found = [Source(source.hit, one.cited, source.score) for one in chain]
        return None if any(self.draft.says(one.quote) for one in found) else found

    def _goes_on(self, place: PassageSentence, article_row: int) -> bool:
        """Tell whether a sentence is about whom the last one said is about: all from there to it lean."""
        if self._last is None or not (leans(self._last.words) or has_name(self._last.words)):
            return False
        shown = [passage for passage in self._passages if passage.hit.article_row == article_row]
        leaning = {one.row for passage in shown for one in passage.sentences if leans(one.words)}
        between = range(self._last.row + 1, place.row)
        return self._last.row < place.row and leaning.issuperset(between)

    def _with_copies(self, source: Source) -> Source:
        """Name the other articles that hold the words of a source."""
        own = source.hit.article.id
        return replace(source, also_in=tuple(sorted(self._copies.get(source.quote, frozenset()) - {own})))

    def _check(self, words: str, passages: Sequence[Passage]) -> Borne | None:
        """Find what bears a sentence out; a fragment says something only with the question, which is not checked."""
        borne = check(words, self._encode, passages)
        return None if borne is not None and borne.support != "verbatim" and is_fragment(words) else borne

    def answer(self) -> Answer:
        """Give what was said, at least a sentence."""
        conflicts = [conflict_of(self._dispute, self._judged.question, self.draft)] if self._dispute else []
        return self.draft.answer(sureness=self._judged.decision.confidence, conflicts=conflicts)

    def account(self, prompt: Prompt, failure: LlmError | None) -> LlmAccount:
        """Say what the LLM was shown and did."""
        return LlmAccount(None, prompt.passages, tuple(self.fates), type(failure).__name__ if failure else None)

    def told(self, answer: Answer, *, degraded: bool, stages: Sequence[Stage], account: Account | None) -> Told:
        """Give an answer with what the reply took."""
        return Told(answer, degraded, self._tokens[0], self._tokens[1], tuple(stages), account)
