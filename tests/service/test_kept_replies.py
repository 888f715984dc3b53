"""Kept replies: one request for a key, whoever runs it and whatever dies; bounded, and forgotten with what they name."""

import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from service import kept_replies
from service.kept_replies import (
    KeptReplies,
    KeptRepliesUnavailable,
    KeptReply,
    KeyInUse,
    KeyReused,
    ReplyForgotten,
)

REPLY = KeptReply(201, "application/json", "/v1/articles/art_1", b'{"article_id": "art_1"}')


@pytest.fixture
def open_replies(tmp_path):
    opened = []

    def open_it():
        opened.append(KeptReplies.open(tmp_path))
        return opened[-1]

    yield open_it
    for replies in opened:
        replies.close()


@pytest.fixture
def replies(open_replies):
    return open_replies()


def answer(replies, key, reply=REPLY, request="r"):
    attempt = replies.begin("", key, request)
    assert not isinstance(attempt, KeptReply)
    replies.keep(attempt, reply)
    replies.leave(attempt)


def test_a_reply_is_given_again_for_the_same_request_of_the_same_caller_only(replies):
    answer(replies, "k")
    assert replies.begin("", "k", "r") == REPLY
    with pytest.raises(KeyReused):
        replies.begin("", "k", "another")
    assert not isinstance(replies.begin("key_1", "k", "another"), KeptReply)
    assert not isinstance(replies.begin("", "K", "r"), KeptReply)


def test_a_reply_outlives_its_server(replies, open_replies):
    answer(replies, "k")
    replies.close()
    assert open_replies().begin("", "k", "r") == REPLY


def test_a_request_that_runs_is_not_begun_again_by_this_or_another_server(replies, open_replies):
    attempt = replies.begin("", "k", "r")
    other = open_replies()
    for one in (replies, other):
        with pytest.raises(KeyInUse):
            one.begin("", "k", "r")
        with pytest.raises(KeyReused):
            one.begin("", "k", "another")
    replies.keep(attempt, REPLY)
    assert other.begin("", "k", "r") == REPLY


def test_a_request_that_failed_may_be_sent_again_also_as_another(replies):
    attempt = replies.begin("", "k", "r")
    replies.release(attempt)
    replies.leave(attempt)
    answer(replies, "k", request="another")


def test_what_was_left_without_a_word_may_be_sent_again(replies, open_replies):
    left = replies.begin("", "k", "r")
    replies.leave(left)  # its reply could not be stored
    second = replies.begin("", "k", "r")
    # What comes late of the first changes nothing of the second.
    replies.release(left)
    replies.keep(left, REPLY)
    with pytest.raises(KeyInUse):
        replies.begin("", "k", "r")
    replies.close()  # as if its process had ended
    assert open_replies().begin("", "k", "r") not in (second, REPLY)


def test_of_many_at_once_one_is_begun(replies, open_replies):
    servers, together = [replies, open_replies()], threading.Barrier(8)

    def begin(number):
        together.wait()
        try:
            return servers[number % 2].begin("", "k", "r")
        except KeyInUse:
            return None

    with ThreadPoolExecutor(8) as pool:
        begun = [one for one in pool.map(begin, range(8)) if one is not None]
    assert len(begun) == 1


def test_replies_are_kept_for_a_day(replies, monkeypatch):
    answer(replies, "k")
    now = time.time()
    monkeypatch.setattr(kept_replies.time, "time", lambda: now + 23.9 * 3600)
    assert replies.begin("", "k", "r") == REPLY
    monkeypatch.setattr(kept_replies.time, "time", lambda: now + 24.1 * 3600)
    assert not isinstance(replies.begin("", "k", "another"), KeptReply)


def test_number_and_size_are_bounded_and_the_oldest_go(replies, monkeypatch):
    monkeypatch.setattr(kept_replies, "MAX_KEPT", 5)
    for number in range(7):
        answer(replies, f"k{number}")
    assert replies.begin("", "k6", "r") == REPLY
    assert not isinstance(replies.begin("", "k0", "r"), KeptReply)
    monkeypatch.setattr(kept_replies, "MAX_KEPT", 1000)
    monkeypatch.setattr(kept_replies, "MAX_KEPT_BYTES", 2500)
    large = KeptReply(200, "application/json", None, b"x" * 1000)
    for number in range(3):
        answer(replies, f"large{number}", large)
    assert [isinstance(replies.begin("", f"large{n}", "r"), KeptReply) for n in (2, 1, 0)] == [True, True, False]
    monkeypatch.setattr(kept_replies, "MAX_REPLY_BYTES", 999)
    answer(replies, "too large", large)
    assert not isinstance(replies.begin("", "too large", "r"), KeptReply)


def test_what_names_a_removed_article_is_forgotten_and_overwritten(replies, tmp_path):
    answer(replies, "of it", KeptReply(200, "application/json", None, b'{"article_id": "art_aa", "quote": "zeppelin"}'))
    answer(replies, "plain", KeptReply(200, "text/plain; charset=utf-8", None, b"The zeppelin landed."))
    answer(replies, "of another", KeptReply(200, "application/json", None, b'{"article_id": "art_aab"}'))
    assert replies.forget(["art_aa", "art_ff"]) == 2
    for key in ("of it", "plain"):
        with pytest.raises(ReplyForgotten):
            replies.begin("", key, "r")
    assert isinstance(replies.begin("", "of another", "r"), KeptReply)
    assert not any(b"zeppelin" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert replies.forget(["art_aa"]) == 0


def test_deletions_at_the_same_time_are_all_done(replies, open_replies):
    servers = [replies, open_replies()]
    for number in range(24):
        answer(replies, f"k{number}", KeptReply(200, "application/json", None, f'{{"id": "art_{number}a"}}'.encode()))
    with ThreadPoolExecutor(8) as pool:
        forgotten = list(pool.map(lambda number: servers[number % 2].forget([f"art_{number}a"]), range(24)))
    assert forgotten == [1] * 24


def test_words_of_a_reply_that_expired_go_with_the_next_forgetting(replies, tmp_path, monkeypatch):
    answer(replies, "k", KeptReply(200, "application/json", None, b'{"quote": "zeppelin"}'))
    later = time.time() + 25 * 3600
    monkeypatch.setattr(kept_replies.time, "time", lambda: later)
    answer(replies, "another")
    replies.forget(["art_ff"])
    assert not any(b"zeppelin" in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())


def test_a_damaged_file_is_moved_aside(tmp_path, open_replies):
    (tmp_path / "replies").mkdir()
    (tmp_path / "replies" / "replies.sqlite").write_bytes(b"SQLite format 3\0" + b"nonsense" * 1000)
    replies = open_replies()
    assert "moved" in replies.problems[0] or "corrupt" in replies.problems[0]
    answer(replies, "k")
    assert len(list((tmp_path / "replies").glob("*.corrupt-*"))) >= 1


def test_a_locked_file_is_said_so(replies, tmp_path, monkeypatch):
    answer(replies, "k")
    monkeypatch.setattr(kept_replies, "_BUSY_SECONDS", 0.1)
    impatient = KeptReplies.open(tmp_path)
    with sqlite3.connect(tmp_path / "replies" / "replies.sqlite", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(KeptRepliesUnavailable, match="locked"):
            impatient.begin("", "k2", "r")
        other.execute("ROLLBACK")
    other.close()
    impatient.close()


def test_files_of_servers_that_are_gone_are_removed(replies, open_replies, tmp_path):
    replies.begin("", "k", "r")
    (tmp_path / "replies" / "0123456789abcdef.lock").touch()
    open_replies().begin("", "k2", "r")
    assert len(list((tmp_path / "replies").glob("*.lock"))) == 2
