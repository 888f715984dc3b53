"""A data folder that processes work on and die over, and what must hold of it whatever happened."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import fault_work
import pytest

from index.catalog import Catalog
from index.errors import NoGeneration
from index.generation import Generation
from ingest.library import ArticleLibrary
from service.assembly import LIBRARY_FILE, open_records


@pytest.fixture(autouse=True, scope="module")
def unread():
    """What processes survive has nothing to do with how well they answer: they start sooner without the reader."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BYLINE_ANSWER_READER", "false")
        yield


class Folder:
    """A data folder with what its clients know: which version of which article was acknowledged."""

    def __init__(self, path, processes):
        self.data = path / "data"
        self._notes = path / "acknowledged.txt"
        self._processes = processes
        self.catalog = Catalog(self.data / "index")
        self.sent = {}  # every version that was ever sent, by article

    def start(self, operation, *arguments, failpoint=None):
        for number, version in arguments if operation == "add" else ():
            self.sent.setdefault(number, set()).add(version)
        return self._processes.start(str(self.data), operation, arguments, failpoint, str(self._notes))

    def run(self, operation, *arguments, failpoint=None, exit_code=0):
        process = self.start(operation, *arguments, failpoint=failpoint)
        process.join()
        assert process.exitcode == exit_code, (operation, failpoint)

    def notes(self):
        """What was acknowledged, line by line."""
        return self._notes.read_text().splitlines() if self._notes.exists() else []

    def acknowledged(self):
        """The version of every article that was acknowledged last; None where its removal was."""
        known = {}
        for line in self.notes():
            what, *numbers = line.split()
            if what == "put":
                known[int(numbers[0])] = int(numbers[1])
            elif what == "removed":
                known[int(numbers[0])] = None
        return known

    def library(self):
        """The articles of the library by id, every one of them read and checked."""
        library = ArticleLibrary.open(self.data / LIBRARY_FILE)
        try:
            return {one.id: one for one in library.read(sorted(library.digests()))}
        finally:
            library.close()

    def generation(self):
        """The generation that would be served, None before the first; it must be good, and the one that CURRENT names."""
        try:
            opened = self.catalog.open_newest_good(Generation.open)
        except NoGeneration:
            return None
        if self.catalog.current() is not None:  # a crash in the first build may leave a generation that nothing names
            assert opened.problems == ()
        return opened.value

    def check(self, adding=(), removing=()):
        """What must hold after any crash, of articles that it may have met on their way in or out, too."""
        held = self.library()
        for number, version in self.acknowledged().items():
            expected = fault_work.article(number, version or 0)
            if number in adding or number in removing:
                assert expected.id in held or number in removing or version is None
                assert expected.id not in held or held[expected.id].text in self.texts(number)
                self.settle(number, held.get(expected.id))
            elif version is None:
                assert expected.id not in held
            else:
                assert held[expected.id] == expected
        generation = self.generation()
        known = {one.id: number for number in self.sent for one in [fault_work.article(number, 0)]}
        for one in generation.articles if generation else ():
            assert one.text in self.texts(known[one.id])
        return generation

    def settle(self, number, found):
        """Take what became of a thing that nobody was told the end of for its end: it must stay so."""
        versions = [one for one in self.sent[number] if found and fault_work.article(number, one) == found]
        assert versions or found is None
        with self._notes.open("a") as notes:
            notes.write(f"put {number} {versions[0]}\n" if versions else f"removed {number}\n")

    def texts(self, number):
        return {fault_work.article(number, version).text for version in self.sent.get(number, ())}

    def check_rebuilt(self):
        """A build that is left alone: the index is the library then, and nothing else is left."""
        self.run("build")
        generation = self.check()
        assert {one.id: one for one in generation.articles} == self.library()
        left = {path.name for path in self.catalog.root.iterdir()} - set(self.catalog.names())
        assert left == {"CURRENT", "writer.lock"}
        assert not list(self.data.rglob("*.tmp"))
        assert open_records(self.data).active() is None
        return generation


class Process:
    """A process of the fork server."""

    def __init__(self, server, pid):
        self._server = server
        self.pid = pid
        self.exitcode = None

    def join(self, seconds=60.0):
        """Wait for its end; tells whether it has come."""
        if self.exitcode is None:
            self.exitcode = self._server.exit_code(self.pid, seconds)
        return self.exitcode is not None

    def kill(self):
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class ForkServer:
    """Makes processes that do what fault_work.work does."""

    def __init__(self):
        root = str(Path(__file__).parents[2])
        places = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        self._program = subprocess.Popen(
            [sys.executable, str(Path(fault_work.__file__))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": places},
        )
        self._ended = {}
        self._pending = b""

    def start(self, *arguments):
        self._program.stdin.write(json.dumps(arguments).encode() + b"\n")
        self._program.stdin.flush()
        while True:
            said = self._next(60)
            if "started" in said:
                return Process(self, said["started"])

    def exit_code(self, pid, seconds):
        deadline = time.monotonic() + seconds
        while pid not in self._ended:
            if self._next(deadline - time.monotonic()) is None:
                return None
        return self._ended.pop(pid)

    def _next(self, seconds):
        while b"\n" not in self._pending:
            if not select.select([self._program.stdout], [], [], max(seconds, 0))[0]:
                return None
            read = os.read(self._program.stdout.fileno(), 4096)
            assert read, "the fork server died"
            self._pending += read
        line, _, self._pending = self._pending.partition(b"\n")
        said = json.loads(line)
        if "ended" in said:
            self._ended[said["ended"]] = said["code"]
        return said

    def close(self):
        self._program.stdin.close()
        self._program.wait(10)
        self._program.stdout.close()


@pytest.fixture(scope="session")
def processes():
    server = ForkServer()
    yield server
    server.close()


@pytest.fixture(scope="session")
def make_folder(processes):
    """A function that makes a data folder in a place."""

    def make(path):
        (path / "data").mkdir()
        return Folder(path, processes)

    return make


@pytest.fixture
def folder(tmp_path, make_folder):
    return make_folder(tmp_path)
