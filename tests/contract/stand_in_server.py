"""A server process in which words stand for meaning: for tests of the API, not of what it finds.

`python stand_in_server.py DATA` fills an empty data folder, serves it on a free port, and prints the address and a key.
"""

import sys
from pathlib import Path

from stand_in import StandIn

from ingest.intake import prepare
from ingest.readers import RawArticle
from service import assembly
from service.api.server import serve
from service.builds import InThread
from service.keys import KEYS_FILE, KeyStore
from service.settings import Settings

ARTICLES = (
    "The Alder Bridge in Norwick opened to traffic on Monday. Mayor Ines Roth said it cost 40 million euros.",
    "The public library of Tamsel closes for repairs until September, its director Paul Weir told the council.",
)


def main(data):
    assembly.load_embedder = lambda *_: StandIn()
    assembly.LazyEmbedder = lambda *_: StandIn()
    # Nothing listens there: an LLM that is down is part of the API, too.
    llm = {"llm_base_url": "http://127.0.0.1:9/v1", "llm_model": "none"}
    settings = Settings(data=data, port=0, requests_per_minute=0, concurrent_requests=0, answer_reader=False, **llm)
    library = assembly.open_library(data)
    library.put_all([prepare(RawArticle(text, external_id=text[:9])) for text in ARTICLES])
    library.close()
    build = assembly.index_builder(settings)
    build(False, on_plan=lambda _: None, on_progress=lambda _: None, cancelled=lambda: False)
    keys = KeyStore(data / KEYS_FILE)
    token = keys.create("tests", ["read", "write", "admin"]).token
    keys.close()
    serve(
        settings,
        lambda: assembly.assemble(settings, launch=InThread(build)),
        on_ready=lambda place: sys.stdout.write(f"{place} {token}\n") and sys.stdout.flush(),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
