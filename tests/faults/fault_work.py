"""What the processes do that fault tests kill: the product's own adding, building, pruning and going back.

Run as a program it is a fork server: it imports everything once, and makes a process for each line of its standard
input, so that one costs milliseconds. The embedder needs no model: what survives a crash does not depend on what the
vectors mean.
"""

import json
import os
import select
from pathlib import Path

import numpy as np

from index import builder, merging
from index.catalog import Catalog
from index.runtimes import REFERENCE
from ingest import failpoints
from ingest.article import Article
from ingest.intake import prepare
from ingest.library import ArticleLibrary
from ingest.readers import RawArticle
from service import assembly, index_commands
from service.settings import Settings

__all__ = ["merging"]  # loaded here, not in every process


class Numbers:
    """An embedder whose vectors follow from the text alone."""

    name, model_sha256, dimension, max_tokens = "numbers", "0f" * 32, 16, 254
    engine = REFERENCE

    def encode(self, texts, *, on_batch=lambda _: None):
        seeds = [int.from_bytes(text.encode()[-6:], "big") for text in texts]
        vectors = np.array([np.random.default_rng(seed).normal(size=16) for seed in seeds], dtype=np.float32)
        on_batch(sum(map(len, texts)))
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def count_tokens(self, texts):
        return [len(text.split()) for text in texts]


def article(number: int, version: int) -> Article:
    text = f"The mill of Oderau ground {version} tons of rye. Nobody sold word{number}x then. It was told in {version}."
    return prepare(RawArticle(text=text, title=f"Mill {number}", external_id=str(number)))


def settings(data: Path) -> Settings:
    return Settings(data=data, keep_generations=2)


def work(data: str, operation: str, arguments: list, failpoint: str | None, acknowledged: str) -> None:
    """Do one thing to a data folder; what was acknowledged is written down, as a client would note it."""
    if failpoint:
        os.environ[failpoints.VARIABLE] = failpoint
    note = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    folder = Path(data)
    if operation == "add":
        library = ArticleLibrary.open(folder / assembly.LIBRARY_FILE)
        for number, version in arguments:
            library.put(article(number, version))
            os.write(note, f"put {number} {version}\n".encode())
    elif operation == "remove":
        library = ArticleLibrary.open(folder / assembly.LIBRARY_FILE)
        for number in arguments:
            library.remove(article(number, 0).id)
            os.write(note, f"removed {number}\n".encode())
    elif operation == "build":
        report = index_commands.build_index(settings(folder), full="full" in arguments)
        os.write(note, f"built {report.generation}\n".encode())
    elif operation == "rollback":
        catalog = Catalog(folder / "index")
        catalog.rollback(catalog.names()[0])
        os.write(note, b"rolled back\n")
    elif operation == "prune":
        Catalog(folder / "index").prune(1)
        os.write(note, b"pruned\n")


def serve() -> None:
    """Fork a process for every line of JSON that comes in; say its number, and its exit code when it has ended."""
    # Here, and not where a test that imports this module would have it, too.
    builder.PART_ARTICLES = 3
    assembly.LazyEmbedder = lambda *_: Numbers()
    assembly.check_model = lambda _name: Numbers
    running: set[int] = set()
    answers = os.fdopen(os.dup(1), "w")  # not sys.stdout, which the product logs to

    def say(**what: int) -> None:
        answers.write(json.dumps(what) + "\n")
        answers.flush()

    commands = os.fdopen(0, "rb", buffering=0)
    while True:
        if select.select([commands], [], [], 0.002)[0]:
            line = commands.readline()
            if not line:
                return
            child = os.fork()
            if child == 0:
                os.dup2(os.open(os.devnull, os.O_RDWR), 0)
                os.dup2(0, 1)
                os.dup2(0, 2)
                code = 1
                try:
                    work(*json.loads(line))
                    code = 0
                finally:
                    os._exit(code)
            running.add(child)
            say(started=child)
        for child in sorted(running):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                running.discard(child)
                say(ended=child, code=os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    serve()
