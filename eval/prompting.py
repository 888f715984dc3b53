"""How the evaluation asks an LLM: the task from a file in `prompts/`, all other texts in blocks that cannot be left.

Articles and answers hold words of strangers. Each request draws a boundary that no text can know beforehand, so that
no text can end its block and go on as an instruction.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from service.llm import ChatModel, Completion, LlmRefused, LlmReplyUnusable, LlmUnavailable

PROMPTS = Path(__file__).parent / "prompts"
MAX_FAILURES = 3


def ask_about(
    model: ChatModel,
    prompt: str,
    blocks: Mapping[str, str],
    *,
    form: type[BaseModel],
    max_tokens: int,
    values: Mapping[str, str] | None = None,
) -> Completion:
    """Set a task about some texts.

    Args:
        model: The LLM.
        prompt: The name of the task: `prompts/<name>.md`.
        blocks: The texts by the names that the task has for them, in their order.
        form: The form of the reply, for servers that can enforce one. The reply is not checked here.
        max_tokens: Longest reply.
        values: What stands for `{name}` in the task, for each name; `{boundary}` is always filled in.

    Raises:
        LlmError: As `ChatModel.complete`.
    """
    boundary = secrets.token_hex(8)
    task = (PROMPTS / f"{prompt}.md").read_text(encoding="utf-8")
    for name, value in {**(values or {}), "boundary": boundary}.items():
        task = task.replace(f"{{{name}}}", value)
    texts = "\n\n".join(f"[{boundary} {name}]\n{text}\n[{boundary} END]" for name, text in blocks.items())
    return model.complete(task, texts, max_tokens=max_tokens, json_schema=form.model_json_schema())


class GivesUp:
    """An LLM that is not asked any more after `MAX_FAILURES` requests in a row came to nothing.

    A run asks hundreds of times, and each request to a server that is gone may take a minute. A reply that cannot be
    used is no failure in this sense: the next may be better.
    """

    def __init__(self, model: ChatModel) -> None:
        self._model = model
        self._failures = 0

    def complete(
        self, system: str, user: str, *, max_tokens: int, json_schema: Mapping[str, Any] | None = None
    ) -> Completion:
        """Ask, or raise LlmUnavailable at once; see `ChatModel.complete`."""
        if self._failures >= MAX_FAILURES:
            raise LlmUnavailable(f"not asked: the {MAX_FAILURES} requests before came to nothing")
        try:
            reply = self._model.complete(system, user, max_tokens=max_tokens, json_schema=json_schema)
        except (LlmUnavailable, LlmRefused):
            self._failures += 1
            raise
        except LlmReplyUnusable:
            self._failures = 0
            raise
        self._failures = 0
        return reply
