"""Answers by an LLM, each sentence checked against the passages that it cites before it is said.

A sentence that is borne out by another passage than it cites gets the right citation. One that is not borne out is said
in an article's own words, if a sentence says what it was trying to say; else it is dropped. So the LLM decides what is
said and in which order, and the articles what is true.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace

import structlog

from index.generation import Generation
from index.searcher import SearchResult
from index.stages import Stage, stage_since
from service.answering.account import Account, Fate, LlmAccount, NotAsked, Outcome, Weighed
from service.answering.answer import Answer
from service.answering.composition import Draft, Piece, Source, abstain, conflict_of, lead_of, say
from service.answering.conflicts import Dispute
from service.answering.copies import standing
from service.answering.evidence import quotable
from service.answering.extractive import ExtractiveAnswerer, FoundPart, dispute_in, nearest_of
from service.answering.meant import is_fragment, meant
from service.answering.prompting import Prompt, write_prompt
from service.answering.reading import Said, SentenceReader
from service.answering.referents import leans
from service.answering.reply import Told
from service.answering.support import Borne, Encode, Passage, before, check
from service.circuit import Circuit
from service.llm import Delta, LlmDown, LlmError, LlmReplyUnusable, LlmRequestRefused, StreamingChatModel
from service.tally import Tally

log = structlog.get_logger(__name__)

MOST_SENTENCES = 8
"""Of a reply that does not end by itself, no more is read."""

LONGEST_TOKEN_CHARS = 12
"""A reply with more characters than this for each token that was allowed comes from a server that has no limit."""

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

OnPiece = Callable[[Piece], None]


class LlmAnswerer:
    """Asks an LLM and checks what it says. May be used by several threads; computes and waits.

    Args:
        model: The LLM.
        extractive: Answers where the LLM does not.
        encode: Embeds texts with the model of the index.
        context_tokens: What the LLM reads and writes at most, in its own tokens.
        reply_tokens: Longest reply.
        fallback: Whether the extractive answer is given where the LLM gives none; else it is an error.
        circuit: Keeps questions from waiting for an LLM that is down.

    Attributes:
        requests: Counts those to the LLM that came to an end, by the kind of error, or `ok`.
        sentences: Counts those that it said, by what became of them (`account.Outcome`).
    """

    def __init__(
        self,
        model: StreamingChatModel,
        extractive: ExtractiveAnswerer,
        encode: Encode,
        *,
        context_tokens: int,
        reply_tokens: int,
        fallback: bool,
        circuit: Circuit | None = None,
    ) -> None:
        self._model = model
        self._extractive = extractive
        self._encode = encode
        self._room = context_tokens - reply_tokens
        self._reply_tokens = reply_tokens
        self._fallback = fallback
        self._circuit = circuit or Circuit()
        self.requests = Tally()
        self.sentences = Tally()

    def answer(
        self,
        question: str,
        result: SearchResult,
        generation: Generation,
        *,
        parts: Sequence[FoundPart] = (),
        max_citations: int = 5,
        on_piece: OnPiece = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Told:
        """Answer from the hits of a search, or abstain.

        Args:
            question: The question, standing alone.
            result: What was found for it.
            generation: The generation that was searched.
            parts: As for the extractive answer, which may take this one's place.
            max_citations: Most citations, above 0.
            on_piece: Told of each sentence as soon as it is checked; what it was told of stays in the answer.
            cancelled: Asked often; True ends the request to the LLM.

        Raises:
            LlmDown: The LLM gave no answer, and there is no fallback.
            Cancelled: `cancelled` said so.
        """
        began = time.perf_counter()
        judged = self._extractive.judge(question, result, generation)
        stages = [stage_since("judge", began)]
        account = self._extractive.account([judged], generation, max_citations)
        sureness = judged.decision.confidence
        if judged.decision.reason == "no_relevant_passage":
            nothing = abstain("no_relevant_passage", nearest_of(judged), sureness=sureness)
            account = replace(account, llm=LlmAccount("no_relevant_passage"))
            return Told(nothing, False, stages=tuple(stages), account=account)

        def instead() -> Told:
            return self._extractive.tell(question, result, generation, parts=parts, max_citations=max_citations)

        def unasked(why: NotAsked, reason: str) -> Told:
            return _under(self._without(instead, reason), LlmAccount(why), stages)

        hits = standing([*result.hits, *(hit for part in parts for hit in part.result.hits)], result, generation)
        prompt = write_prompt(question, list({hit.row: hit for hit in hits}.values()), room=self._room)
        if not prompt.passages:
            return unasked("no_room", "llm_context_tokens leaves no room for a passage beside this question")
        if not self._circuit.allows():
            return unasked(
                "circuit_open", f"the LLM failed {self._circuit.failures} times in a row and is left alone now"
            )
        longest = self._reply_tokens * LONGEST_TOKEN_CHARS
        dispute = dispute_in(judged, generation, max_citations) if len(parts) < 2 else None
        passages = [Passage.of(hit, generation) for hit in prompt.passages]
        reading = _Reading(judged, dispute, passages, self._encode, max_citations, on_piece, longest)
        failure = self._read(reading, prompt, cancelled)
        stages += reading.stages
        asked = reading.account(prompt, failure)
        account = replace(account, llm=asked)
        if reading.draft.sentences:
            return reading.told(reading.answer(), degraded=failure is not None, stages=stages, account=account)
        if failure is None and reading.declines:
            declined = abstain("not_stated", nearest_of(judged), sureness=sureness)
            return reading.told(declined, degraded=False, stages=stages, account=account)
        reason = str(failure) if failure else "nothing that the LLM said is in the articles"
        without = _under(self._without(instead, reason), asked, stages)
        return reading.told(without.answer, degraded=True, stages=stages, account=without.account)

    def _read(self, reading: _Reading, prompt: Prompt, cancelled: Callable[[], bool]) -> LlmError | None:
        """Ask the LLM and read its reply; gives what ended it early."""
        failure: LlmError | None = None
        try:
            reading.read(
                self._model.stream(prompt.system, prompt.user, max_tokens=self._reply_tokens, cancelled=cancelled)
            )
        except LlmError as error:
            failure = error
            log.warning("the LLM gave no whole answer", reason=error.for_log, sentences=len(reading.draft.sentences))
        finally:
            for fate in reading.fates:
                self.sentences.note(fate.outcome)
        self.requests.note(type(failure).__name__ if failure else "ok")
        # A reply that cannot be used shows that the LLM is there, and so does the refusal of one question.
        if failure is None or isinstance(failure, (LlmReplyUnusable, LlmRequestRefused)):
            self._circuit.succeeded()
        else:
            self._circuit.failed()
        return failure

    @property
    def is_left_alone(self) -> bool:
        """Whether the LLM is not asked at present, as it failed too often."""
        return self._circuit.is_open

    @property
    def problem(self) -> str | None:
        """Why the LLM is not asked at present; None where it is."""
        seconds = self._circuit.seconds_left
        if not seconds:
            return None
        meanwhile = "answers are extractive" if self._fallback else "questions for it are answered 503"
        return f"the LLM failed {self._circuit.failures} times in a row; {meanwhile} for {seconds:.0f} more seconds"

    def _without(self, instead: Callable[[], Told], reason: str) -> Told:
        if not self._fallback:
            raise LlmDown(f"no answer by the LLM: {reason}")
        return replace(instead(), degraded=True)


def _under(told: Told, asked: LlmAccount, stages: Sequence[Stage]) -> Told:
    """Give the answer that takes an LLM's place, with what was tried before."""
    account = replace(told.account, llm=asked) if told.account is not None else None
    return replace(told, stages=tuple(stages), account=account)


class _Reading:
    """A reply being read: what of it was said, and what it took.

    Where articles give different values for what is asked, they stand in front of what the LLM says of it.
    """

    def __init__(
        self,
        judged: Weighed,
        dispute: Dispute | None,
        passages: Sequence[Passage],
        encode: Encode,
        max_citations: int,
        on_piece: OnPiece,
        longest_chars: int,
    ) -> None:
        self._longest_chars = longest_chars
        self._judged = judged
        self._dispute = dispute
        self.draft = Draft(lead_of(dispute) if dispute else "")
        self.declines = False
        self._passages = passages
        self._also_in = {(one.article.id, one.span): one.also_in for one in judged.ranked}
        self._encode = encode
        self._most = max_citations
        self._on_piece = on_piece
        self._tokens = [0, 0]
        self.fates: list[Fate] = []
        self.stages: list[Stage] = []

    def read(self, deltas: Iterator[Delta]) -> None:
        """Read a reply to its end, or until it has said enough."""
        reader, chars, began = SentenceReader(), 0, time.perf_counter()
        try:
            for delta in deltas:
                if delta.text and not self.stages:
                    self.stages.append(stage_since("llm_first", began))
                chars += len(delta.text)
                if chars > self._longest_chars:
                    raise LlmReplyUnusable("the LLM's reply is longer than it was allowed to be")
                self._tokens = [delta.prompt_tokens or self._tokens[0], delta.completion_tokens or self._tokens[1]]
                for said in reader.feed(delta.text):
                    self._take(said)
                if len(self.fates) >= MOST_READ or len(self.draft.sentences) >= MOST_SENTENCES:
                    return
        finally:
            if isinstance(deltas, Generator):
                deltas.close()
            self.stages.append(stage_since("llm", began))
        for said in reader.end():
            self._take(said)

    def _take(self, said: Said) -> None:
        outcome, reason = self._say(said)
        self.fates.append(Fate(outcome, reason, said.numbers[:MOST_READ]))

    def _say(self, said: Said) -> tuple[Outcome, str]:
        """Say a sentence if it is borne out; gives what became of it and why."""
        named = [self._passages[number - 1] for number in said.numbers if 0 < number <= len(self._passages)]
        # Without a number of its own a sentence may rest on any passage.
        cited: Sequence[Passage] = named or self._passages
        if not cited or not quotable(said.words):
            return "dropped", "not_quotable"
        borne = self._check(said.words, cited)
        cites_wrongly = borne is None
        if borne is None and len(cited) < len(self._passages):
            borne = self._check(said.words, [one for one in self._passages if one not in cited])
        if borne is not None:
            if obstacle := self._add(borne.words, borne.sources):
                return "dropped", obstacle
            return ("repaired", "cited_wrongly") if cites_wrongly else ("kept", borne.support)
        if _DECLINES.search(said.words):
            self.declines = True
            return "dropped", "declines"
        sources = meant(said.words, self._judged.question.text, self._encode, self._passages, cited)
        obstacles = [self._add(source.quote, [source]) for source in sources]
        if None in obstacles:
            return "repaired", "not_borne_out"
        return "dropped", next((obstacle for obstacle in obstacles if obstacle), "not_borne_out")

    def _add(self, words: str, sources: Sequence[Source]) -> str | None:
        """Say words that rest on sources; gives why they cannot be said, None where they are."""
        sources = [replace(one, also_in=self._also_in.get((one.hit.article.id, one.span), ())) for one in sources]
        if self._dispute and not self.draft.sentences:
            for evidence in self._dispute.evidence:
                self._on_piece(say(self.draft, Source.of(evidence)))
        if self._dispute and all(map(self.draft.cites, sources)):
            return "said_already"
        # "She resigned." says something only behind the sentence that names her.
        named = before(sources[0], self._passages) if leans(words) else None
        first = [named] if named is not None and not self.draft.cites(named) else []
        if self.draft.says(words):
            return "said_already"
        if not self.draft.room_for([*first, *sources], self._most):
            return "no_room"
        for source in first:
            self._on_piece(say(self.draft, source))
        if words == sources[0].quote:
            self._on_piece(say(self.draft, sources[0]))
        else:
            score = min(source.score for source in sources)
            self._on_piece(self.draft.add(words, sources, support="supported", score=score))
        return None

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
