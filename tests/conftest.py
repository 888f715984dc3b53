"""What tests share: the real embedding model, loaded once, and a service with a few articles of our own."""

import os
import time
from pathlib import Path

import pytest
from hypothesis import settings

from index.embedding import EmbedderSettings, load_embedder
from index.model_files import SHIPPED_MODEL
from index.reader import load_reader

# How long an example takes is the machine's business; by default a slow one fails its test.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

ARTICLES = [
    {
        "title": "Alder Bridge opens after four years",
        "text": "The Alder Bridge in Norwick opened to traffic on Monday.\n\n"
        "Mayor Ines Roth said the bridge cost 40 million euros.\n\n"
        "Cyclists have a lane of their own on the south side.",
        "source": "Norwick Herald",
        "url": "https://herald.example/alder-bridge",
        "published": "2025-03-04",
    },
    {
        "title": "Library of Tamsel closes for repairs",
        "text": "The public library of Tamsel closes for repairs until September.\n\n"
        "Water came through the roof in January, the director Paul Weir told the council.\n\n"
        "Readers can borrow books from a bus on the market square.",
        "source": "Tamsel Post",
        "external_id": "tp-17",
    },
    {
        "title": "Volcano research station gets a new telescope",
        "text": "The observatory on Mount Kerro received a telescope of 2 metres.\n\n"
        "Astronomer Lena Osei expects the first pictures in May 2025.",
        "source": "Science Weekly",
        "published": "2025-01-20",
    },
]


def pytest_addoption(parser):
    parser.addoption(
        "--thorough", action="store_true", help="Try every place of a fault, not some of them ('make test-faults')."
    )


@pytest.fixture(scope="session")
def thorough(request):
    """Whether fault tests try every place (true) or a sample that fits into `make test`."""
    return request.config.getoption("--thorough")


def pytest_configure(config):
    # Exported once for all tests, their processes and the next run; a test may set another folder.
    os.environ.setdefault("BYLINE_PREPARED_MODELS", str(config.cache.mkdir("prepared-models")))


@pytest.fixture(scope="session")
def prepared_models():
    """Folder of the models as runtimes read them."""
    return Path(os.environ["BYLINE_PREPARED_MODELS"])


@pytest.fixture(scope="session")
def wanted_embedder(prepared_models):
    """How the shipped model is wanted, whatever runs it."""
    return EmbedderSettings(SHIPPED_MODEL, prepared_models)


@pytest.fixture(scope="session")
def embedder(wanted_embedder):
    return load_embedder(wanted_embedder)


@pytest.fixture(scope="session")
def reader(embedder, prepared_models):
    """The shipped reader, in the engine that embeds."""
    return load_reader(embedder.engine, prepared_models)


@pytest.fixture(scope="session")
def assembled(embedder, reader):
    """A function that assembles a service over a data folder, with the model that is loaded already.

    Its builds run in threads: a process of its own would take seconds to load the model again.
    """
    from service import assembly
    from service.builds import InThread
    from service.settings import Settings

    def assemble(data: Path, **settings):
        settings = Settings(data=data, **settings)
        return assembly.assemble(settings, launch=InThread(assembly.index_builder(settings)))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assembly, "load_embedder", lambda *_: embedder)
        patch.setattr(assembly, "load_reader", lambda *_: reader)
        yield assemble


@pytest.fixture(scope="session")
def build_index():
    """A function that builds the index of a service and waits for it."""

    def build(parts):
        job = parts.builds.start(False)
        while not job.finished:
            time.sleep(0.02)
            job = parts.builds.get(job.id)
        assert job.state == "succeeded", job.error
        return job

    return build


@pytest.fixture(scope="session")
def parts(tmp_path_factory, assembled, build_index):
    """A service whose index holds ARTICLES; tests that change articles or index take `empty_parts`."""
    from ingest.intake import prepare
    from ingest.readers import RawArticle

    parts = assembled(tmp_path_factory.mktemp("served"))
    for article in ARTICLES:
        parts.library.put(prepare(RawArticle(**article)))
    build_index(parts)
    yield parts
    parts.close()


@pytest.fixture
def empty_parts(tmp_path, assembled):
    """A service with nothing in it."""
    parts = assembled(tmp_path)
    yield parts
    parts.close()


@pytest.fixture
def llm_server():
    """A scripted LLM server on loopback; see tests/llm_server.py."""
    import llm_server

    server, stop = llm_server.start()
    yield server
    stop()
