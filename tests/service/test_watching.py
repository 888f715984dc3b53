"""A watched folder: its files are taken in once they are quiet, and a build follows that holds them."""

import os
import shutil
import sqlite3
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from ingest.adding import add_files
from ingest.library import ArticleLibrary
from service import watching
from service.builds import JobsClosed
from service.jobs import BuildJob
from service.settings import Settings
from service.watching import FolderWatch

QUIET = 0.05


class Builds:
    """Builds that take no time unless they are held; each keeps what the library was when it ended."""

    def __init__(self, library):
        self._library = library
        self._jobs = {}
        self.held = False
        self.closed = False
        self.fail_next = 0
        self.read = []  # the texts that each build that succeeded has seen

    def start(self, full):
        assert full is False
        if self.closed:
            raise JobsClosed("stopping")
        for job in self._jobs.values():
            if not job.finished:
                return job
        job = BuildJob(f"build_{len(self._jobs)}", full, "queued", datetime.now(UTC))
        self._jobs[job.id] = replace(job, state="running") if self.held else self._ended(job)
        return job

    def get(self, job_id):
        return self._jobs[job_id]

    def begin(self):
        """Begin a build that somebody else asked for and that has read the library already."""
        self.held = True
        return self.start(False)

    def release(self):
        self.held = False
        for job in self._jobs.values():
            if not job.finished:
                self._jobs[job.id] = replace(job, state="succeeded", finished_at=datetime.now(UTC))

    def __len__(self):
        return len(self._jobs)

    def _ended(self, job):
        state = "failed" if self.fail_next else "succeeded"
        self.fail_next = max(self.fail_next - 1, 0)
        if state == "succeeded":
            self.read.append(texts(self._library))
        return replace(job, state=state, finished_at=datetime.now(UTC))


def texts(library):
    return sorted(article.text for article in library.read(sorted(library.digests())))


def until(condition, seconds=15):
    """Wait for what must come to be."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be"
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    monkeypatch.setattr(watching, "QUIET_SECONDS", QUIET)
    monkeypatch.setattr(watching, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(watching, "_TICK_SECONDS", 0.02)
    monkeypatch.setattr(watching, "_STEP_MS", 5)
    monkeypatch.setattr(watching, "_POLL_SECONDS", 0.05)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def library(tmp_path):
    library = ArticleLibrary.open(tmp_path / "library.sqlite")
    yield library
    library.close()


@pytest.fixture
def builds(library):
    return Builds(library)


@pytest.fixture
def watch(folder, library, builds, tmp_path):
    """A function that starts the watch; it gives the log's events, which grow."""
    watches = []

    def start(data=tmp_path / "data"):
        watches.append(FolderWatch(folder, library, builds, Settings(data=data)))
        watches[-1].start()
        return watches[-1]

    with capture_logs() as logged:
        start.logged = logged
        yield start
        for each in watches:
            each.close()
    assert "folder-watch" not in [thread.name for thread in threading.enumerate()]
    assert [event for event in logged if event["log_level"] == "error"] == []


def events(watch, name):
    return [event for event in watch.logged if event["event"] == name]


@pytest.mark.parametrize("polling", ["", "1"])
def test_files_that_are_there_come_and_change_are_built(watch, folder, library, builds, monkeypatch, polling):
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", polling)
    (folder / "old.txt").write_text("It was there before.")
    watch()
    until(lambda: builds.read == [["It was there before."]])
    (folder / "new.md").write_text("It came later.")
    until(lambda: len(builds.read) == 2)
    assert builds.read[1] == ["It came later.", "It was there before."]
    (folder / "new.md").write_text("It was put right.")
    # Polling compares whole seconds, which suffices for the real QUIET_SECONDS, not for the short one here.
    later = time.time() + 2
    os.utime(folder / "new.md", (later, later))
    until(lambda: len(builds.read) == 3)
    assert builds.read[2] == ["It was put right.", "It was there before."]
    (folder / "old.txt").unlink()
    (folder / "third.txt").write_text("The first one is gone.")
    until(lambda: len(builds.read) == 4)
    assert "It was there before." in texts(library)


def test_files_in_folders_made_later_are_taken_in(watch, folder, builds):
    watch()
    (folder / "2025" / "may").mkdir(parents=True)
    until(lambda: not builds.read)
    (folder / "2025" / "may" / "a.txt").write_text("Deep down.")
    until(lambda: builds.read == [["Deep down."]])
    shutil.rmtree(folder / "2025")
    (folder / "2025" / "may").mkdir(parents=True)
    (folder / "2025" / "may" / "a.txt").write_text("Made again.")
    until(lambda: len(builds.read) == 2)
    assert builds.read[1] == ["Made again."]


def test_a_file_written_in_pieces_is_read_whole(watch, folder, builds, monkeypatch):
    monkeypatch.setattr(watching, "QUIET_SECONDS", 0.5)
    watch()
    pieces = [f"Piece {number}." for number in range(6)]
    with (folder / "slow.txt").open("w") as file:
        for piece in pieces:
            file.write(piece + " ")
            file.flush()
            time.sleep(0.12)
    until(lambda: builds.read)
    assert builds.read == [[" ".join(pieces)]]


def test_a_file_put_in_place_of_another_is_noticed_by_more_than_time_and_size(watch, folder, builds, tmp_path):
    (folder / "a.txt").write_text("The answer is yes.")
    watch()
    until(lambda: builds.read)
    (tmp_path / "b.txt").write_text("The answer is nay.")
    shutil.copystat(folder / "a.txt", tmp_path / "b.txt")
    (tmp_path / "b.txt").rename(folder / "a.txt")
    until(lambda: len(builds.read) == 2)
    assert builds.read[1] == ["The answer is nay."]


def test_many_files_one_by_one_are_few_builds(watch, folder, builds, monkeypatch):
    monkeypatch.setattr(watching, "QUIET_SECONDS", 0.3)
    watch()
    for number in range(30):
        (folder / f"{number}.txt").write_text(f"Article {number}.")
        time.sleep(0.02)
    until(lambda: builds.read and len(builds.read[-1]) == 30)
    time.sleep(2 * QUIET)
    assert len(builds) <= 3


def test_files_that_never_stop_coming_put_a_build_off_only_so_long(watch, folder, builds, monkeypatch):
    monkeypatch.setattr(watching, "LONGEST_WAIT_SECONDS", 0.4)
    watch()
    begun = time.monotonic()
    number = 0
    while not builds.read:
        assert time.monotonic() - begun < 15
        (folder / f"{number}.txt").write_text(f"Article {number}.")
        number += 1
        time.sleep(0.02)
    assert time.monotonic() - begun > 0.4
    until(lambda: len(builds.read[-1]) == number)


def test_after_a_build_that_was_running_another_is_asked_for(watch, folder, library, builds):
    builds.begin()
    watch()
    (folder / "a.txt").write_text("Too late for the build that runs.")
    until(lambda: texts(library))
    time.sleep(2 * QUIET)
    assert builds.read == []
    builds.release()
    until(lambda: builds.read == [["Too late for the build that runs."]])


def test_a_failed_build_is_tried_again(watch, folder, builds):
    builds.fail_next = 2
    watch()
    (folder / "a.txt").write_text("Third time lucky.")
    until(lambda: builds.read == [["Third time lucky."]])
    assert len(builds) == 3
    assert [event["retry_seconds"] for event in events(watch, "build is tried again")] == [0.1, 0.2]


def test_what_an_earlier_server_added_is_built_once(watch, folder, library, builds):
    (folder / "a.txt").write_text("Added, but the server ended before the build.")
    list(add_files(library, [folder]))
    watch()
    until(lambda: builds.read)
    os.utime(folder / "a.txt")
    until(lambda: len(events(watch, "files taken in")) == 2)
    assert [event["unchanged"] for event in events(watch, "files taken in")] == [1, 1]
    time.sleep(2 * QUIET)
    assert len(builds) == 1


def test_a_refused_file_is_told_once(watch, folder, builds, tmp_path):
    (tmp_path / "secret.txt").write_text("Not in the folder.")
    (folder / "away.txt").symlink_to(tmp_path / "secret.txt")
    (folder / ".hidden.txt").write_text("Hidden.")
    (folder / "report.pdf").write_text("x")
    (folder / "empty.txt").write_text("")
    watch()
    for number in range(3):
        (folder / "rows.jsonl").write_text('{"text": "A good row."}\nbad\n' + '{"text": "Another."}\n' * number)
        until(lambda number=number: len(builds.read) == number + 1)
    said = {event["file"].rsplit("/", 1)[1]: event["reason"] for event in events(watch, "file refused")}
    assert len(events(watch, "file refused")) == len(said)
    assert set(said) == {"away.txt", "report.pdf", "empty.txt"}
    assert [event["refusals"] for event in events(watch, "file partly refused")] == [1]
    assert said["away.txt"] == "symbolic link that leaves the folder"
    assert said["report.pdf"].startswith("unsupported kind of file '.pdf'")
    assert set(builds.read[-1]) == {"A good row.", "Another."}
    (folder / "empty.txt").write_text("Not empty any more.")
    until(lambda: "Not empty any more." in builds.read[-1])


def test_the_folder_goes_and_comes_back(watch, folder, builds):
    watch()
    (folder / "a.txt").write_text("Before.")
    until(lambda: builds.read)
    shutil.rmtree(folder)
    until(lambda: events(watch, "watched folder cannot be read"))
    time.sleep(2 * QUIET)
    folder.mkdir()
    (folder / "b.txt").write_text("After.")
    until(lambda: builds.read[-1] == ["After.", "Before."])
    assert len(events(watch, "watched folder cannot be read")) == 1
    assert len(events(watch, "watched folder is back")) == 1
    # At once, so that the watch may never see it missing.
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "c.txt").write_text("Again.")
    until(lambda: "Again." in builds.read[-1])


def test_the_folder_may_be_missing_at_the_start(watch, folder, builds):
    folder.rmdir()
    watch()
    until(lambda: events(watch, "watched folder cannot be read"))
    folder.mkdir()
    (folder / "a.txt").write_text("There now.")
    until(lambda: builds.read == [["There now."]])


def test_a_locked_database_is_waited_for(watch, folder, builds, library, tmp_path):
    # The library waits 30 s for a lock; here it gives up at once.
    sa.event.listen(library._engine, "begin", lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout=1"))
    other = sqlite3.connect(tmp_path / "library.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    watch()
    (folder / "a.txt").write_text("It is not lost.")
    until(lambda: len(events(watch, "adding failed")) >= 2)
    assert events(watch, "adding failed")[0]["reason"] == "database is locked"
    other.execute("ROLLBACK")
    other.close()
    until(lambda: builds.read == [["It is not lost."]])


def test_a_file_that_a_reader_stumbles_over_keeps_out_no_other(watch, folder, builds, monkeypatch):
    from ingest import adding

    def read_file(file, read=adding.read_file):
        if file.name == "a.txt":
            raise ZeroDivisionError("a fault of the reader")
        return read(file)

    monkeypatch.setattr(adding, "read_file", read_file)
    (folder / "a.txt").write_text("Never read.")
    (folder / "b.txt").write_text("Read.")
    watch()
    until(lambda: builds.read == [["Read."]])
    (event,) = events(watch, "file could not be taken in")
    assert event["file"].endswith("a.txt")
    watch.logged.remove(event)


@pytest.mark.parametrize("polling", ["", "1"])
def test_links_are_not_followed_and_odd_names_do_no_harm(watch, folder, builds, tmp_path, monkeypatch, polling):
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", polling)
    outside = tmp_path / "outside"
    outside.mkdir()
    (folder / "out").symlink_to(outside)
    (folder / "up").symlink_to("..")
    (folder / "circle").symlink_to("circle")
    (folder / os.fsdecode(b"caf\xe9")).mkdir()
    watch()
    (folder / "a.txt").write_text("Inside.")
    (outside / "b.txt").write_text("Outside.")
    until(lambda: builds.read == [["Inside."]])
    (folder / os.fsdecode(b"th\xe9")).mkdir()
    (folder / "c.txt").write_text("Later.")
    until(lambda: builds.read[-1] == ["Inside.", "Later."])


def test_the_data_folder_inside_the_folder_is_left_out(watch, folder, builds):
    data = folder / "byline-data"
    data.mkdir()
    (data / "articles.jsonl").write_text('{"text": "A generation\'s own file."}')
    (data / "library.sqlite").write_text("")
    (data / "index").mkdir()
    watch(data=data)
    (folder / "a.txt").write_text("An article.")
    until(lambda: builds.read == [["An article."]])
    assert events(watch, "file refused") == []


def test_without_reports_the_folder_is_looked_at_now_and_then(watch, folder, builds, monkeypatch):
    monkeypatch.setattr(watching, "REGULAR_LOOK_SECONDS", 0.3)

    def silent(*_, stop_event, **__):
        while not stop_event.wait(0.05):
            yield set()

    monkeypatch.setattr(watching, "watch", silent)
    watch()
    time.sleep(0.1)
    (folder / "a.txt").write_text("Seen all the same.")
    until(lambda: builds.read == [["Seen all the same."]])


def test_the_folder_is_polled_where_reports_cannot_be_had(watch, folder, builds, monkeypatch):
    def limited(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(watching, "watch", limited)
    watch()
    (folder / "a.txt").write_text("Polled.")
    until(lambda: builds.read == [["Polled."]])
    assert len(events(watch, "changes are not reported; the folder is polled")) == 1


def test_an_idle_watch_rests(watch, folder, builds):
    (folder / "a.txt").write_text("Nothing happens after this.")
    watch()
    until(lambda: builds.read)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.15


def test_close_is_quick_and_before_a_start_harmless(folder, library, builds, tmp_path):
    settings = Settings(data=tmp_path / "data")
    FolderWatch(folder, library, builds, settings).close()
    for number in range(300):
        (folder / f"{number}.txt").write_text(f"Article {number}.")
    watch = FolderWatch(folder, library, builds, settings)
    watch.start()
    until(lambda: texts(library))
    begun = time.monotonic()
    watch.close()
    assert time.monotonic() - begun < 1
    assert "folder-watch" not in [thread.name for thread in threading.enumerate()]


def test_the_watch_ends_with_the_builds(folder, library, builds, tmp_path):
    builds.closed = True
    (folder / "a.txt").write_text("The server is stopping.")
    FolderWatch(folder, library, builds, Settings(data=tmp_path / "data")).start()
    until(lambda: texts(library))
    until(lambda: "folder-watch" not in [thread.name for thread in threading.enumerate()])
