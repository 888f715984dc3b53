"""From a message in a conversation to a question that stands alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

from index.lexical import terms
from service.answering.reply import Turn

_LEANS_BACK = re.compile(
    r"\b(?:he|she|they|him|her|them|his|hers|their|theirs|it|its|this|that|these|those|there|then|former|latter)\b"
    r"|^\s*(?:and|but|so|also|what about|how about|why|when|where|who|how much|how many)\b[^?]{0,25}\??\s*$",
    re.IGNORECASE,
)


def stand_alone(message: str, history: Sequence[Turn]) -> str:
    """Give the question to search for.

    A message that leans on an earlier one ("And when did she go there?") gets the last question of the user that
    did not lean itself before it; any other is searched as it is.
    """
    message = message.strip()
    if not _leans(message):
        return message
    for turn in reversed(history):
        if turn.role == "user" and turn.content.strip() and not _leans(turn.content):
            return f"{turn.content.strip()} {message}"
    return message


def _leans(message: str) -> bool:
    return bool(_LEANS_BACK.search(message)) or not terms(message)
