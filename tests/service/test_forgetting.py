"""What is removed from the library is gone from stored answers, too, and from the bytes of the files."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient

from ingest.article import article_id
from ingest.intake import prepare
from ingest.readers import RawArticle
from service.api.app import build_app
from service.conversations import ConversationStore, ConversationsUnavailable

GONE, KEPT, THIRD = (article_id(f"id:{name}") for name in ("gone", "kept", "third"))
SECRET = "Barnaby the goat ate the card catalogue."
FINE = "The ferry leaves the pier at noon, 20 °C or not."


def citation(number, article, quote, **more):
    fixed = {"source": "Post", "url": None, "published_at": None, "date_source": "unknown", "chunk_id": "c", "score": 1}
    place = {"start": 3, "end": 3 + len(quote)}
    return {"number": number, "article_id": article, "title": f"Title of {article}", "quote": quote, "also_in": []} | (
        fixed | place | more
    )


def reply(*parts, **more):
    """A reply of parts `(words, number)`, joined as answers are."""
    answer, sentences = "", []
    for words, number in parts:
        answer += " " if answer else ""
        sentence = {"text": words, "start": len(answer), "end": len(answer) + len(words), "citations": [number]}
        sentences.append(sentence | {"support": "verbatim", "score": 0.9})
        answer += f"{words} [{number}]"
    made = {"id": "", "conversation_id": None, "status": "answered", "answer": answer, "sentences": sentences}
    return made | {"citations": [], "conflicts": [], "nearest": [], "generation": "000001"} | more


def bytes_of(path):
    return b"".join(one.read_bytes() for one in path.parent.glob(f"{path.name}*"))


@pytest.fixture
def store(tmp_path):
    store = ConversationStore.open(tmp_path / "conversations.sqlite")
    yield store
    store.close()


def test_sentences_and_quotes_of_a_removed_article_go_and_the_others_stay_in_their_places(store, tmp_path):
    answer = reply(
        (FINE, 1), (SECRET, 2), (FINE.upper(), 3),
        citations=[
            citation(1, KEPT, FINE, also_in=[GONE, THIRD]),
            citation(2, GONE, SECRET),
            citation(3, THIRD, FINE.upper()),
        ],
        conflicts=[{"about": "the goat", "positions": [
            {"value": "Barnaby", "citation": 2, "published_at": None},
            {"value": "ferry", "citation": 1, "published_at": None},
        ]}],
    )  # fmt: skip
    conversation, _ = store.add_exchange(None, "Who ate what?", answer)
    other, _ = store.add_exchange(None, "What is near?", reply(nearest=[citation(1, GONE, SECRET)]))
    plain, _ = store.add_exchange(None, "And the ferry?", reply((FINE, 1), citations=[citation(1, KEPT, FINE)]))
    untouched = store.get(plain)
    assert store.forget({GONE}) == 2
    message = store.get(conversation).messages[1]
    after = message.reply
    assert message.content == after["answer"] == f"{FINE} [1] [removed] [2] {FINE.upper()} [3]"
    assert [sentence["text"] for sentence in after["sentences"]] == [FINE, "[removed]", FINE.upper()]
    for sentence in after["sentences"]:
        assert after["answer"][sentence["start"] : sentence["end"]] == sentence["text"]
    one, two, three = after["citations"]
    assert one["also_in"] == [THIRD]
    assert two == citation(2, GONE, SECRET) | {"quote": "", "removed": True}
    assert three == citation(3, THIRD, FINE.upper())
    assert "Barnaby" not in str(after)
    assert store.get(other).messages[1].reply["nearest"][0]["quote"] == ""
    assert store.get(plain) == untouched
    for words in (b"Barnaby", b"card catalogue"):
        assert words not in bytes_of(tmp_path / "conversations.sqlite")
    assert store.forget({GONE}) == 0
    assert store.get(conversation).messages[1] == message
    assert store.forget([]) == 0


def test_removals_at_the_same_time_are_all_done(tmp_path):
    """As by several requests, and by a command beside the server."""
    stores = [ConversationStore.open(tmp_path / "conversations.sqlite") for _ in range(2)]
    articles = [article_id(f"id:{number}") for number in range(24)]
    for article in articles:
        stores[0].add_exchange(None, "Who?", reply((SECRET, 1), citations=[citation(1, article, SECRET)]))
    with ThreadPoolExecutor(8) as pool:
        forgotten = list(pool.map(lambda number: stores[number % 2].forget([articles[number]]), range(24)))
    assert forgotten == [1] * 24
    assert b"Barnaby" not in bytes_of(tmp_path / "conversations.sqlite")
    for store in stores:
        store.close()


def test_a_reply_whose_offsets_are_not_known_loses_all_its_words(store):
    odd = reply((SECRET, 1), citations=[citation(1, GONE, SECRET)])
    odd["sentences"][0]["start"] += 1
    conversation, _ = store.add_exchange(None, "Who?", odd)
    store.forget({GONE})
    after = store.get(conversation).messages[1]
    assert (after.content, after.reply["sentences"]) == ("[removed]", [])


def test_nothing_is_left_among_many_answers_and_of_a_store_made_before(tmp_path):
    path = tmp_path / "conversations.sqlite"
    ConversationStore.open(path).close()
    # A file of before: what was deleted was not overwritten.
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA secure_delete=OFF")
    connection.execute("CREATE TABLE old (words TEXT)")
    connection.executemany("INSERT INTO old VALUES (?)", [(f"Grizelda {n} " * 900,) for n in range(20)])
    connection.commit()
    connection.execute("DROP TABLE old")
    connection.commit()
    connection.close()
    assert b"Grizelda" in bytes_of(path)
    store = ConversationStore.open(path)
    articles = [article_id(f"id:{n}") for n in range(250)]
    for n, article in enumerate(articles):
        secret = f"Barnaby{n:03} " * (1 + n % 40)
        store.add_exchange(None, f"Question {n}", reply((secret, 1), citations=[citation(1, article, secret)]))
    doomed = articles[::2] + articles[1::4]
    assert store.forget(doomed) == len(doomed)
    left = bytes_of(path)
    assert b"Grizelda" not in left
    for n, article in enumerate(articles):
        assert (f"Barnaby{n:03} ".encode() in left) == (article not in doomed)
    store.close()


def test_words_that_could_not_be_overwritten_yet_are_told_and_are_the_next_time(store, tmp_path, monkeypatch):
    path = tmp_path / "conversations.sqlite"
    monkeypatch.setattr("ingest.database.scrub.__kwdefaults__", {"busy_seconds": 0.05})
    store.add_exchange(None, "Who?", reply((SECRET, 1), citations=[citation(1, GONE, SECRET)]))
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM messages").fetchone()
    with pytest.raises(ConversationsUnavailable, match="not yet overwritten"):
        store.forget([GONE])
    assert b"Barnaby" in bytes_of(path)
    reader.close()
    assert store.forget([GONE]) == 0
    assert b"Barnaby" not in bytes_of(path)


@pytest.mark.model
def test_a_removed_article_is_gone_from_conversations_over_the_api(empty_parts, build_index):
    bridge = "The Alder Bridge in Norwick opened on Monday.\n\nMayor Ines Roth said the bridge cost 40 million euros."
    library = "The public library of Tamsel closes for repairs until September."
    for text in (bridge, library):
        empty_parts.library.put(prepare(RawArticle(text, external_id=text[:12])))
    build_index(empty_parts)
    client = TestClient(build_app(empty_parts), base_url="http://localhost")
    asked = client.post("/v1/chat", json={"message": "How much did the Alder Bridge cost?"}).json()
    far = client.post("/v1/chat", json={"message": "Which ships does Ines Roth own?"}).json()
    assert asked["citations"][0]["removed"] is False
    assert "40 million" in asked["answer"]
    assert client.delete(f"/v1/articles/{asked['citations'][0]['article_id']}").status_code == 204
    shown = client.get(f"/v1/conversations/{asked['conversation_id']}").json()["messages"][1]
    assert shown["citations"][0]["removed"] is True
    assert (shown["citations"][0]["quote"], shown["sentences"][0]["text"]) == ("", "[removed]")
    assert "40 million" not in str(shown)
    assert client.get(f"/v1/conversations/{far['conversation_id']}").status_code == 200
    data = empty_parts.settings.data
    assert b"40 million euros" not in bytes_of(data / "conversations.sqlite")
    assert empty_parts.library.scrub()
    assert b"40 million euros" not in bytes_of(data / "library.sqlite")
    # Again: the article is gone, and what is left to forget would be.
    assert client.delete(f"/v1/articles/{asked['citations'][0]['article_id']}").status_code == 404
