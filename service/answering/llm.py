"""Answers by an LLM, each sentence checked against the passages that it cites before it is said."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from index.generation import Generation
from index.searcher import SearchResult
from index.stages import Stage, stage_since
from service.answering.account import LlmAccount, NotAsked
from service.answering.checked_reply import CheckedReply, OnPiece
from service.answering.composition import abstain
from service.answering.copies import standing
from service.answering.extractive import ExtractiveAnswerer, FoundPart, dispute_in, nearest_of
from service.answering.prompting import Prompt, write_prompt
from service.answering.reply import Told
from service.answering.support import Encode, Passage
from service.circuit import Circuit
from service.llm import LlmDown, LlmError, LlmReplyUnusable, LlmRequestRefused, StreamingChatModel
from service.tally import Tally

log = structlog.get_logger(__name__)

LONGEST_TOKEN_CHARS = 12
"""A reply with more characters than this for each token that was allowed comes from a server that has no limit."""


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
        asks_one = len(parts) < 2 and judged.decision.reason is None
        dispute = dispute_in(judged, generation, max_citations) if asks_one else None
        passages = [Passage.of(hit, generation) for hit in prompt.passages]
        reading = CheckedReply(
            judged,
            dispute,
            passages,
            self._encode,
            max_citations=max_citations,
            on_piece=on_piece,
            longest_chars=self._reply_tokens * LONGEST_TOKEN_CHARS,
        )
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

    def _read(self, reading: CheckedReply, prompt: Prompt, cancelled: Callable[[], bool]) -> LlmError | None:
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
