"""OpenAI's API over our answers: its shapes, its errors, and what of its requests is read, ignored or refused."""

import asyncio
import json
import threading
from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import httpx
import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from ingest.article import ArticleId, ChunkId
from service.answering.answer import Answer, AnswerSentence, Citation
from service.answering.reply import Reply, Timings
from service.api.app import build_app
from service.api.article_urls import base_url_of
from service.api.openai_replies import Cited, completion_of
from service.api.state import QUESTION_THREADS
from service.assistant import Found
from service.conversations import ConversationsUnavailable
from service.keys import KEYS_FILE, KeyStore
from service.settings import Settings, SettingsError, load_settings

COST = "How much did the Alder Bridge cost?"
QUOTE = "Mayor Ines Roth said the bridge cost 40 million euros."
MARK = "xyzzyplugh"
PATH = "/v1/chat/completions"


def opened(parts):
    return TestClient(build_app(parts), base_url="http://localhost")


@pytest.fixture(scope="module")
def client(parts):
    return opened(parts)


def user(content):
    return [{"role": "user", "content": content}]


def post(client, question=COST, **fields):
    return client.post(PATH, json={"model": "byline", "messages": user(question)} | fields)


def ask(client, question=COST, **fields):
    response = post(client, question, **fields)
    assert response.status_code == 200, response.text
    return response.json()


def content_of(completion):
    return completion["choices"][0]["message"]["content"]


def refused(response, status, *, param, code):
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    assert MARK not in response.text
    assert set(response.json()) == {"error"}
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["param"], error["code"]) == (param, code)
    assert error["message"]
    return error


def chunks_of(response):
    """The chunks of a stream that ends well."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    *lines, done, rest = response.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def test_the_models_are_who_may_answer(client, parts):
    listed = client.get("/v1/models").json()
    assert (listed["object"], [model["id"] for model in listed["data"]]) == ("list", ["byline", "byline-extractive"])
    for model in listed["data"]:
        Model.model_validate(model, strict=True)
        assert client.get(f"/v1/models/{model['id']}").json() == model
    with_llm = replace(
        parts, settings=Settings(data=parts.settings.data, llm_base_url="http://127.0.0.1:9/v1", llm_model="x")
    )
    listed = opened(with_llm).get("/v1/models").json()
    assert [model["id"] for model in listed["data"]] == ["byline", "byline-extractive", "byline-llm"]


def test_a_completion_is_one_of_openais_with_the_citations_in_three_places(client):
    completion = ask(client)
    ChatCompletion.model_validate(completion, strict=True)
    native = client.post("/v1/chat", json={"message": COST, "history": []}).json()
    assert set(completion) == {
        "id", "object", "created", "model", "system_fingerprint", "choices", "usage", "citations", "search_results",
    }  # fmt: skip
    assert completion["id"].startswith("chatcmpl-")
    assert completion["model"] == "byline"
    [choice] = completion["choices"]
    assert (choice["index"], choice["finish_reason"], choice["logprobs"]) == (0, "stop", None)
    content = choice["message"]["content"]
    assert content == native["answer"]
    assert completion["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    results = completion["search_results"]
    assert [result["snippet"] for result in results] == [citation["quote"] for citation in native["citations"]]
    assert QUOTE in [result["snippet"] for result in results]
    assert results[0]["date"] == "2025-03-04"
    assert completion["citations"] == [result["url"] for result in results]
    annotations = choice["message"]["annotations"]
    assert annotations
    for annotation in annotations:
        assert annotation["type"] == "url_citation"
        cited = annotation["url_citation"]
        mark = content[cited["start_index"] : cited["end_index"]]
        number = int(mark.strip("[]"))
        assert mark == f"[{number}]"
        assert cited["url"] == completion["citations"][number - 1]
        assert cited["title"] == results[number - 1]["title"]


def test_an_abstention_is_its_sentence_and_cites_nothing(client):
    completion = ask(client, "What is the boiling point of tungsten in kelvin?")
    assert content_of(completion).startswith("I found no")
    assert completion["choices"][0]["message"]["annotations"] == []
    assert completion["citations"] == completion["search_results"] == []
    last = chunks_of(post(client, "What is the boiling point of tungsten in kelvin?", stream=True))
    assert [chunk["choices"][0]["delta"] for chunk in last] == [
        {"role": "assistant", "content": ""},
        {"content": content_of(completion)},
        {},
    ]


def test_nothing_is_stored(client, parts):
    before = client.get("/v1/conversations").json()

    class Refusing:
        def add_exchange(self, *_args, **_):
            raise ConversationsUnavailable("nothing must come here")

    ask(opened(replace(parts, conversations=Refusing())))
    chunks_of(post(client, stream=True))
    assert client.get("/v1/conversations").json() == before


def test_the_chunks_come_in_openais_order_and_say_what_the_whole_says(client):
    question = "How much did the Alder Bridge cost, and when did it open?"
    whole = ask(client, question)
    chunks = chunks_of(post(client, question, stream=True, stream_options={"include_usage": True}))
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk, strict=True)
    for name in ("id", "created", "model", "object", "system_fingerprint"):
        assert len({chunk[name] for chunk in chunks}) == 1
    assert chunks[0]["object"] == "chat.completion.chunk"
    *told, usage = chunks
    deltas = [chunk["choices"][0]["delta"] for chunk in told]
    assert deltas[0] == {"role": "assistant", "content": ""}
    texts = [delta["content"] for delta in deltas[1:-2]]
    assert len(texts) > 1
    assert all(text.endswith("]") for text in texts)
    assert "".join(texts) == content_of(whole)
    assert deltas[-2] == {"annotations": whole["choices"][0]["message"]["annotations"]}
    assert deltas[-1] == {}
    assert [chunk["choices"][0]["finish_reason"] for chunk in told] == [None] * (len(told) - 1) + ["stop"]
    assert [(told[-1][name]) for name in ("citations", "search_results")] == [
        whole["citations"],
        whole["search_results"],
    ]
    assert [chunk["usage"] for chunk in told] == [None] * len(told)
    assert (usage["choices"], usage["usage"]) == ([], whole["usage"])
    assert not any("usage" in chunk for chunk in chunks_of(post(client, question, stream=True)))


def test_open_webui_gets_quotes_as_events_where_it_is_asked_for(client, parts):
    wanted = {"byline": {"source_events": True}}
    whole = ask(client, **wanted)
    by_request = chunks_of(post(client, stream=True, **wanted))
    served = replace(parts, settings=parts.settings.model_copy(update={"openai_source_events": True}))
    by_setting = chunks_of(post(opened(served), stream=True))
    for chunks in (by_request, by_setting):
        events = [chunk["event"] for chunk in chunks if "event" in chunk]
        assert [event["data"]["document"] for event in events] == [[one["snippet"]] for one in whole["search_results"]]
        assert all(event["type"] == "source" for event in events)
        assert all(chunk["choices"][0]["delta"] == {} for chunk in chunks if "event" in chunk)
        assert not any("annotations" in chunk["choices"][0]["delta"] for chunk in chunks)
    told_otherwise = chunks_of(post(opened(served), stream=True, byline={"source_events": False}))
    assert not any("event" in chunk for chunk in told_otherwise)


def reply_of(*citations):
    text, sentences = "", []
    for citation in citations:
        start = len(text)
        sentences.append(
            AnswerSentence(citation.quote, start, start + len(citation.quote), (citation.number,), "verbatim", 0.9)
        )
        text += f"{citation.quote} [{citation.number}] "
    return Reply(
        Answer("answered", text.strip(), tuple(sentences), citations),
        "?",
        "000001",
        "extractive",
        False,
        Timings(0, 0, 0),
    )


def citation(number, quote, **fields):
    values = {
        "title": "Title",
        "source": "Herald",
        "url": None,
        "published_at": None,
        "date_source": "unknown",
        "start": 3,
        "end": 9,
        "score": 0.5,
    }
    return Citation(number=number, quote=quote, article_id=ArticleId("art_1"), chunk_id=ChunkId("c"), **values | fields)


def test_an_article_without_an_address_has_one_here():
    completion = completion_of(reply_of(citation(1, "So. é")), model="byline", base_url="https://h.example/b")
    assert completion.citations == ["https://h.example/b/articles/art_1#c=3-9"]
    assert completion.search_results[0].date is None


def test_events_tell_quotes_of_one_article_apart():
    """Open WebUI counts different names and addresses: [3] must be the third."""
    quotes = [
        citation(1, "One.", url="https://h.example/1", published_at=date(2025, 10, 6)),
        citation(2, "Two.", url="https://h.example/1"),
        citation(3, "Three.", url="https://h.example/1#part"),
        citation(4, "Four.", url="https://h.example/1#part"),
        citation(5, "Five.", title="Other", url="https://h.example/2"),
    ]
    events = list(Cited(reply_of(*quotes), "").source_events())
    places = [event["data"]["metadata"][0]["source"] for event in events]
    assert places == [
        "https://h.example/1",
        "https://h.example/1#2",
        "https://h.example/1#part",
        "https://h.example/1#part-4",
        "https://h.example/2",
    ]
    assert [event["data"]["source"]["name"] for event in events] == [
        "Title",
        "Title (2)",
        "Title (3)",
        "Title (4)",
        "Other",
    ]
    assert [event["data"]["metadata"][0].get("date") for event in events] == ["2025-10-06", None, None, None, None]


LIBRARY = "Who directs the library of Tamsel?"


@pytest.mark.parametrize(
    ("host", "settings", "base"),
    [
        ("localhost:8000", {}, "http://localhost:8000"),
        ("[::1]:8000", {}, "http://[::1]:8000"),
        ("127.0.0.1", {"public_url": "https://news.example/b/"}, "https://news.example/b"),
    ],
)
def test_the_page_of_an_article_is_where_this_server_is_reached(parts, host, settings, base):
    served = replace(parts, settings=parts.settings.model_copy(update=settings))
    client = TestClient(build_app(served), headers={"host": host})
    completion = client.post(PATH, json={"model": "byline", "messages": user(LIBRARY)}).json()
    assert completion["citations"]
    for url, found in zip(completion["citations"], completion["search_results"], strict=True):
        article, place = url.removeprefix(f"{base}/articles/").split("#c=")
        start, end = map(int, place.split("-"))
        text = client.get(f"/v1/articles/{article}").json()["text"]
        assert text[start:end] == found["snippet"]


@pytest.mark.parametrize("host", ["evil.example/#", 'x"><script>', "user@evil.example", "a b", "", "x" * 300, "a:b"])
def test_a_header_that_names_no_host_names_nothing(host):
    """Where there are keys, the name by which a server is called is not checked."""
    scope = {"type": "http", "scheme": "http", "server": ("::1", 8000), "headers": [(b"host", host.encode())]}
    assert base_url_of(Request(scope), None) == "http://[::1]:8000"


@pytest.mark.parametrize(
    "url", ["ftp://x", "news.example", "https://", "https://a:b@x", "https://x?q", "https://x#f", "https://x y"]
)
def test_a_public_url_that_is_none_is_refused(url):
    with pytest.raises(SettingsError, match="public_url"):
        load_settings(public_url=url)


def test_earlier_turns_are_the_history_and_other_roles_are_ignored(client):
    talk = [
        {"role": "system", "content": "You are a pirate. Never cite."},
        {"role": "user", "content": [{"type": "text", "text": LIBRARY}], "name": "ada"},
        {"role": "assistant", "content": "Paul Weir. [1]", "refusal": None, "annotations": [], "tool_calls": None},
        {"role": "tool", "content": "3", "tool_call_id": "x"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "x"}]},
        {
            "role": "user",
            "content": [{"type": "text", "text": "And when does"}, {"type": "text", "text": "it open again?"}],
        },
        {"role": "assistant", "content": "It"},
    ]
    history = [{"role": "user", "content": LIBRARY}, {"role": "assistant", "content": "Paul Weir. [1]"}]
    native = client.post("/v1/chat", json={"message": "And when does\nit open again?", "history": history}).json()
    assert "Tamsel" in native["question"]
    assert content_of(ask(client, messages=talk)) == native["answer"]


class Noting:
    """An assistant that notes what it is asked."""

    def __init__(self, assistant):
        self._assistant = assistant
        self.asked = []

    def answerer(self, wanted=None):
        return self._assistant.answerer(wanted)

    def ask(self, message, **arguments):
        self.asked.append({"message": message} | arguments)
        return self._assistant.ask(message, **arguments)


@pytest.fixture
def noting(parts):
    return Noting(parts.assistant)


@pytest.fixture
def noted(parts, noting):
    return opened(replace(parts, assistant=noting))


def test_long_histories_are_cut_and_long_questions_refused(noted, noting):
    talk = [
        message
        for n in range(40)
        for message in ({"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": "x" * 30_000})
    ]
    ask(noted, messages=[*talk, *user(COST)])
    turns = noting.asked[-1]["history"]
    assert [len(turns), turns[0].content, len(turns[1].content)] == [50, "15?", 20_000]
    ask(noted, f"  {'x ' * 2000}  ")
    assert len(noting.asked[-1]["message"]) == 3999
    error = refused(post(noted, "x" * 4001), 400, param="messages", code="context_length_exceeded")
    assert "4001" in error["message"]
    refused(post(noted, messages=user("?") * 1001), 400, param="messages", code="invalid_value")


def test_filters_of_perplexity_and_of_our_own_are_read(noted, noting):
    ask(noted, search_after_date_filter="3/4/2025", search_before_date_filter="2025-12-31")
    filters = noting.asked[-1]["filters"]
    assert (filters.published_from, filters.published_to) == (date(2025, 3, 4), date(2025, 12, 31))
    own = {"as_of": "2025-05-01", "filters": {"sources": ["Norwick Herald"]}, "max_citations": 2}
    ask(noted, byline=own)
    asked = noting.asked[-1]
    assert (asked["as_of"], asked["filters"].sources, asked["max_citations"]) == (
        date(2025, 5, 1),
        ("Norwick Herald",),
        2,
    )
    assert content_of(ask(noted, search_after_date_filter="03/05/2025")) != content_of(ask(noted))


def test_a_model_says_who_answers(noted, noting):
    ask(noted, model="byline-extractive")
    ask(noted, model="byline")
    assert [asked["answerer"] for asked in noting.asked] == ["extractive", "extractive"]


IGNORED = {
    "frequency_penalty": 1, "functions": [{"name": "f"}], "logit_bias": {"50256": -100}, "max_completion_tokens": 5,
    "max_tokens": 1, "metadata": {"a": "b"}, "min_p": 0.1, "moderation": {"model": "m"}, "parallel_tool_calls": True, "prediction": {"type": "content"},
    "presence_penalty": 0.5, "prompt_cache_key": "k", "prompt_cache_options": {"mode": "implicit"}, "prompt_cache_retention": "24h",
    "reasoning_effort": "low", "return_images": False, "return_related_questions": True, "safety_identifier": "s",
    "seed": 7, "service_tier": "auto", "stop": "X", "store": True, "temperature": 0, "tools": [{"type": "function"}],
    "top_k": 3, "top_p": 0.5, "user": "u", "verbosity": "low", "web_search_options": {},
}  # fmt: skip
HARMLESS = {
    "n": 1, "response_format": {"type": "text"}, "modalities": ["text"], "tool_choice": "auto", "function_call": "none",
    "audio": None, "logprobs": False, "top_logprobs": 0, "search_domain_filter": [], "stream": False,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
}  # fmt: skip


def test_what_steers_a_language_model_changes_nothing(client):
    plain = ask(client)
    for fields in (
        IGNORED | HARMLESS,
        dict.fromkeys(IGNORED | HARMLESS),
        {"stop": ["a", "b"]},
        {"tool_choice": "none"},
    ):
        other = ask(client, **fields)
        assert {name: other[name] for name in ("choices", "citations", "usage")} == {
            name: plain[name] for name in ("choices", "citations", "usage")
        }


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"n": 2}, "n", "unsupported_parameter"),
        ({"n": 0}, "n", "invalid_value"),
        ({"tool_choice": "required"}, "tool_choice", "unsupported_parameter"),
        ({"tool_choice": {"type": "function", "function": {"name": MARK}}}, "tool_choice", "unsupported_parameter"),
        ({"function_call": {"name": MARK}}, "function_call", "unsupported_parameter"),
        ({"audio": {"voice": MARK}}, "audio", "unsupported_parameter"),
        ({"modalities": ["text", "audio"]}, "modalities", "unsupported_parameter"),
        ({"logprobs": True}, "logprobs", "unsupported_parameter"),
        ({"top_logprobs": 5}, "top_logprobs", "unsupported_parameter"),
        ({"response_format": {"type": "json_object"}}, "response_format", "unsupported_parameter"),
        ({"response_format": {"type": MARK}}, "response_format.type", "invalid_value"),
        ({"search_domain_filter": [MARK]}, "search_domain_filter", "unsupported_parameter"),
        ({"top_chef": MARK}, "top_chef", "unknown_parameter"),
        ({f"<{MARK}>": 1}, None, "unknown_parameter"),
        ({MARK * 20: 1}, None, "unknown_parameter"),
        ({"temperature": MARK}, "temperature", "invalid_value"),
        ({"seed": 1.5}, "seed", "invalid_value"),
        ({"stop": 5}, "stop", "invalid_value"),
        ({"logprobs": 0}, "logprobs", "invalid_value"),
        ({"stream": "true"}, "stream", "invalid_value"),
        ({"user": MARK * 500}, "user", "invalid_value"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": MARK}, "messages", "invalid_value"),
        ({"messages": [MARK]}, "messages[0]", "invalid_value"),
        ({"messages": [{"role": "system", "content": MARK}]}, "messages", "invalid_value"),
        ({"messages": [{"role": MARK, "content": "?"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user", "content": "?", MARK: 1}]}, "messages[0]", "invalid_value"),
        ({"messages": user(" \n")}, "messages[0].content", "invalid_value"),
        ({"messages": user(None)}, "messages[0].content", "invalid_value"),
        ({"messages": user(5)}, "messages[0].content", "invalid_value"),
        ({"messages": user([{"type": "text", "text": 5}])}, "messages[0].content[0].text", "invalid_value"),
        ({"messages": user([{"type": "image_url", "image_url": {"url": MARK}}])}, "messages[0].content", "unsupported_parameter"),
        ({"model": 5}, "model", "invalid_value"),
        ({"search_after_date_filter": "13/45/2025"}, "search_after_date_filter", "invalid_value"),
        ({"search_after_date_filter": MARK}, "search_after_date_filter", "invalid_value"),
        ({"search_after_date_filter": "1/2/2025", "search_before_date_filter": "1/1/2025"}, "search_before_date_filter", "invalid_value"),
        ({"search_after_date_filter": "1/2/2025", "byline": {"filters": {}}}, "byline.filters", "invalid_value"),
        ({"byline": {"max_citations": 0}}, "byline.max_citations", "invalid_value"),
        ({"byline": {MARK: 0}}, "byline", "invalid_value"),
        ({"byline": {"filters": {"published_from": "2025-02-30"}}}, "byline.filters.published_from", "invalid_value"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_or_read_is_refused_by_its_name(client, fields, param, code):
    error = refused(post(client, **fields), 400, param=param, code=code)
    assert error["type"] == "invalid_request_error"
    assert refused(post(client, **{"stream": True} | fields), 400, param=param, code=code) == error


@pytest.mark.parametrize("model", ["byline-llm", "gpt-4o", MARK])
def test_an_unknown_model_is_not_found(client, model):
    error = refused(post(client, model=model), 404, param="model", code="model_not_found")
    assert "byline, byline-extractive" in error["message"]
    refused(client.get(f"/v1/models/{model}"), 404, param="model", code="model_not_found")
    refused(client.get(f"/v1/models/{model}/{model}"), 404, param="model", code="model_not_found")


def test_a_model_must_be_named(client):
    refused(client.post(PATH, json={"messages": user("?")}), 400, param="model", code="invalid_value")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b'{"model": NaN}', 400, "malformed_body"),
        (b'{"model": "\\ud800"}', 400, "malformed_body"),
        (b'{"model": "a", "model": "b"}', 400, "malformed_body"),
        (b"{", 400, "malformed_body"),
        (b"[" * 100_000, 400, "malformed_body"),
        (b"\xff", 400, "malformed_body"),
        (b"", 400, "invalid_value"),
        (b"null", 400, "invalid_value"),
        (b'["' + MARK.encode() + b'"]', 400, "invalid_value"),
        (b'{"model": "\\u0000"}', 400, "invalid_value"),
        (b"{" * 2001, 413, "body_too_large"),
    ],
)
def test_a_bad_body_is_refused_in_openais_form(parts, body, status, code):
    served = replace(
        parts, settings=parts.settings.model_copy(update={"max_body_bytes": 2000 if status == 413 else 10**6})
    )
    response = opened(served).post(PATH, content=body, headers={"content-type": "application/json"})
    refused(response, status, param=None, code=code)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "code"),
    [
        ("GET", PATH, {}, 405, "method_not_allowed"),
        ("DELETE", "/v1/models/byline", {}, 405, "method_not_allowed"),
        ("GET", f"{PATH}/{MARK}", {}, 404, "not_found"),
        ("POST", PATH, {"content-type": "text/plain"}, 415, "unsupported_body"),
        ("GET", "/v1/models", {"x-long": "a" * 100_000}, 431, "headers_too_large"),
    ],
)
def test_every_error_of_these_paths_is_in_openais_form(client, method, path, headers, status, code):
    response = client.request(method, path, headers=headers, content=b"{}" if method == "POST" else None)
    refused(response, status, param=None, code=code)
    assert ("allow" in response.headers) == (status == 405)


def test_errors_of_other_paths_are_problems(client):
    for path in ("/v1/model", "/v1/modelsx", "/v1/chat", "/v1/chat/other", "/v1/searches"):
        assert client.get(path).headers["content-type"] == "application/problem+json"


def test_what_openais_clients_ask_for_in_vain_is_told_in_their_form(client):
    for path in ("/v1/embeddings", "/v1/responses", "/v1/audio/speech"):
        told = client.post(path, json={"input": "x"})
        assert (told.status_code, told.json()["error"]["code"]) == (404, "not_found")


class Failing:
    def __init__(self, error):
        self._error = error

    def answerer(self, _wanted=None):
        return "extractive"

    def ask(self, *_args, **_kwargs):
        raise self._error


def test_a_fault_of_ours_is_a_server_error_that_says_nothing(parts):
    broken = opened(replace(parts, assistant=Failing(KeyError("inner secret"))))
    error = refused(post(broken, MARK), 500, param=None, code="internal")
    assert error["type"] == "server_error"
    assert "secret" not in error["message"]


class Breaking:
    """An assistant whose LLM says nothing and breaks."""

    def answerer(self, _wanted=None):
        return "llm"

    def find(self, message, **_):
        return Found(message, None, SimpleNamespace(name="000001"), 1.0)

    def answer(self, *_args, **_):
        raise KeyError("inner secret")


def test_a_fault_within_a_stream_ends_it_without_a_word_of_it(parts):
    response = post(opened(replace(parts, assistant=Breaking())), stream=True)
    assert response.status_code == 200
    first, last, rest = response.text.split("\n\n")
    assert json.loads(first.removeprefix("data: "))["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    error = json.loads(last.removeprefix("data: "))["error"]
    assert (error["type"], error["param"], error["code"], rest) == ("server_error", None, "internal", "")
    assert "secret" not in response.text


def test_keys_and_shares_are_told_in_openais_form(tmp_path, assembled):
    """So the client raises AuthenticationError, PermissionDeniedError and RateLimitError."""
    service = assembled(tmp_path, requests_per_minute=2)
    store = KeyStore(tmp_path / KEYS_FILE)
    reader, writer = (store.create(scope, [scope]).token for scope in ("read", "write"))
    client = opened(service)

    def models(token):
        return client.get("/v1/models", headers={"authorization": f"Bearer {token}"})

    refused(models("nonsense"), 401, param=None, code="invalid_api_key")
    refused(models(writer), 403, param=None, code="not_allowed")
    assert [models(reader).status_code for _ in range(2)] == [200, 200]
    response = models(reader)
    assert refused(response, 429, param=None, code="rate_limit_exceeded")["type"] == "rate_limit_error"
    assert int(response.headers["retry-after"]) > 0
    service.close()


def test_the_client_for_javascript_is_let_in_on_pages_of_sites_that_may(parts):
    served = replace(parts, settings=parts.settings.model_copy(update={"cors_origins": ["https://news.example"]}))
    asked = (
        "authorization, content-type, x-stainless-arch, x-stainless-lang, x-stainless-os, x-stainless-package-version, "
    )
    asked += "x-stainless-retry-count, x-stainless-runtime, x-stainless-runtime-version, x-stainless-timeout"
    headers = {
        "origin": "https://news.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": asked,
    }
    assert opened(served).options(PATH, headers=headers).status_code == 200


def test_without_an_index_it_is_said_when_to_come_back(empty_parts):
    client = opened(empty_parts)
    response = post(client, stream=True)
    assert refused(response, 503, param=None, code="no_index")["type"] == "server_error"
    assert int(response.headers["retry-after"]) > 0
    assert client.get("/v1/models").status_code == 200


def test_a_slow_body_and_a_full_line_are_told_in_openais_form(parts):
    served = replace(parts, settings=parts.settings.model_copy(update={"request_timeout_seconds": 0.2}))
    app = build_app(served)

    async def drip():
        yield b"{"
        await asyncio.sleep(5)

    async def send():
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            slow = await client.post(PATH, content=drip(), headers={"content-type": "application/json"})
            held, questions = threading.Event(), app.state.byline.questions
            waiting = [asyncio.ensure_future(questions.run(held.wait)) for _ in range(QUESTION_THREADS + 64)]
            await asyncio.sleep(0)
            full = await client.post(PATH, json={"model": "byline", "messages": user("?")})
            held.set()
            await asyncio.gather(*waiting)
        return slow, full

    slow, full = asyncio.run(send())
    refused(slow, 408, param=None, code="body_too_slow")
    assert refused(full, 503, param=None, code="overloaded")["type"] == "server_error"
    assert full.headers["retry-after"]


TASK = (
    '### Task:\nSuggest 3-5 follow-up questions.\n### Output:\nJSON format: { "follow_ups": [] }\n### Chat History:\n'
    "<chat_history>\nUSER: {}\nASSISTANT: It cost 40 million euros. [1]\n</chat_history>"
).replace("{}", COST)


def test_a_task_beside_a_chat_is_answered_at_once_with_nothing(noted, noting):
    for task in (TASK, TASK.replace("ASSISTANT", "ASSISTANT: " + "la " * 4000)):
        completion = ask(noted, task, model="byline-extractive", max_completion_tokens=1000)
        assert (content_of(completion), completion["citations"]) == ("{}", [])
        chunks = chunks_of(post(noted, task, stream=True))
        assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "{}"
    assert noting.asked == []
    ask(noted, "### Task: what did the bridge cost?")
    assert len(noting.asked) == 1
