"""Replies in the forms of the contract: one JSON document, events, and (elsewhere) plain text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict

from pydantic import BaseModel

from service.answering.answer import Citation
from service.answering.composition import Piece
from service.answering.reply import Reply
from service.api.chat_schemas import CitationOut, ConflictOut, ReplyOut, SentenceOut, TimingsOut, UsageOut
from service.api.chat_stream import Begun
from service.api.errors import problem_of
from service.api.events import event


class StartEvent(BaseModel):
    """Opens the stream of an answer."""

    id: str
    conversation_id: str | None
    question: str
    generation: str


class DeltaEvent(BaseModel):
    """A piece of the answer; all of them joined are the answer."""

    text: str


def reply_out(reply: Reply, *, message_id: str, conversation_id: str | None) -> ReplyOut:
    """Give a reply in the form of the contract."""
    answer = reply.answer
    return ReplyOut(
        id=message_id,
        conversation_id=conversation_id,
        status=answer.status,
        answer=answer.text,
        sentences=[SentenceOut.model_validate(sentence) for sentence in answer.sentences],
        citations=[CitationOut.model_validate(citation) for citation in answer.citations],
        conflicts=[ConflictOut.model_validate(conflict) for conflict in answer.conflicts],
        question=reply.question,
        generation=reply.generation,
        answerer=reply.answerer,
        degraded=reply.degraded,
        abstain_reason=answer.abstain_reason,
        nearest=[CitationOut.model_validate(citation) for citation in answer.nearest],
        timings_ms=TimingsOut.model_validate(reply.timings),
        usage=UsageOut(prompt_tokens=reply.prompt_tokens, completion_tokens=reply.completion_tokens),
    )


class NativeForm:
    """The stream of an answer in the form of the contract: `start`, its sentences with their citations, `done`.

    Args:
        message_id: The id of the answer.
        conversation_id: That of its conversation, if there is one.
        request_id: For the description of an error.
        keep: Stores the reply, and gives it as it was stored.
    """

    def __init__(
        self,
        *,
        message_id: str,
        conversation_id: str | None,
        request_id: str,
        keep: Callable[[ReplyOut], Awaitable[ReplyOut]],
    ) -> None:
        self._message_id = message_id
        self._conversation_id = conversation_id
        self._request_id = request_id
        self._keep = keep
        self._said = 0
        self._cited: set[int] = set()

    def begin(self, begun: Begun) -> Iterator[bytes]:
        """Give `start`."""
        start = StartEvent(id=self._message_id, conversation_id=self._conversation_id, **asdict(begun))
        yield event("start", start)

    def piece(self, piece: Piece) -> Iterator[bytes]:
        """Give the citations that are new with a sentence, its words, and the sentence."""
        yield from self._citations(piece.citations)
        yield from self._deltas(piece.text)
        yield event("sentence", SentenceOut.model_validate(piece.sentence))

    async def end(self, reply: Reply) -> list[bytes]:
        """Give the rest of the answer, and `done`."""
        # Stored first: whoever has read `done` finds it.
        out = await self._keep(reply_out(reply, message_id=self._message_id, conversation_id=self._conversation_id))
        rest = self._deltas(reply.answer.text[self._said :])
        return [*self._citations(reply.answer.citations), *rest, event("done", out)]

    def error(self, error: Exception) -> Iterator[bytes]:
        """Give `error`."""
        yield event("error", problem_of(error, self._request_id))

    def _citations(self, citations: Sequence[Citation]) -> Iterator[bytes]:
        for citation in citations:
            if citation.number not in self._cited:
                self._cited.add(citation.number)
                yield event("citation", CitationOut.model_validate(citation))

    def _deltas(self, text: str) -> Iterator[bytes]:
        self._said += len(text)
        if text:
            yield event("delta", DeltaEvent(text=text))
