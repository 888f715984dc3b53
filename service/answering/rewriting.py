"""Follow-ups made to stand alone by an LLM, whose words are taken only if they bring in nothing of its own.

The rules of `question.py` say which messages lean on others at all, and give the question wherever the LLM does not.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from pathlib import Path

import structlog

from index.lexical import STOP_WORDS, terms
from service.answering.evidence import quotable
from service.answering.prompting import neutral
from service.answering.question import may_lean, shortened, stand_alone
from service.answering.reply import Turn
from service.circuit import Circuit
from service.llm import ChatModel, LlmError

log = structlog.get_logger(__name__)

SHOWN_TURNS = 8
SHOWN_CHARS = 600
"""So many turns before a message are shown to the LLM, and so much of each."""

REPLY_TOKENS = 160
LONGEST_CHARS = 400
"""A reply beyond these is no question."""

FROM_CONVERSATION = 0.7
"""Share of the words of a rewritten question (function words aside) that must stand in message or conversation."""

_TASK = Path(__file__).parent / "prompts" / "stand_alone.md"
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"\b[^\W\d_a-z][\w’'-]*")
_OWNER = re.compile(r"[’'](?:s|S)?$")
_NEGATION = re.compile(r"\b(?:not|never|no|nobody|none|without|except|cannot)\b|n[’']t\b", re.IGNORECASE)
_OPENS_AS = frozenset(
    "do does did is are was were has have had can could will would should may might which name".split()
)


class Rewriter:
    """Asks an LLM what a follow-up means. May be used by several threads.

    Args:
        model: The LLM. It should give up soon: all that the user waits for comes after it.
        circuit: Keeps questions from waiting for an LLM that is down.
    """

    def __init__(self, model: ChatModel, *, circuit: Circuit | None = None) -> None:
        self._model = model
        self._circuit = circuit or Circuit()

    def stand_alone(self, message: str, history: Sequence[Turn]) -> str:
        """Give the question to search for; arguments and result as of `question.stand_alone`."""
        by_rule = stand_alone(message, history)
        if not history or not may_lean(message.strip()) or not self._circuit.allows():
            return by_rule
        shown = [Turn(turn.role, shortened(turn.content, SHOWN_CHARS)) for turn in history[-SHOWN_TURNS:]]
        try:
            reply = self._model.complete(*_prompt(message.strip(), shown), max_tokens=REPLY_TOKENS).text
        except LlmError as error:
            self._circuit.failed()
            log.warning("follow-up not rewritten by the LLM", reason=error.for_log)
            return by_rule
        self._circuit.succeeded()
        question = reply.strip()
        if reason := refusal(question, message, [turn.content for turn in shown]):
            log.info("rewritten follow-up not used", reason=reason)
            return by_rule
        return question


def _prompt(message: str, turns: Sequence[Turn]) -> tuple[str, str]:
    boundary = secrets.token_hex(8)
    blocks = [(turn.role.upper(), turn.content) for turn in turns] + [("MESSAGE", message)]
    user = "\n\n".join(f"[{boundary} {name}]\n{neutral(words)}\n[{boundary} END]" for name, words in blocks)
    return _TASK.read_text(encoding="utf-8").replace("{boundary}", boundary), user


def refusal(question: str, message: str, conversation: Sequence[str]) -> str | None:
    """Say why a rewritten question is not used; None if it says nothing that message and conversation do not say.

    Args:
        question: What the LLM made of the message.
        message: The user's words.
        conversation: The texts that the LLM was shown beside it.
    """
    known = "\n".join([*conversation, message])
    if not terms(question):
        return "it is empty"
    if len(question) > LONGEST_CHARS or len(question.splitlines()) > 1:
        return "it is no single question"
    if not quotable(question) or not question.isprintable():
        return "it holds a link, markup or what cannot be seen"
    if not _numbers(message) <= _numbers(question) <= _numbers(known):
        return "its numbers are not those of the conversation"
    if not _names(message, first=False) <= _words(question) or not _names(question) <= _words(known):
        return "its names are not those of the conversation"
    if bool(_NEGATION.search(message)) != bool(_NEGATION.search(question)):
        return "it denies what the message does not, or does not what the message denies"
    own = terms(question)
    held = set(terms(known))
    if sum(term in held for term in own) < FROM_CONVERSATION * len(own):
        return "its words are not those of the conversation"
    return None


def _numbers(text: str) -> set[str]:
    return set(_NUMBER.findall(text))


def _words(text: str) -> set[str]:
    return {_plain(word) for word in re.findall(r"[^\W_][\w’'-]*", text)}


def _names(text: str, *, first: bool = True) -> set[str]:
    """Give the words with capitals, in lower case; `first` with the one that the text begins with."""
    found = {_plain(match.group()) for match in _NAME.finditer(text) if first or match.start() > 0}
    return found - STOP_WORDS - _OPENS_AS


def _plain(word: str) -> str:
    return _OWNER.sub("", word.casefold())
