"""What is served is a whole generation, whatever happens to the writer, the disk or the files."""

import errno
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from index.catalog import CURRENT_FILE, Catalog
from index.errors import (
    BuildRunning,
    GenerationDamaged,
    GenerationIncompatible,
    IndexingError,
    NoGeneration,
    StorageFull,
)
from index.manifest import (
    FORMAT_VERSION,
    MANIFEST_FILE,
    Counts,
    DenseRecord,
    EmbeddingRecord,
    Manifest,
    UnsealedManifest,
    generation_of,
    seal,
    verify,
)

HOUSE = Path(__file__).parents[2]


def write_one(catalog: Catalog, word: str = "storm") -> Path:
    """Stage and seal a small generation."""
    staged = catalog.stage()
    (staged / "bm25").mkdir()
    (staged / "articles.jsonl").write_text(word)
    (staged / "bm25" / "scores.npy").write_bytes(bytes(64))
    seal(
        staged,
        UnsealedManifest(
            generation=generation_of(staged),
            built_at="2026-03-01T12:00:00Z",
            embedding=EmbeddingRecord("mini", "53aa", 384, 256, "torch", "fp32"),
            chunking={},
            cleaning_version=1,
            counts=Counts(articles=1, chunks=1, sentences=1),
            dense=DenseRecord(kind="flat", lists=0, probes=0, recall=1.0),
            embedding_pace=812.5,
            articles={"art_1": "00ff"},
        ),
    )
    return staged


def build(catalog: Catalog, word: str = "storm") -> str:
    with catalog.writer():
        return catalog.publish(write_one(catalog, word))


def damage(catalog: Catalog, name: str) -> None:
    (catalog.folder(name) / "articles.jsonl").write_text("s7orm")


def no_leftovers(catalog: Catalog) -> bool:
    return not list(catalog.root.rglob("*.tmp"))


def python(script: str, *arguments: object) -> subprocess.Popen:
    """Start a real process that can import this file as test_catalog."""
    path = os.pathsep.join([str(HOUSE), str(Path(__file__).parent)])
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path})


@pytest.fixture
def catalog(tmp_path):
    return Catalog(tmp_path / "data" / "index")


@pytest.fixture
def three(catalog):
    """Generations 000001 to 000003; the last is current."""
    for word in ("one", "two", "three"):
        build(catalog, word)
    return catalog


class TestPublishing:
    def test_a_published_generation_is_current_and_opens(self, catalog):
        assert build(catalog) == "000001"
        assert (catalog.current(), catalog.names()) == ("000001", ["000001"])
        assert (catalog.root / CURRENT_FILE).read_bytes() == b"000001\n"
        opened = catalog.open_newest_good(verify)
        assert (opened.value.generation, opened.name, opened.problems) == ("000001", "000001", ())
        assert no_leftovers(catalog)

    def test_generations_are_numbered_upwards_and_the_older_ones_stay(self, three):
        assert three.names() == ["000001", "000002", "000003"]
        assert [(three.folder(name) / "articles.jsonl").read_text() for name in three.names()] == [
            "one",
            "two",
            "three",
        ]

    def test_the_order_is_files_name_folder_then_current(self, three, monkeypatch):
        """Each step is on the disk before the next one relies on it."""
        steps = []
        fsync, rename, swap = os.fsync, Path.rename, Path.replace

        def inside(path):
            return os.path.relpath(path, three.root)

        def record_fsync(descriptor):
            steps.append(("sync", inside(Path(f"/proc/self/fd/{descriptor}").readlink())))
            fsync(descriptor)

        def record_rename(path, target):
            steps.append(("rename", inside(path), inside(target)))
            return rename(path, target)

        def record_swap(path, target):
            steps.append(("rename", inside(path), inside(target)))
            return swap(path, target)

        with three.writer():
            staged = write_one(three)
            monkeypatch.setattr(os, "fsync", record_fsync)
            monkeypatch.setattr(Path, "rename", record_rename)
            monkeypatch.setattr(Path, "replace", record_swap)
            three.publish(staged)
        assert set(steps[:-5]) == {
            ("sync", f"000004.tmp{below}")
            for below in ("", "/articles.jsonl", "/bm25", "/bm25/scores.npy", "/manifest.json")
        }
        assert steps[-5:] == [
            ("rename", "000004.tmp", "000004"),
            ("sync", "."),
            ("sync", "CURRENT.tmp"),
            ("rename", "CURRENT.tmp", "CURRENT"),
            ("sync", "."),
        ]

    def test_what_was_changed_after_sealing_is_not_published(self, three):
        with three.writer():
            staged = write_one(three)
            (staged / "articles.jsonl").write_text("other")
            with pytest.raises(GenerationDamaged, match=r"'articles\.jsonl'"):
                three.publish(staged)
        assert (three.current(), three.names()[-1]) == ("000003", "000003")

    def test_a_generation_sealed_under_another_name_is_not_published(self, three):
        with three.writer():
            staged = write_one(three).rename(three.root / "000009.tmp")
            with pytest.raises(GenerationDamaged, match="belongs to generation '000004'"):
                three.publish(staged)

    @pytest.mark.parametrize("name", ["000003", "next.tmp", "../000004.tmp"])
    def test_only_a_staging_folder_of_this_catalog_is_published(self, three, name):
        with three.writer(), pytest.raises(ValueError, match="no staging folder"):
            three.publish(three.root / name)

    @pytest.mark.parametrize("content", [None, b"precious"])
    def test_a_generation_is_never_replaced(self, three, content):
        """Renaming a folder onto an empty one would do so without a word."""
        with three.writer():
            staged = write_one(three)
            three.folder("000004").mkdir()
            if content:
                (three.folder("000004") / "file").write_bytes(content)
            with pytest.raises(IndexingError, match="'000004' exists already"):
                three.publish(staged)
            assert staged.is_dir()
        assert three.folder("000004").is_dir()
        assert build(three) == "000005"

    def test_a_number_is_not_given_twice(self, three):
        """Neither the number in CURRENT, though its folder is gone, nor one that is staged or no folder."""
        (three.root / CURRENT_FILE).write_text("000041\n")
        with three.writer():
            assert three.stage().name == "000042.tmp"
            assert three.stage().name == "000043.tmp"
        (three.root / "000050").write_text("a file")
        assert build(three) == "000051"

    def test_the_last_number_is_a_refusal_not_a_longer_name(self, three):
        three.folder("000003").rename(three.root / "999999")
        with three.writer(), pytest.raises(IndexingError, match="used up"):
            three.stage()

    def test_only_the_writer_stages_and_publishes(self, three):
        with three.writer():
            staged = write_one(three)
        for step in (three.stage, lambda: three.publish(staged)):
            with pytest.raises(RuntimeError, match="writer"):
                step()

    @pytest.mark.parametrize("name", ["", "7", "../000001", "000001.tmp", "000001\n", "٠٠٠٠٠١"])
    def test_a_folder_is_asked_for_by_six_digits(self, three, name):
        with pytest.raises(ValueError, match="expected six digits"):
            three.folder(name)


class TestOpening:
    def test_before_the_first_build_there_is_no_generation(self, catalog):
        assert (catalog.names(), catalog.current()) == ([], None)
        with pytest.raises(NoGeneration, match="byline build"):
            catalog.open_newest_good(verify)
        assert not catalog.root.exists()

    def test_a_damaged_one_is_named_and_the_newest_good_one_serves(self, three):
        damage(three, "000003")
        opened = three.open_newest_good(verify)
        assert opened.name == opened.value.generation == "000002"
        assert [(found.generation, found.file) for found in opened.problems] == [("000003", "articles.jsonl")]

    def test_the_others_are_tried_newest_first(self, three):
        three.rollback("000001")
        damage(three, "000001")
        damage(three, "000003")
        opened = three.open_newest_good(verify)
        assert opened.name == "000002"
        assert [found.generation for found in opened.problems] == ["000001", "000003"]

    def test_one_of_another_format_is_passed_over(self, three):
        path = three.folder("000003") / MANIFEST_FILE
        path.write_text(replace(verify(path.parent), format_version=FORMAT_VERSION + 1).to_json())
        opened = three.open_newest_good(verify)
        assert opened.name == "000002"
        assert [type(found) for found in opened.problems] == [GenerationIncompatible]

    def test_if_none_is_good_the_first_problem_is_raised(self, three):
        for name in three.names():
            damage(three, name)
        with pytest.raises(GenerationDamaged) as caught:
            three.open_newest_good(verify)
        assert caught.value.generation == "000003"

    def test_an_operating_system_error_in_opening_is_damage(self, three):
        def open_folder(folder):
            if folder.name == "000003":
                raise OSError(errno.EIO, "Input/output error", str(folder / "vectors.faiss"))
            return verify(folder)

        opened = three.open_newest_good(open_folder)
        assert opened.name == "000002"
        assert [(found.generation, found.file) for found in opened.problems] == [("000003", "vectors.faiss")]

    @pytest.mark.parametrize(
        "text",
        [b"", b"\n", b"000003", b"3\n", b"000003\n\n", b"../x\n", b"000003.tmp\n", b"\xff\xfe", b"0" * 99],
    )
    def test_an_unreadable_current_is_a_problem_and_the_newest_good_one_serves(self, three, text):
        three.rollback("000001")
        (three.root / CURRENT_FILE).write_bytes(text)
        assert three.current() is None
        opened = three.open_newest_good(verify)
        assert opened.name == "000003"
        assert [found.file for found in opened.problems] == [CURRENT_FILE]

    def test_a_missing_current_is_a_problem_and_the_newest_good_one_serves(self, three):
        (three.root / CURRENT_FILE).unlink()
        opened = three.open_newest_good(verify)
        assert (opened.name, [found.reason for found in opened.problems]) == ("000003", ["it is missing"])

    def test_a_current_that_names_nothing_is_a_problem_and_the_newest_good_one_serves(self, three):
        (three.root / CURRENT_FILE).write_text("000009\n")
        opened = three.open_newest_good(verify)
        assert opened.name == "000003"
        assert [(found.generation, found.file) for found in opened.problems] == [("000009", CURRENT_FILE)]

    def test_a_current_that_names_the_only_one_which_is_gone_says_so(self, catalog):
        build(catalog)
        catalog.folder("000001").rename(catalog.root / "moved")
        with pytest.raises(NoGeneration, match="CURRENT names '000001', which is gone"):
            catalog.open_newest_good(verify)

    def test_a_linked_folder_is_no_generation(self, three, tmp_path):
        three.folder("000003").rename(tmp_path / "000003")
        three.folder("000003").symlink_to(tmp_path / "000003")
        assert three.names() == ["000001", "000002"]

    def test_publishing_puts_a_lost_current_right(self, three):
        (three.root / CURRENT_FILE).write_bytes(b"\0" * 7)
        assert build(three) == "000004"
        assert three.open_newest_good(verify).problems == ()

    def test_a_reader_who_meets_a_publication_sees_no_damage(self, three):
        """The generation that CURRENT named is pruned while it is opened: the new one opens instead."""
        names = iter(["000003"])

        def open_folder(folder):
            if folder.name == next(names, None):
                build(three)
                three.prune(1)
            return verify(folder)

        opened = three.open_newest_good(open_folder)
        assert (opened.name, opened.problems) == ("000004", ())

    def test_readers_beside_a_busy_writer_see_no_damage(self, three):
        done = threading.Event()
        seen: list[tuple] = []

        def read():
            while not done.is_set():
                opened = Catalog(three.root).open_newest_good(verify)
                seen.append((opened.name == opened.value.generation, opened.problems))

        readers = [threading.Thread(target=read) for _ in range(3)]
        for reader in readers:
            reader.start()
        try:
            for _ in range(8):
                build(three)
                three.prune(1)
        finally:
            done.set()
            for reader in readers:
                reader.join()
        assert set(seen) == {(True, ())}


class TestRollback:
    def test_an_older_generation_becomes_current_and_the_newer_ones_stay(self, three):
        three.rollback("000001")
        assert (three.current(), three.names()) == ("000001", ["000001", "000002", "000003"])
        assert three.open_newest_good(verify).name == "000001"

    def test_the_next_build_takes_a_new_number(self, three):
        three.rollback("000001")
        assert build(three) == "000004"

    def test_a_damaged_generation_is_refused(self, three):
        damage(three, "000001")
        with pytest.raises(GenerationDamaged, match=r"'articles\.jsonl'"):
            three.rollback("000001")
        assert three.current() == "000003"

    @pytest.mark.parametrize("name", ["000009", "", "../000001", "CURRENT", "\ud800"])
    def test_an_unknown_generation_is_refused_with_those_there_are(self, three, name):
        with pytest.raises(NoGeneration, match="there are 000001, 000002, 000003"):
            three.rollback(name)

    def test_it_waits_for_no_build_but_is_refused_while_one_runs(self, three):
        with Catalog(three.root).writer(), pytest.raises(BuildRunning):
            three.rollback("000001")

    def test_the_writer_itself_may_roll_back_and_prune(self, three):
        with three.writer():
            three.rollback("000002")
            assert three.prune(1) == ["000001"]
        assert three.names() == ["000002", "000003"]


class TestPruning:
    def test_the_newest_stay(self, three):
        assert three.prune(2) == ["000001"]
        assert three.names() == ["000002", "000003"]
        assert no_leftovers(three)

    def test_the_current_one_stays_however_old(self, three):
        three.rollback("000001")
        assert three.prune(1) == ["000002"]
        assert three.names() == ["000001", "000003"]

    def test_nothing_beyond_keep_removes_nothing(self, three):
        assert three.prune(3) == []
        assert Catalog(three.root.with_name("empty")).prune(1) == []

    @pytest.mark.parametrize("text", ["", "000009\n"])
    def test_if_current_does_not_say_which_is_served_nothing_is_removed(self, three, text):
        (three.root / CURRENT_FILE).write_text(text)
        with pytest.raises(GenerationDamaged, match="CURRENT"):
            three.prune(1)
        assert three.names() == ["000001", "000002", "000003"]

    def test_at_least_one_is_kept(self, three):
        with pytest.raises(ValueError, match="keep is 0"):
            three.prune(0)


HOLD = """
import sys, time
from pathlib import Path
from index.catalog import Catalog
with Catalog(Path(sys.argv[1])).writer():
    print("held", flush=True)
    time.sleep(60)
"""


class TestLock:
    def test_a_lock_of_another_process_is_named_by_its_pid_and_dies_with_it(self, three):
        with python(HOLD, three.root) as holder:
            try:
                assert holder.stdout.readline() == "held\n"
                with pytest.raises(BuildRunning, match=f"process {holder.pid}") as caught:
                    build(three)
                assert caught.value.pid == holder.pid
                assert three.open_newest_good(verify).name == "000003"
            finally:
                holder.send_signal(signal.SIGKILL)
        assert build(three) == "000004"

    def test_a_thread_of_the_same_process_is_refused_too(self, three):
        refused = []

        def try_it():
            try:
                build(three)
            except BuildRunning as error:
                refused.append(error.pid)

        with three.writer():
            other = threading.Thread(target=try_it)
            other.start()
            other.join()
        assert refused == [os.getpid()]

    def test_a_writer_that_failed_lets_go_and_cleans_up(self, three):
        def fail():
            with three.writer():
                write_one(three)
                raise KeyError("a bug")

        with pytest.raises(KeyError):
            fail()
        assert no_leftovers(three)
        assert build(three) == "000004"

    def test_a_lock_file_without_a_number_gives_no_pid(self, three):
        with three.writer():
            (three.root / "writer.lock").write_bytes(b"")
            with pytest.raises(BuildRunning, match="process unknown") as caught:
                build(Catalog(three.root))
            assert caught.value.pid is None

    def test_a_new_writer_removes_what_a_dead_one_left(self, three, tmp_path):
        (three.root / "000009.tmp" / "bm25").mkdir(parents=True)
        (three.root / "CURRENT.tmp").write_text("00")
        (tmp_path / "outside").mkdir()
        (three.root / "link.tmp").symlink_to(tmp_path / "outside")
        with three.writer():
            assert no_leftovers(three)
        assert (tmp_path / "outside").is_dir()
        assert three.names() == ["000001", "000002", "000003"]


KILL_AT_EVERY_STEP = """
import os, shutil, signal, sys
from pathlib import Path
from index.catalog import Catalog
from test_catalog import write_one

start, copies = Path(sys.argv[1]), Path(sys.argv[2])
CHANGES = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate"}

def build_and_die(root, step):
    seen = 0
    def count(event, arguments):
        nonlocal seen
        if event in CHANGES:
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)
    def counted_fsync(descriptor):
        count("open", ())  # not done: a kill, unlike a power cut, loses nothing that is written
    sys.addaudithook(count)
    os.fsync = counted_fsync
    catalog = Catalog(root)
    with catalog.writer():
        catalog.publish(write_one(catalog, "new"))
        catalog.prune(1)

for step in range(1, 1000):
    root = copies / str(step)
    shutil.copytree(start, root)
    child = os.fork()
    if child == 0:
        build_and_die(root, step)
        os._exit(0)
    if os.waitpid(child, 0)[1] == 0:
        break
print(step)
"""


def killed_at_every_step(start: Path, copies: Path) -> list[Catalog]:
    """Build and prune once for every step that changes a file, each time killed just before it."""
    with python(KILL_AT_EVERY_STEP, start, copies) as process:
        steps = int(process.stdout.read())
    assert steps > 30
    return [Catalog(copies / str(step)) for step in range(1, steps + 1)]


class TestKilled:
    def test_killed_at_any_step_the_old_or_the_new_generation_opens_and_the_next_writer_cleans_up(
        self, three, tmp_path
    ):
        served = []
        for catalog in killed_at_every_step(three.root, tmp_path / "copies"):
            opened = catalog.open_newest_good(verify)
            assert opened.problems == ()
            served.append(opened.name)
            before = catalog.names()
            with catalog.writer():
                assert no_leftovers(catalog)
            assert catalog.names() == before
            assert [verify(catalog.folder(name)).generation for name in before] == before
        assert served == sorted(served)
        assert set(served) == {"000003", "000004"}
        assert int(build(catalog)) > int(served[-1])

    def test_a_first_build_killed_at_any_step_leaves_no_index_or_a_whole_one(self, tmp_path, monkeypatch):
        (tmp_path / "empty").mkdir()
        outcomes = []
        for catalog in killed_at_every_step(tmp_path / "empty", tmp_path / "copies"):
            try:
                outcomes.append([found.file for found in catalog.open_newest_good(verify).problems])
            except NoGeneration:
                outcomes.append(["none"])
            with monkeypatch.context() as patch:
                patch.setattr(os, "fsync", lambda descriptor: None)  # 50 builds, and no power cut to fear
                build(catalog)
            assert catalog.open_newest_good(verify).problems == ()
            assert no_leftovers(catalog)
        assert list(dict.fromkeys(map(tuple, outcomes))) == [("none",), (CURRENT_FILE,), ()]


def full_disk(monkeypatch, *, step: int, lasting: bool) -> list[int]:
    """Let the sync or opening for writing number `step` fail, and all later ones if it is lasting."""
    seen = [0]
    path_open = Path.open

    def count():
        seen[0] += 1
        if seen[0] == step or (lasting and seen[0] > step):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def failing_fsync(descriptor):
        count()

    def failing_open(path, mode="r", *rest, **options):
        if "w" in mode:
            count()
        return path_open(path, mode, *rest, **options)

    monkeypatch.setattr(os, "fsync", failing_fsync)
    monkeypatch.setattr(Path, "open", failing_open)
    return seen


NO_SPACE = """
import resource, signal, sys
from pathlib import Path
from index.catalog import Catalog
from index.errors import StorageFull
from test_catalog import write_one
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
catalog = Catalog(Path(sys.argv[1]))
try:
    with catalog.writer():
        catalog.publish(write_one(catalog, "storm" * 10))
except StorageFull as error:
    print(error)
"""


class TestFullDisk:
    @pytest.mark.parametrize("lasting", [False, True])
    def test_at_any_step_of_a_build_the_old_generation_stays(self, three, monkeypatch, lasting):
        for step in range(1, 100):
            with monkeypatch.context() as patch:
                seen = full_disk(patch, step=step, lasting=lasting)
                try:
                    name = build(three)
                except StorageFull as error:
                    message = str(error)
                else:
                    break
            assert "no space left on the device ([Errno 28]" in message
            assert seen[0] >= step
            assert (three.current(), three.names()[-1]) == ("000003", "000003")
            assert three.open_newest_good(verify).problems == ()
            assert no_leftovers(three)
        assert step > 15
        assert (name, three.current()) == ("000004", "000004")

    @pytest.mark.parametrize("lasting", [False, True])
    def test_at_any_step_of_a_first_build_there_is_still_no_index(self, catalog, monkeypatch, lasting):
        for step in range(1, 100):
            with monkeypatch.context() as patch:
                full_disk(patch, step=step, lasting=lasting)
                try:
                    build(catalog)
                except StorageFull:
                    pass
                else:
                    break
            with pytest.raises(NoGeneration):
                catalog.open_newest_good(verify)
        assert catalog.open_newest_good(verify).problems == ()

    @pytest.mark.parametrize("lasting", [False, True])
    def test_a_rollback_that_fails_leaves_current_as_it_was(self, three, monkeypatch, lasting):
        for step in (1, 2, 3):
            with monkeypatch.context() as patch:
                full_disk(patch, step=step, lasting=lasting)
                with pytest.raises(StorageFull):
                    three.rollback("000001")
            assert (three.current(), no_leftovers(three)) == ("000003", True)

    def test_a_failed_publication_can_be_tried_again(self, three, monkeypatch):
        with three.writer():
            staged = write_one(three)
            with monkeypatch.context() as patch:
                full_disk(patch, step=7, lasting=False)  # after five files and folders: that of the renamed one
                with pytest.raises(StorageFull):
                    three.publish(staged)
            assert (staged.is_dir(), three.current()) == (True, "000003")
            assert three.publish(staged) == "000004"

    @pytest.mark.parametrize("limit_bytes", [0, 60, 200])
    def test_a_file_size_limit_of_the_system_is_told_alike(self, three, limit_bytes):
        """Real failing writes: of the articles, of the scores, of the manifest."""
        with python(NO_SPACE, three.root, limit_bytes) as process:
            assert process.stdout.read().startswith("no space left on the device ([Errno 27] File too large")
        assert three.open_newest_good(verify).name == "000003"
        assert no_leftovers(three)

    def test_other_errors_of_the_system_keep_their_name(self, three, monkeypatch):
        def fail(descriptor):
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fail)
            with pytest.raises(OSError, match="Input/output error"):
                build(three)
        assert three.open_newest_good(verify).name == "000003"


def test_a_manifest_cannot_be_mistaken_for_one_of_a_copy(three):
    """A folder copied over under another number is refused: its manifest says which one it is."""
    three.folder("000002").rename(three.root / "000009")
    (three.root / CURRENT_FILE).write_text("000009\n")
    opened = three.open_newest_good(verify)
    assert isinstance(opened.value, Manifest)
    assert (opened.name, opened.problems[0].file) == ("000003", MANIFEST_FILE)
