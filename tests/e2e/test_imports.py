"""What a process imports: only what it needs, as imports are most of a start. Modules are counted, not seconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from processes import ROOT, environment_of, serving
from stand_in import StandIn

from index.builder import Builder
from index.runtimes import Engine, missing
from ingest.intake import prepare
from ingest.readers import RawArticle
from service.assembly import chunking_settings, open_catalog, open_library
from service.settings import Settings

OPENVINO = Engine("openvino", "fp32")

OF_COMMANDS = {"faiss", "fastapi", "numpy", "pydantic", "sqlalchemy", "starlette", "structlog", "uvicorn"}
"""What the work of commands needs, and help does not."""

OF_FEW = {"charset_normalizer", "htmldate", "httpx", "httpx2", "ir_measures", "jinja2", "lxml", "markdown_it"}
OF_FEW |= {"matplotlib", "mcp", "openai", "tiktoken", "trafilatura", "eval"}
"""What some kinds of files, an LLM, an assistant or the evaluation need."""

OF_MODELS = {"scipy", "sentence_transformers", "sklearn", "torch", "transformers"}
"""What no search and no answer needs, beside the model's own runtime."""

SCRIPT = """
import json, sys
from pathlib import Path

out = sys.argv.pop(1)
try:
    {}
finally:
    Path(out).write_text(json.dumps(sorted({{name.partition(".")[0] for name in sys.modules}})))
"""
COMMAND_LINE = "from service.cli import main; main()"
WITHOUT_MODEL = f"""
    sys.path.insert(0, {str(Path(__file__).parents[1])!r})
    import os
    os.environ["BYLINE_ANSWER_READER"] = "false"
    import index.embedding
    from stand_in import StandIn
    index.embedding.load_embedder = lambda *_, **__: StandIn()
    {COMMAND_LINE}
"""


def program(what, out):
    """Python's arguments for doing something and then writing down what is imported."""
    return ("-c", SCRIPT.format(what), str(out))


def imported(what, *arguments, data):
    """Do something in a process of its own; gives the packages that it has imported in the end."""
    out = data / "imported.json"
    subprocess.run(
        [sys.executable, *program(what, out), *arguments],
        cwd=ROOT,
        env=environment_of(data),
        capture_output=True,
        timeout=120,
        check=True,
    )
    return set(json.loads(out.read_text()))


def imported_by_a_server(what, data, question):
    """Have a server answer a question; gives the packages that it has imported in the end."""
    out = data / "imported.json"
    with serving(data, program=program(what, out)) as client:
        assert client.get("/readyz").status_code == 200
        assert client.post("/v1/search", json={"query": question}).json()["hits"]
        assert client.post("/v1/chat", json={"message": question}).status_code == 200
        assert client.get("/v1/articles").json()["data"]
    return set(json.loads(out.read_text()))


@pytest.fixture(scope="module")
def served_data(tmp_path_factory):
    """A data folder with an index that the stand-in embedded."""
    settings = Settings(data=tmp_path_factory.mktemp("stand-in"))
    library = open_library(settings.data)
    text = "The harbour of Pellworm was dredged in April. Ships of nine metres can enter now."
    library.put(prepare(RawArticle(text=text, title="Pellworm", external_id="harbour")))
    Builder(open_catalog(settings.data), StandIn(), chunking_settings(settings)).build(library)
    library.close()
    return settings.data


def test_the_command_line_itself_needs_little(tmp_path):
    found = imported("import service.cli", data=tmp_path)
    assert "service" in found
    assert found & (OF_COMMANDS | OF_FEW | OF_MODELS | {"rich"}) == set()


def test_help_needs_little(tmp_path):
    found = imported(COMMAND_LINE, "--help", data=tmp_path)
    assert {"eval", "rich"} <= found  # the evaluation's commands are listed
    assert found & (OF_COMMANDS | OF_MODELS | (OF_FEW - {"eval", "markdown_it"})) == set()


def test_a_question_on_the_command_line_needs_no_server(served_data):
    found = imported(WITHOUT_MODEL, "ask", "When was the harbour dredged?", data=served_data)
    assert "faiss" in found
    assert found & (OF_FEW | OF_MODELS | {"fastapi", "uvicorn"}) == set()


@pytest.mark.server
def test_a_server_needs_what_it_serves_with(served_data):
    found = imported_by_a_server(WITHOUT_MODEL, served_data, "When was the harbour dredged?")
    assert {"faiss", "fastapi"} <= found
    assert found & (OF_FEW | OF_MODELS) == set()


@pytest.mark.model
@pytest.mark.server
@pytest.mark.skipif(missing(OPENVINO) is not None, reason="needs the runtime openvino")
def test_a_server_with_its_model_needs_little_more(sample_data):
    found = imported_by_a_server(COMMAND_LINE, sample_data, "What does the Merrin Coast order prohibit?")
    assert "openvino" in found
    assert found & (OF_FEW | OF_MODELS) == set()
