"""Traces to a collector: a span a request, its stages within, ids and numbers, nobody's words; nothing unless set."""

import builtins
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from service.api.app import build_app
from service.errors import WrongUse
from service.settings import Settings, SettingsError, load_settings

COST = "How much did the Alder Bridge cost?"
CANARY = "xylograph"


@pytest.fixture
def collector():
    """An OpenTelemetry collector: its address, and the spans that it was sent."""
    spans, paths = [], []

    class Collecting(BaseHTTPRequestHandler):
        def do_POST(self):
            paths.append(self.path)
            sent = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["Content-Length"])))
            for of_resource in sent.resource_spans:
                for of_scope in of_resource.scope_spans:
                    spans.extend((of_resource.resource, span) for span in of_scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Collecting)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", spans, paths
    server.shutdown()
    thread.join()
    server.server_close()


def attributes(span):
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}


@pytest.mark.model
def test_a_request_is_a_span_with_its_stages_in_it(parts, assembled, collector):
    address, sent, paths = collector
    service = assembled(parts.settings.data, otel_endpoint=address, allowed_hosts=[f"{CANARY}.example"])
    with TestClient(build_app(service), base_url="http://127.0.0.1") as client:
        headers = {"X-Request-ID": "req-9", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01", "Host": f"{CANARY}.example"}
        assert client.post("/v1/chat", json={"message": COST, "history": []}, headers=headers).status_code == 200
        client.get("/v1/articles", params={"query": CANARY})
        client.get(f"/{CANARY}?{CANARY}={CANARY}")
    assert set(paths) == {"/v1/traces"}
    spans = [span for _, span in sent]
    (chat,) = [span for span in spans if span.name == "POST /v1/chat"]
    assert chat.trace_id.hex() == "a" * 32
    assert chat.parent_span_id.hex() == "b" * 16
    told = attributes(chat)
    assert told["byline.request_id"] == "req-9"
    assert (told["http.route"], told["http.request.method"], told["http.response.status_code"]) == (
        "/v1/chat", "POST", 200,
    )  # fmt: skip
    stages = {span.name: span for span in spans if span.parent_span_id == chat.span_id}
    assert {"byline.rewrite", "byline.embed", "byline.dense", "byline.lexical", "byline.answer"} <= stages.keys()
    assert attributes(stages["byline.answer"]) == {
        "byline.generation": "000001", "byline.answer.status": "answered",
        "byline.answer.answerer": "extractive", "byline.answer.degraded": False,
    }  # fmt: skip
    for stage in stages.values():
        assert stage.trace_id == chat.trace_id
        assert chat.start_time_unix_nano <= stage.start_time_unix_nano
        assert stage.end_time_unix_nano <= chat.end_time_unix_nano + 50_000_000
    assert {span.name for span in spans if not span.parent_span_id} == {"GET /v1/articles", "GET"}
    (resource, _) = sent[0]
    assert {pair.key: pair.value.string_value for pair in resource.attributes}["service.name"] == "byline"
    for _, span in sent:
        assert CANARY not in str(span)
        assert "Alder" not in str(span)


@pytest.mark.model
def test_a_collector_that_is_not_there_keeps_nobody(parts, assembled, free_address):
    service = assembled(parts.settings.data, otel_endpoint=free_address)
    with TestClient(build_app(service), base_url="http://127.0.0.1") as client:
        for _ in range(3):
            assert client.post("/v1/chat", json={"message": COST, "history": []}).status_code == 200
        ending = time.monotonic()
    assert time.monotonic() - ending < 10


@pytest.fixture
def free_address():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def test_without_its_packages_a_server_with_an_endpoint_says_what_to_install(monkeypatch, tmp_path):
    real = builtins.__import__

    def without(name, *rest):
        if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    monkeypatch.delitem(sys.modules, "service.tracing", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    from service.api.opening import Opening

    with pytest.raises(WrongUse, match=r"pip install byline\[otel\]"):
        build_app(Opening(Settings(data=tmp_path, otel_endpoint="http://127.0.0.1:4318"), lambda: None))


def test_nothing_that_sends_traces_is_loaded_without_an_endpoint(tmp_path):
    script = (
        "import sys\nfrom pathlib import Path\nfrom service.api.app import build_app\n"
        "from service.api.opening import Opening\nfrom service.settings import Settings\n"
        "build_app(Opening(Settings(data=Path(sys.argv[1])), lambda: None))\n"
        "odd = ('opentelemetry.sdk', 'opentelemetry.exporter', 'opentelemetry.proto', 'requests', 'service.tracing')\n"
        "print([name for name in sys.modules if name.startswith(odd)])\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize("address", ["localhost:4318", "http://", "http://key@collector", "http://collector?key=x"])
def test_an_endpoint_is_an_address_without_a_key(address):
    with pytest.raises(SettingsError, match="otel_endpoint"):
        load_settings(otel_endpoint=address)
