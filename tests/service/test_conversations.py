"""Conversations are kept in order, belong together, and never cost an answer."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from service.answering.reply import Turn
from service.conversations import (
    BadConversationCursor,
    ConversationStore,
    ConversationsUnavailable,
    UnknownConversation,
)


def reply(text):
    return {"id": "", "conversation_id": None, "answer": text, "citations": [{"number": 1}]}


@pytest.fixture
def store(tmp_path):
    store = ConversationStore.open(tmp_path / "new" / "conversations.sqlite")
    yield store
    store.close()


def test_an_exchange_begins_a_conversation_and_the_next_continues_it(store):
    conversation, first = store.add_exchange(None, "Who is  Carney?\nTell me.", reply("A man. [1]"))
    same, second = store.add_exchange(conversation, "And Joly?", reply("A woman. [1]"))
    assert same == conversation
    assert first != second
    assert store.turns(conversation) == [
        Turn("user", "Who is  Carney?\nTell me."),
        Turn("assistant", "A man. [1]"),
        Turn("user", "And Joly?"),
        Turn("assistant", "A woman. [1]"),
    ]
    assert store.turns(conversation, limit=2)[0] == Turn("user", "And Joly?")
    found = store.get(conversation)
    assert found.head.title == "Who is Carney? Tell me."
    assert [message.id for message in found.messages][1::2] == [first, second]
    assert found.messages[1].reply["conversation_id"] == conversation
    assert found.messages[1].reply["id"] == first
    assert found.messages[0].reply is None


def test_ids_have_128_random_bits(store):
    conversation, message = store.add_exchange(None, "?", reply("!"))
    assert len(conversation) == len("conv_") + 32
    assert len(message) == len("msg_") + 32


def test_what_is_unknown_is_not_made_up(store):
    assert store.turns("conv_no") is None
    assert store.get("conv_no") is None
    assert not store.delete("conv_no")
    with pytest.raises(UnknownConversation):
        store.add_exchange("conv_no", "?", reply("!"))
    assert store.page(10).items == ()


def test_a_removed_conversation_takes_its_messages_along(store):
    conversation, message = store.add_exchange(None, "?", reply("!"))
    assert store.delete(conversation)
    assert store.get(conversation) is None
    assert not store.set_feedback(message, "up", None)


def test_feedback_is_for_answers_and_can_be_changed(store):
    conversation, answer = store.add_exchange(None, "?", reply("!"))
    question = store.get(conversation).messages[0].id
    assert store.set_feedback(answer, "down", "wrong year")
    assert store.set_feedback(answer, "up", None)
    message = store.get(conversation).messages[1]
    assert (message.rating, message.comment) == ("up", None)
    assert not store.set_feedback(question, "up", None)


def test_pages_hold_every_conversation_once_newest_first(store):
    made = [store.add_exchange(None, f"question {n}", reply("!"))[0] for n in range(5)]
    seen, cursor = [], None
    while True:
        page = store.page(2, cursor)
        seen.extend(head.id for head in page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == made[::-1]
    with pytest.raises(BadConversationCursor):
        store.page(2, "bm9uc2Vuc2U=")


def test_messages_of_a_long_conversation_come_in_pages(store):
    conversation, _ = store.add_exchange(None, "0", reply("!"))
    for n in range(1, 3):
        store.add_exchange(conversation, str(n), reply("!"))
    first = store.get(conversation, limit=4)
    rest = store.get(conversation, limit=4, cursor=first.next_cursor)
    assert [message.content for message in (*first.messages, *rest.messages)] == [
        "0",
        "!",
        "1",
        "!",
        "2",
        "!",
    ]
    assert rest.next_cursor is None


def test_many_writers_lose_nothing(store):
    conversation, _ = store.add_exchange(None, "begin", reply("!"))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: store.add_exchange(conversation, str(n), reply("!")), range(40)))
    turns = store.turns(conversation, limit=1000)
    assert sorted(turn.content for turn in turns if turn.role == "user") == sorted(["begin", *map(str, range(40))])
    assert [turn.role for turn in turns] == ["user", "assistant"] * 41


@pytest.mark.parametrize("damage", ["text", "other tables", "cut"])
def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(tmp_path, damage):
    path = tmp_path / "conversations.sqlite"
    if damage == "text":
        path.write_bytes(b"this is no database at all " * 100)
    elif damage == "other tables":
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE messages (id TEXT)")
        connection.close()
    else:
        store = ConversationStore.open(path)
        for _ in range(50):
            store.add_exchange(None, "?" * 1000, reply("!"))
        store.close()
        path.write_bytes(path.read_bytes()[:20_000])
    store = ConversationStore.open(path)
    assert store.page(10).items == ()
    assert "damaged" in store.problems[0]
    assert list(tmp_path.glob("conversations.sqlite.corrupt-*"))
    store.close()


def test_a_write_that_fails_is_a_problem_until_one_succeeds(store):
    with store._engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE messages RENAME TO hidden")
    with pytest.raises(ConversationsUnavailable, match="cannot be read or stored"):
        store.add_exchange(None, "?", reply("!"))
    assert len(store.problems) == 1
    with store._engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO messages")
    store.add_exchange(None, "?", reply("!"))
    assert store.problems == ()
    assert len(store.page(10).items) == 1


def test_a_conversation_is_there_for_its_owner_only(store):
    conversation, message = store.add_exchange(None, "?", reply("!"), owner="key_1")
    for other in ("", "key_2"):
        assert store.page(10, owner=other).items == ()
        assert store.get(conversation, owner=other) is None
        assert store.turns(conversation, owner=other) is None
        assert store.rename(conversation, "Mine", owner=other) is None
        assert not store.set_feedback(message, "up", None, owner=other)
        assert not store.delete(conversation, owner=other)
        with pytest.raises(UnknownConversation):
            store.add_exchange(conversation, "?", reply("!"), owner=other)
    assert [head.title for head in store.page(10, owner="key_1").items] == ["?"]
    assert len(store.get(conversation, owner="key_1").messages) == 2
    assert store.set_feedback(message, "up", None, owner="key_1")
    assert store.delete(conversation, owner="key_1")


def test_a_conversation_takes_another_title(store):
    conversation, _ = store.add_exchange(None, "?", reply("!"))
    assert store.rename(conversation, "The bridge").title == "The bridge"
    assert store.page(1).items[0].title == "The bridge"


def test_a_file_of_an_earlier_version_is_brought_up_to_date(tmp_path):
    path = tmp_path / "conversations.sqlite"
    store = ConversationStore.open(path)
    conversation, _ = store.add_exchange(None, "Who?", reply("She."))
    store.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE conversations DROP COLUMN owner")
        connection.commit()
    opened = [ConversationStore.open(path), ConversationStore.open(path)]
    assert [store.problems for store in opened] == [(), ()]
    assert [message.content for message in opened[0].get(conversation).messages] == ["Who?", "She."]
    opened[1].add_exchange(None, "Mine?", reply("Yes."), owner="key_1")
    assert [head.title for head in opened[0].page(10, owner="key_1").items] == ["Mine?"]
