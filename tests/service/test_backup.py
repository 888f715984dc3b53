"""A backup is whole and checked or not there; restoring loses nothing that nobody said may go."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import zipfile

import pytest

from ingest.intake import prepare
from ingest.library import ArticleLibrary, LibraryDamaged
from ingest.readers import RawArticle
from ingest.taking_over import WouldLose
from service.backup import BackupFailed, back_up
from service.conversations import ConversationStore
from service.kept_replies import KeptReplies, KeptReply, KeyInUse
from service.restore import restore


def article(name, text="Some words."):
    return prepare(RawArticle(f"{text} It is about {name}.", external_id=name))


def reply(text):
    return {"id": "", "conversation_id": None, "answer": text, "citations": []}


def held(data):
    library = ArticleLibrary.open(data / "library.sqlite")
    try:
        assert library.faults() == []
        return {one.external_id: one.text for one in library.read(sorted(library.digests()))}
    finally:
        library.close()


def put(data, *articles):
    library = ArticleLibrary.open(data / "library.sqlite")
    library.put_all(articles)
    library.close()


@pytest.fixture
def data(tmp_path):
    data = tmp_path / "data"
    put(data, *(article(f"n{n}", "Many words. " * n * 20) for n in range(30)))
    store = ConversationStore.open(data / "conversations.sqlite")
    store.add_exchange(None, "Which words?", reply("Those."))
    store.close()
    return data


@pytest.fixture
def file(data, tmp_path):
    file = tmp_path / "backup.zip"
    back_up(data, file)
    return file


def rewritten(file, change):
    """The same zip with `change` applied to its members, by name."""
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_a_backup_brings_everything_back_into_an_empty_folder(data, file, tmp_path):
    assert sorted(one.name for one in tmp_path.iterdir()) == ["backup.zip", "data"]
    with zipfile.ZipFile(file) as archive:
        record = json.loads(archive.read("backup.json"))
        assert set(archive.namelist()) == {"backup.json", "library.sqlite", "conversations.sqlite"}
    assert record["format"] == 1
    assert record["articles"] == 30
    report = restore(tmp_path / "new" / "data", file)
    assert (report.articles, report.lost, report.conversations) == (30, 0, 1)
    assert held(tmp_path / "new" / "data") == held(data)
    store = ConversationStore.open(tmp_path / "new" / "data" / "conversations.sqlite")
    assert store.page(9).items[0].title == "Which words?"
    store.close()
    assert sorted(one.name for one in (tmp_path / "new" / "data").iterdir()) == [
        "conversations.sqlite",
        "library.sqlite",
    ]


def test_a_backup_is_not_overwritten_unasked(data, file):
    before = file.read_bytes()
    with pytest.raises(BackupFailed, match="--force"):
        back_up(data, file)
    assert file.read_bytes() == before
    put(data, article("more"))
    assert back_up(data, file, force=True).articles == 31
    with pytest.raises(BackupFailed, match="is a folder"):
        back_up(data, data, force=True)
    with pytest.raises(BackupFailed, match="no articles"):
        back_up(data / "nowhere", file, force=True)


def test_a_backup_of_a_library_that_is_being_written_to_is_of_one_moment(data, tmp_path):
    library = ArticleLibrary.open(data / "library.sqlite")
    stop = threading.Event()

    def write():
        n = 0
        while not stop.is_set():
            # Two that come together: a backup has both or neither.
            library.put_all([article(f"left{n}"), article(f"right{n}")])
            n += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for n in range(5):
            back_up(data, tmp_path / f"{n}.zip")
    finally:
        stop.set()
        writer.join()
    library.close()
    counts = []
    for n in range(5):
        restore(tmp_path / f"restored{n}", tmp_path / f"{n}.zip")
        names = held(tmp_path / f"restored{n}").keys()
        assert {name[4:] for name in names if name.startswith("left")} == {
            name[5:] for name in names if name.startswith("right")
        }
        counts.append(len(names))
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]


def test_articles_that_the_backup_lacks_are_not_lost_unasked(data, file):
    put(data, article("n1", "Corrected."), article("new1"), article("new2"))
    library = ArticleLibrary.open(data / "library.sqlite")
    library.remove(article("n2").id)
    library.remove(article("new2").id)
    before = held(data)
    with pytest.raises(WouldLose, match=r"1 articles .* --replace"):
        restore(data, file)
    assert held(data) == before
    report = restore(data, file, replace=True)
    assert (report.articles, report.lost, report.changed, report.returned) == (
        30,
        1,
        1,
        ((article("n2").id, "Many words."),),
    )
    # A process that had it open sees the new content; what was removed and is not back stays on record.
    assert len(library.digests()) == 30
    assert library.removed() == {article("new2").id}
    library.close()


def test_readers_see_the_old_or_the_new_library_whole(data, file):
    put(data, *(article(f"more{n}") for n in range(70)))
    library = ArticleLibrary.open(data / "library.sqlite")
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            seen.add(len(library.digests()))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(5):
        restore(data, file, replace=True)
        library.put_all([article(f"more{n}") for n in range(70)])
    stop.set()
    reader.join()
    library.close()
    assert seen <= {30, 100}


def test_a_damaged_library_is_replaced_and_stays_kept_beside(data, file):
    before = held(data)
    path = data / "library.sqlite"
    path.write_bytes(path.read_bytes()[:5000])
    restore(data, file)
    assert held(data) == before
    assert len(list(data.glob("library.sqlite.corrupt-*"))) >= 1


def test_a_library_set_aside_with_its_log_is_not_mixed_into_the_restored_one(data, file):
    before = held(data)
    path = data / "library.sqlite"
    library = ArticleLibrary.open(path)
    library.put(article("only in the log"))
    log = path.with_name("library.sqlite-wal").read_bytes()
    library.close()
    path.rename(data / "library.sqlite.corrupt-20250101T000000000000Z")
    path.with_name("library.sqlite-wal").write_bytes(log)
    with pytest.raises(LibraryDamaged, match="corrupt-20250101"):
        ArticleLibrary.open(path)
    restore(data, file)
    assert held(data) == before


def test_conversations_come_back_beside_those_that_are_there(data, file):
    path = data / "conversations.sqlite"
    store = ConversationStore.open(path)
    (old,) = store.page(9).items
    store.delete(old.id)
    conversation, _ = store.add_exchange(None, "A later one?", reply("Yes."))
    store.add_exchange(conversation, "And again?", reply("Yes."))
    assert restore(data, file).conversations == 1
    assert {head.title for head in store.page(9).items} == {"A later one?", "Which words?"}
    assert [message.content for message in store.get(old.id).messages] == ["Which words?", "Those."]
    assert restore(data, file).conversations == 0
    assert restore(data, file, replace=True).conversations == 1
    assert [head.id for head in store.page(9).items] == [old.id]
    store.close()


@pytest.mark.parametrize("again", [restore, lambda data, file: restore(data, file, replace=True)])
def test_what_was_done_before_is_done_again_when_it_is_asked_again(data, file, again):
    """A kept reply would say of an article that it is in the library, which it is not any more."""
    replies = KeptReplies.open(data)
    attempt = replies.begin("somebody", "key", "hash")
    replies.keep(attempt, KeptReply(200, "application/json", None, b"{}"))
    replies.leave(attempt)
    assert isinstance(replies.begin("somebody", "key", "hash"), KeptReply)
    under_way = replies.begin("somebody", "another", "hash")
    again(data, file)
    assert isinstance(replies.begin("somebody", "key", "hash"), str)
    with pytest.raises(KeyInUse):
        replies.begin("somebody", "another", "hash")
    replies.leave(under_way)
    replies.close()


def flip(members):
    content = bytearray(members["library.sqlite"])
    content[9000] ^= 1
    members["library.sqlite"] = bytes(content)


def foreign(members):
    record = json.loads(members["backup.json"])
    record["format"] = 2
    members["backup.json"] = json.dumps(record)


def other_size(members):
    record = json.loads(members["backup.json"])
    record["members"]["library.sqlite"]["bytes"] = 10
    members["backup.json"] = json.dumps(record)


def climbing(members):
    record = json.loads(members["backup.json"])
    record["members"]["../evil"] = record["members"]["library.sqlite"]
    members["../evil"] = members["library.sqlite"]
    members["backup.json"] = json.dumps(record)


def bomb(members):
    record = json.loads(members["backup.json"])
    record["members"]["library.sqlite"]["bytes"] = 1 << 60
    members["backup.json"] = json.dumps(record)


def falsified(members):
    """Well hashed in the record, but an article is not what it was."""
    import hashlib

    content = members["library.sqlite"].replace(b"It is about n7.", b"It is about n8.")
    record = json.loads(members["backup.json"])
    record["members"]["library.sqlite"]["sha256"] = hashlib.sha256(content).hexdigest()
    members["library.sqlite"] = content
    members["backup.json"] = json.dumps(record)


@pytest.mark.parametrize(
    "change",
    [
        flip,
        foreign,
        other_size,
        climbing,
        bomb,
        falsified,
        lambda members: members.pop("backup.json"),
        lambda members: members.pop("library.sqlite"),
        lambda members: members.update({"extra.txt": b"x"}),
        lambda members: members.update({"backup.json": b" " * 100_000}),
        lambda members: members.update({"backup.json": b"[]"}),
    ],
)
def test_what_is_no_sound_backup_touches_nothing(data, file, change, tmp_path):
    before = held(data)
    rewritten(file, change)
    for target in (data, tmp_path / "new"):
        with pytest.raises(BackupFailed, match=r"backup|not one of this version|restoring needs|damage") as refusal:
            restore(target, file, replace=True)
        assert "\n" not in str(refusal.value)
    assert held(data) == before
    assert list((tmp_path / "new").iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_a_backup_that_is_cut_or_flipped_anywhere_touches_nothing(data, file, tmp_path):
    content = file.read_bytes()
    before = held(data)
    for place in range(0, len(content), len(content) // 60):
        for damaged in (content[:place], content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :]):
            file.write_bytes(damaged)
            try:
                restore(tmp_path / "new", file)
            except BackupFailed:
                assert not list((tmp_path / "new").iterdir())
            else:
                # A bit of no meaning, such as a member's time, or of the record that is not the content's.
                assert held(tmp_path / "new") == before
                shutil.rmtree(tmp_path / "new")


def test_a_library_with_a_damaged_article_is_not_passed_off_as_a_backup(data, tmp_path):
    with sqlite3.connect(data / "library.sqlite") as connection:
        connection.execute("UPDATE articles SET text = 'Fake' WHERE number = 3")
    connection.close()
    with pytest.raises(BackupFailed, match=article("n2").id):
        back_up(data, tmp_path / "backup.zip")
    assert [one.name for one in tmp_path.iterdir()] == ["data"]


def byline(*arguments, limit=None, **environment):
    def confine():
        if limit is not None:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.run(
        [sys.executable, "-m", "service", *map(str, arguments)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        preexec_fn=confine,
        check=False,
    )


@pytest.mark.parametrize("limit", [40_000, 120_000])
def test_a_full_disk_is_one_clear_line_and_leaves_nothing(data, tmp_path, limit):
    target = tmp_path / "away"
    target.mkdir()
    failed = byline("backup", target / "backup.zip", "--data", data, limit=limit)
    assert failed.returncode == 1
    assert failed.stderr.startswith("byline: the backup ")
    assert len(failed.stderr.splitlines()) == 1
    assert list(target.iterdir()) == []


def test_a_process_that_dies_at_any_step_loses_nothing(data, file, tmp_path):
    before = held(data)
    for place in ("backup.copied", "backup.verified", "backup.written", "backup.published"):
        other = tmp_path / "other.zip"
        died = byline("backup", other, "--data", data, BYLINE_FAILPOINT=place)
        assert died.returncode == 137
        assert other.exists() == (place == "backup.published")
        other.unlink(missing_ok=True)
    assert back_up(data, tmp_path / "other.zip").articles == 30
    assert sorted(one.name for one in tmp_path.iterdir()) == ["backup.zip", "data", "other.zip"]
    put(data, article("new"))
    after = held(data)
    for place in ("restore.unpacked", "restore.verified", "restore.written", "restore.placed"):
        for lost in (False, True):
            target = tmp_path / f"{place}-{lost}"
            shutil.copytree(data, target)
            if lost:
                (target / "library.sqlite").write_bytes(b"")
            died = byline("restore", file, "--replace", "--data", target, BYLINE_FAILPOINT=place)
            if lost and place == "restore.written":
                continue  # nothing is written where there is none: a whole file is moved there
            assert died.returncode == 137
            if place == "restore.placed":
                assert held(target) == before
            elif lost:
                with pytest.raises(LibraryDamaged):
                    ArticleLibrary.open(target / "library.sqlite")
            else:
                assert held(target) == after
            restore(target, file, replace=True)
            assert held(target) == before
            assert not list(target.glob(".*"))


def test_the_commands_say_what_they_did_and_exit_as_all_do(data, tmp_path):
    file = tmp_path / "backup.zip"
    made = byline("backup", file, "--json", "--data", data)
    assert json.loads(made.stdout)["articles"] == 30
    assert byline("backup", file, "--data", data).returncode == 1
    assert "30 articles" in byline("restore", file, "--data", tmp_path / "new").stdout
    assert json.loads(byline("restore", file, "--json", "--data", data).stdout)["lost"] == 0
    for wrong in (["restore"], ["restore", file, "--from-index"], ["backup"]):
        assert byline(*wrong, "--data", data).returncode == 2
    missing = byline("restore", tmp_path / "no.zip", "--data", data)
    assert missing.returncode == 1
    assert missing.stderr.startswith("byline: there is no file")
    assert byline("restore", "--from-index", "--data", tmp_path / "none").returncode == 1
