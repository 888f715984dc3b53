"""Metrics: what is counted of requests, answers, queues, builds and the process, and who names it."""

import asyncio
import json
import re
import threading
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient
from llm_server import fails, streams
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from service.api.app import build_app
from service.api.errors import Overloaded
from service.api.gauges import watch_loop
from service.api.opening import Opening
from service.api.workers import Workers
from service.metrics import Metrics
from service.settings import Settings

pytestmark = pytest.mark.model

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy"
COST = "How much did the Alder Bridge cost?"
QUOTE = "Mayor Ines Roth said the bridge cost 40 million euros."


def samples(client):
    """All samples of a scrape: name and labels to value."""
    response = client.get("/metrics")
    assert response.status_code == 200
    found = {}
    for family in text_string_to_metric_families(response.text):
        assert family.documentation
        for sample in family.samples:
            found[sample.name, frozenset(sample.labels.items())] = sample.value
    return found


def value(found, name, **labels):
    return found.get((name, frozenset(labels.items())))


@pytest.fixture
def client(parts):
    return TestClient(build_app(parts), base_url="http://127.0.0.1")


def test_requests_are_counted_by_template(client):
    client.post("/v1/search", json={"query": COST})
    client.post("/v1/search", json={"query": ""})
    for number in range(20):
        client.get(f"/v1/articles/art_{number}")
        client.get(f"/nothing/{number}")
    client.request("BREW", "/livez")
    found = samples(client)
    assert value(found, "byline_requests_total", route="/v1/search", method="POST", status="200") == 1
    assert value(found, "byline_requests_total", route="/v1/search", method="POST", status="422") == 1
    assert value(found, "byline_requests_total", route="/v1/articles/{article_id}", method="GET", status="404") == 20
    assert value(found, "byline_requests_total", route="none", method="GET", status="404") == 20
    assert {dict(labels).get("method") for name, labels in found if name == "byline_requests_total"} <= {
        "POST", "GET", "other",
    }  # fmt: skip
    assert value(found, "byline_request_seconds_count", route="/v1/search", method="POST") == 2
    assert value(found, "byline_requests_in_flight") == 1  # the scrape


def test_answers_and_their_stages_are_counted(client):
    client.post("/v1/chat", json={"message": COST})
    client.post("/v1/chat", json={"message": COST, "stream": True})
    client.post("/v1/chat", json={"message": "What is the boiling point of tungsten in kelvin?", "history": []})
    found = samples(client)
    answers = {"answerer": "extractive", "degraded": "false"}
    assert value(found, "byline_answers_total", status="answered", **answers) == 2
    assert value(found, "byline_answers_total", status="abstained", **answers) == 1
    for stage in ("rewrite", "embed", "dense", "lexical", "fuse", "search", "answer"):
        assert value(found, "byline_stage_seconds_count", stage=stage) == 3, stage
    assert value(found, "byline_stage_seconds_count", stage="store") == 2
    assert value(found, "byline_stage_seconds_sum", stage="search") > value(
        found, "byline_stage_seconds_sum", stage="dense"
    )
    assert value(found, "byline_exchanges_total", outcome="stored") == 2
    assert value(found, "byline_streams_open") == 0


def test_the_index_the_library_and_the_last_build_are_told(client, parts):
    found = samples(client)
    generation = parts.live.searcher().generation
    assert value(found, "byline_ready") == 1
    assert value(found, "byline_index_articles") == 3
    assert value(found, "byline_index_chunks") == generation.chunk_count
    info = next(dict(labels) for name, labels in found if name == "byline_index_info")
    assert info == {"generation": generation.name, "model": "all-MiniLM-L6-v2", "engine": str(parts.embedding.engine)}
    assert value(found, "byline_index_pending_articles", change="added") == 0
    assert value(found, "byline_library_articles") == 3
    assert value(found, "byline_library_bytes") > 10_000
    assert value(found, "byline_build_state", state="succeeded") == 1
    assert value(found, "byline_build_state", state="running") == 0
    assert value(found, "byline_build_last_success_articles") == 3
    assert value(found, "byline_build_last_success_chunks_embedded") == generation.chunk_count
    assert value(found, "process_resident_memory_bytes") > 10_000_000
    assert value(found, "byline_embedding_batch_texts_count") >= 1


def test_metrics_are_plain_text_that_is_not_kept(client):
    response = client.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.headers["cache-control"] == "no-store"
    assert "_created" not in response.text
    head = client.head("/metrics")
    assert (head.status_code, head.text) == (200, "")
    described = client.get("/openapi.json").json()["paths"]["/metrics"]["get"]["responses"]["200"]["content"]
    assert list(described) == ["text/plain"]


def test_a_server_that_is_opening_has_metrics(tmp_path):
    client = TestClient(build_app(Opening(Settings(data=tmp_path), lambda: None)), base_url="http://127.0.0.1")
    found = samples(client)
    assert value(found, "byline_ready") == 0
    assert value(found, "byline_library_articles") is None


def test_a_server_without_an_index_is_not_ready_and_says_what_a_build_would_add(empty_parts):
    client = TestClient(build_app(empty_parts), base_url="http://127.0.0.1")
    client.post("/v1/articles", json={"text": "The lock of Haldrup is closed until May."})
    found = samples(client)
    assert value(found, "byline_ready") == 0
    assert value(found, "byline_index_pending_articles", change="added") == 1
    assert value(found, "byline_build_state", state="failed") is None


def test_two_applications_count_for_themselves(parts, client):
    other = TestClient(build_app(parts), base_url="http://127.0.0.1")
    client.post("/v1/search", json={"query": COST})
    assert value(samples(other), "byline_requests_total", route="/v1/search", method="POST", status="200") is None


def test_an_llm_is_counted_with_what_became_of_its_sentences(parts, assembled, llm_server):
    service = assembled(parts.settings.data, llm_base_url=llm_server.url, llm_model="tiny", answerer="llm")
    client = TestClient(build_app(service), base_url="http://127.0.0.1")
    llm_server.replies(streams(f"{QUOTE} It was painted purple by eleven whales in Tokyo."), *[fails(401)] * 3)
    for _ in range(4):
        client.post("/v1/chat", json={"message": COST, "history": []})
    found = samples(client)
    service.close()
    assert value(found, "byline_llm_requests_total", outcome="ok") == 1
    assert value(found, "byline_llm_requests_total", outcome="LlmRefused") == 3
    assert value(found, "byline_llm_sentences_total", outcome="kept") == 1
    assert value(found, "byline_llm_sentences_total", outcome="dropped") == 1
    assert value(found, "byline_llm_left_alone") == 1
    assert value(found, "byline_answers_total", status="answered", answerer="llm", degraded="true") == 3
    assert value(found, "byline_stage_seconds_count", stage="llm_first") == 1


def test_workers_say_what_runs_waits_and_was_refused():
    async def overloaded():
        workers = Workers("test", threads=1, waiting=1)
        begun, go_on = threading.Event(), threading.Event()

        def work():
            begun.set()
            go_on.wait(10)

        calls = [asyncio.ensure_future(workers.run(work)) for _ in range(2)]
        await asyncio.to_thread(begun.wait, 10)
        with pytest.raises(Overloaded):
            await workers.run(work)
        during = (workers.running, workers.waiting, workers.refused)
        go_on.set()
        await asyncio.gather(*calls)
        workers.close()
        return during, (workers.running, workers.waiting, workers.refused)

    assert asyncio.run(overloaded()) == ((1, 1, 1), (0, 0, 1))


def test_a_loop_that_is_kept_busy_is_seen():
    async def busy(metrics):
        watching = asyncio.ensure_future(watch_loop(metrics))
        await asyncio.sleep(0.05)
        threading.Event().wait(0.5)  # what nobody should do
        await asyncio.sleep(0.02)
        watching.cancel()

    metrics = Metrics()
    asyncio.run(busy(metrics))
    assert metrics.registry.get_sample_value("byline_event_loop_lag_seconds_sum") > 0.15
    assert metrics.registry.get_sample_value("byline_event_loop_tasks") >= 2


def _named(expression):
    """The names of metrics in a PromQL expression."""
    return set(re.findall(r"\b(?:byline|process|python)_[a-z_]+\b", expression))


def _expressions():
    dashboard = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel.get("targets", []))
    for variable in dashboard["templating"]["list"]:
        yield variable.get("definition", "")
    rules = yaml.safe_load((DEPLOY / "prometheus-rules.yml").read_text(encoding="utf-8"))
    for group in rules["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def test_all_that_dashboard_and_rules_name_is_exported(parts, assembled, llm_server):
    """By a server that has answered something, with an LLM."""
    service = assembled(parts.settings.data, llm_base_url=llm_server.url, llm_model="tiny", answerer="llm")
    llm_server.replies(streams(QUOTE))
    with TestClient(build_app(service), base_url="http://127.0.0.1") as client:
        client.post("/v1/chat", json={"message": COST})
        exported = {name for name, _ in samples(client)}
        described = {family.name for family in text_string_to_metric_families(client.get("/metrics").text)}
    named = set().union(*map(_named, _expressions()))
    assert len(named) > 30
    assert named - exported == set()
    # And what is exported is in the manual.
    manual = (DEPLOY.parent / "monitoring.md").read_text(encoding="utf-8")
    assert {name for name in described if name.startswith("byline") and name not in manual} == set()


def test_the_dashboard_can_be_imported_as_it_is():
    dashboard = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= dashboard.keys()
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    taken = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            assert target["expr"].count("(") == target["expr"].count(")")
            assert target["datasource"]["uid"] == "${datasource}"
    scrapes = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
    assert scrapes["rule_files"] == ["prometheus-rules.yml"]
    assert scrapes["scrape_configs"][0]["metrics_path"] == "/metrics"


@pytest.mark.parametrize("stream", [False, True])
def test_answers_by_openais_api_are_counted_and_logged_alike(client, stream):
    body = {"model": "byline", "messages": [{"role": "user", "content": COST}], "stream": stream}
    with capture_logs() as logged:
        assert client.post("/v1/chat/completions", json=body).status_code == 200
    assert (
        value(samples(client), "byline_answers_total", status="answered", answerer="extractive", degraded="false") == 1
    )
    (line,) = logged
    assert (line["answer"], line["generation"]) == ("answered", "000001")
    assert "question" not in line
