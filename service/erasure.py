"""Removing an article wherever its words stand: in the library, and in answers that were kept."""

from __future__ import annotations

from ingest.article import ArticleId
from ingest.library import ArticleLibrary
from service.conversations import ConversationStore


def remove_article(library: ArticleLibrary, conversations: ConversationStore, article: ArticleId) -> bool:
    """Remove an article and take its words out of stored answers; tells whether it was in the library.

    Where it was removed before, the answers are looked through again: the first time may have been cut short.

    Raises:
        ConversationsUnavailable: The article is removed and its words may be left in conversations: do it again.
    """
    there = library.remove(article)
    if there or article in library.removed():
        conversations.forget([article])
    return there
