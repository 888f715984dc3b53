"""Removing an article wherever its words stand: in the library, and in answers that were kept."""

from __future__ import annotations

from pathlib import Path

from ingest.article import ArticleId
from ingest.library import ArticleLibrary, LibraryUnavailable
from service.conversation_file import CONVERSATIONS_FILE
from service.conversations import ConversationStore, ConversationsUnavailable
from service.kept_replies import KeptReplies, KeptRepliesUnavailable


def remove_article(
    library: ArticleLibrary, conversations: ConversationStore, replies: KeptReplies, article: ArticleId
) -> bool:
    """Remove an article and take its words out of stored answers; tells whether it was in the library.

    Where it was removed before, the answers are looked through again: the first time may have been cut short.

    Raises:
        ConversationsUnavailable, KeptRepliesUnavailable: The article is removed, and its words may be left in
            conversations or kept replies: do it again.
    """
    there = library.remove(article)
    if there or article in library.removed():
        conversations.forget([article])
        replies.forget([article])
    return there


def erase_removed(library: ArticleLibrary, data: Path) -> list[str]:
    """Overwrite what the databases of a data folder still hold of removed and replaced articles.

    An answer that was being given while an article was removed may have been stored after it: all stored answers are
    looked through again. Where nothing was removed this costs next to nothing.

    Returns:
        What could not be done yet, as sentences; doing it again finishes it.
    """
    problems: list[str] = []
    try:
        if not library.scrub():
            problems.append("what was removed is not overwritten in the article library yet, as others are using it")
        removed = library.removed()
        if removed and (data / CONVERSATIONS_FILE).is_file():
            conversations = ConversationStore.open(data / CONVERSATIONS_FILE)
            try:
                conversations.forget(removed)
            finally:
                conversations.close()
        if removed and KeptReplies.exist(data):
            replies = KeptReplies.open(data)
            try:
                replies.forget(removed)
            finally:
                replies.close()
    except (LibraryUnavailable, ConversationsUnavailable, KeptRepliesUnavailable) as error:
        problems.append(str(error))
    return problems
