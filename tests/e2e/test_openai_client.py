"""The real `openai` client, and requests as Open WebUI sends them, against a real server."""

import asyncio
import json
import re
import signal
from pathlib import Path

import llm_server
import openai
import pytest
from llm_server import STREAM_HEAD, chunk, fails
from processes import serving

GOLDEN = Path(__file__).parent / "golden"
COST = "How much will the new Quillon Bridge cost?"
TUNGSTEN = "What is the boiling point of tungsten in kelvin?"
WORDS = "new Quillon Bridge will cost $289 million and open to traffic in June 2028"

pytestmark = [pytest.mark.model, pytest.mark.server]


def user(content):
    return [{"role": "user", "content": content}]


def client_of(server, **options):
    return openai.OpenAI(base_url=f"{server.base_url}/v1", api_key="none", max_retries=0, **options)


@pytest.fixture(scope="module")
def client(server):
    with client_of(server) as client:
        yield client


def check_citations(completion):
    """Every annotation is at a mark, and [n] is the n-th of `citations` and `search_results`; gives the content."""
    message = completion.choices[0].message
    for annotation in message.annotations:
        cited = annotation.url_citation
        mark = message.content[cited.start_index : cited.end_index]
        number = int(re.fullmatch(r"\[(\d+)\]", mark)[1])
        assert completion.citations[number - 1] == cited.url
        assert completion.search_results[number - 1]["title"] == cited.title
    assert len(message.annotations) == len(re.findall(r"\[\d+\]", message.content))
    return message.content


def test_the_client_gets_an_answer_with_its_citations(client):
    assert [model.id for model in client.models.list()] == ["byline", "byline-extractive"]
    assert client.models.retrieve("byline").owned_by == "byline"
    completion = client.chat.completions.create(model="byline", messages=user(COST), temperature=0, max_tokens=500)
    content = check_citations(completion)
    assert WORDS in content
    assert WORDS in completion.search_results[0]["snippet"]
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens == 0
    followed = client.chat.completions.create(
        model="byline",
        # As programs do it: the message of the reply goes back as it came.
        messages=[*user(COST), completion.choices[0].message, *user("When does it open to traffic?")],
    )
    assert "June 2028" in check_citations(followed)


def test_the_client_streams_what_the_whole_says(client):
    whole = client.chat.completions.create(model="byline", messages=user(COST))
    options = {"model": "byline", "messages": user(COST), "stream_options": {"include_usage": True}}
    chunks = list(client.chat.completions.create(stream=True, **options))
    assert (
        "".join(part.choices[0].delta.content or "" for part in chunks if part.choices)
        == whole.choices[0].message.content
    )
    annotations = [
        part.choices[0].delta.annotations
        for part in chunks
        if part.choices and hasattr(part.choices[0].delta, "annotations")
    ]
    assert annotations == [[one.model_dump() for one in whole.choices[0].message.annotations]]
    assert chunks[-1].usage == whole.usage
    assert chunks[-2].citations == whole.citations
    with client.chat.completions.stream(**options) as stream:
        stream.until_done()
        final = stream.get_final_completion()
    assert final.choices[0].message.content == whole.choices[0].message.content
    assert final.choices[0].message.annotations == whole.choices[0].message.annotations


def test_the_asynchronous_client_streams(server):
    async def ask():
        async with openai.AsyncOpenAI(base_url=f"{server.base_url}/v1", api_key="none") as client:
            stream = await client.chat.completions.create(model="byline", messages=user(TUNGSTEN), stream=True)
            return "".join([part.choices[0].delta.content or "" async for part in stream])

    assert asyncio.run(ask()) == "I found nothing about this in the articles."


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fields", "error", "param", "code"),
    [
        ({"model": "gpt-4o"}, openai.NotFoundError, "model", "model_not_found"),
        ({"n": 2}, openai.BadRequestError, "n", "unsupported_parameter"),
        ({"extra_body": {"mood": "good"}}, openai.BadRequestError, "mood", "unknown_parameter"),
        ({"messages": user("x" * 4001)}, openai.BadRequestError, "messages", "context_length_exceeded"),
        ({"messages": user("x" * 10_000_000)}, openai.APIStatusError, None, "body_too_large"),
        ({"extra_headers": {"Content-Type": "text/plain"}}, openai.APIStatusError, None, "unsupported_body"),
    ],
)  # fmt: skip
def test_the_client_raises_errors_of_the_right_kind(client, stream, fields, error, param, code):
    with pytest.raises(error) as raised:
        client.chat.completions.create(**{"model": "byline", "messages": user("?"), "stream": stream} | fields)
    assert (raised.value.param, raised.value.code) == (param, code)
    assert raised.value.request_id.startswith("req_")


def test_filters_and_dates_go_through_the_clients_extra_body(client):
    def cited(**body):
        completion = client.chat.completions.create(model="byline", messages=user(COST), extra_body=body)
        return [result["date"] for result in completion.search_results]

    assert cited()[0] == "2026-03-11"
    assert set(cited(search_after_date_filter="3/11/2026", search_before_date_filter="03/11/2026")) == {"2026-03-11"}
    assert "2026-03-11" not in cited(search_before_date_filter="03/10/2026")
    assert "2026-03-11" not in cited(byline={"as_of": "2026-03-10"})


def test_a_server_without_an_index_says_when_it_can_be_asked(tmp_path):
    with serving(tmp_path) as server, client_of(server) as client:
        assert client.models.list().data
        for stream in (False, True):
            with pytest.raises(openai.InternalServerError) as raised:
                client.chat.completions.create(model="byline", messages=user("?"), stream=stream)
            assert (raised.value.status_code, raised.value.code) == (503, "no_index")
            assert int(raised.value.response.headers["retry-after"]) > 0


def compare(name, stream, tmp_path):
    """Compare a stream with a kept one, but for ids, times, generations and addresses of servers."""
    text = re.sub(r"chatcmpl-[0-9a-f]{32}", "chatcmpl-ID", stream)
    text = re.sub(r'"created": \d+', '"created": 0', text)
    text = re.sub(r"http://127\.0\.0\.1:\d+", "http://SERVER", text)
    text = re.sub(r"byline-\d{6}", "byline-GENERATION", text)
    new = tmp_path / name
    new.write_text(text, encoding="utf-8")
    assert text == (GOLDEN / name).read_text(encoding="utf-8"), f"if this is meant: cp {new} {GOLDEN / name}"


@pytest.mark.parametrize(
    ("name", "question", "fields"),
    [
        ("answer.sse", COST, {}),
        ("answer-with-usage.sse", COST, {"stream_options": {"include_usage": True}}),
        ("answer-with-source-events.sse", COST, {"byline": {"source_events": True}}),
        ("abstention.sse", TUNGSTEN, {}),
    ],
)
def test_streams_are_the_kept_ones(server, tmp_path, name, question, fields):
    body = {"model": "byline-extractive", "messages": user(question), "stream": True} | fields
    compare(name, server.post("/v1/chat/completions", json=body).text, tmp_path)


class OpenWebUi:
    """Asks as Open WebUI's backend does, and shows what its page would: text, chips, errors."""

    def __init__(self, server, **more):
        self._server = server
        self._more = more
        self.models = [model["id"] for model in self._get("/v1/models")["data"]]
        self.messages = []

    def _get(self, path):
        return self._server.get(path, headers={"Authorization": "Bearer none"}).json()

    def _post(self, body):
        headers = {"Authorization": "Bearer none", "Content-Type": "application/json"}
        return self._server.stream("POST", "/v1/chat/completions", json=body, headers=headers)

    def say(self, text):
        """Send a message; gives the answer's text and the numbered chips below it."""
        self.messages += user(text)
        system = {"role": "system", "content": "Answer in German."}
        body = {"stream": True, "model": self.models[0], "messages": [system, *self.messages], "temperature": 0.7}
        body |= {"stream_options": {"include_usage": True}} | self._more
        content, sources, usage, errors = "", [], None, []
        with self._post(body) as response:
            assert "text/event-stream" in response.headers["content-type"]
            for line in response.iter_lines():
                if not line.startswith("data:") or line == "data: [DONE]":
                    continue
                data = json.loads(line.removeprefix("data:").strip())
                if data.get("event", {}).get("type") == "source":
                    sources.append(data["event"]["data"])
                usage = data.get("usage") or usage
                if not data.get("choices"):
                    errors += [data["error"]] if data.get("error") else []
                    continue
                delta = data["choices"][0].get("delta", {})
                assert "tool_calls" not in delta
                for annotation in delta.get("annotations") or ():
                    cited = annotation["url_citation"]
                    source = {"source": cited["url"], "name": cited["title"]}
                    sources.append({"document": [cited["title"]], "metadata": [source]})
                content += delta.get("content") or ""
        assert (errors, usage) == ([], {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
        self.messages.append({"role": "assistant", "content": content})
        return content, self._chips(sources)

    def task(self, words, form):
        """Have a title, tags or the like made of the conversation; gives what comes of it."""
        talk = "\n".join(f"{message['role'].upper()}: {message['content']}" for message in self.messages)
        prompt = (
            f"### Task:\n{words}\n### Output:\nJSON: {form}\n### Chat History:\n<chat_history>\n{talk}\n</chat_history>"
        )
        body = {"model": self.models[0], "messages": user(prompt), "stream": False, "max_completion_tokens": 1000}
        with self._post(body) as response:
            content = json.loads(response.read())["choices"][0]["message"]["content"]
        return json.loads(content[content.index("{") : content.rindex("}") + 1])

    @staticmethod
    def _chips(sources):
        """[n] is the n-th source, where those of one address, and those of one name, are one."""
        chips = {}
        for source in sources:
            for document, metadata in zip(source["document"], source["metadata"], strict=True):
                chips.setdefault(metadata["source"], (metadata["name"], document))
        names = [name for name, _ in chips.values()]
        assert len(names) == len(set(names))
        return list(chips.values())


def test_open_webui_shows_answers_with_chips(server):
    page = OpenWebUi(server)
    assert page.models == ["byline", "byline-extractive"]
    content, chips = page.say(COST)
    assert WORDS in content
    assert [name for name, _ in chips] == [
        "Marisol Quaye to lead public works; new Quillon Bridge now due in 2028",
        "Council votes 9-4 for new Quillon Bridge, price tag $212 million",
    ]
    content, _ = page.say("When does it open to traffic?")
    assert "June 2028" in content
    assert page.task("Give the chat a title.", '{ "title": "…" }').get("title", "") == ""
    assert page.task("Suggest questions.", '{ "follow_ups": ["…"] }').get("follow_ups", []) == []
    assert page.task("Suggest questions." + " Please." * 1000, '{ "queries": ["…"] }').get("queries", []) == []


def test_open_webui_shows_the_quote_of_every_mark_where_source_events_are_on(server):
    """Two quotes of one article are two chips then."""
    page = OpenWebUi(server, byline={"source_events": True})
    content, chips = page.say("Who leads public works?")
    marks = [int(mark) for mark in re.findall(r"\[(\d+)\]", content)]
    assert len(marks) > 1
    assert [f"{chips[mark - 1][1]} [{mark}]" in content for mark in marks] == [True] * len(marks)


@pytest.fixture(scope="module")
def llm():
    server, stop = llm_server.start()
    yield server
    stop()


@pytest.fixture(scope="module")
def llm_served(sample_data, llm):
    settings = {"BYLINE_LLM_BASE_URL": llm.url, "BYLINE_LLM_MODEL": "tiny", "BYLINE_LLM_FALLBACK": "false"}
    with serving(sample_data, **settings) as server:
        yield server


def says(llm, *, then):
    """An LLM that says one true sentence, and does something else then."""

    def reply(handler):
        handler.close_connection = True
        handler.wfile.write(STREAM_HEAD)
        passages = re.findall(r"PASSAGE (\d+)\]\n(.*?)\n\[\w+ END\]", llm.requests[-1].user, re.DOTALL)
        number = next(number for number, text in passages if WORDS in text)
        write(handler, f"The new Quillon Bridge will cost $289 million. [{number}] And ")
        then(handler)

    return reply


def write(handler, content=None, **parts):
    handler.wfile.write(f"data: {json.dumps(chunk(content, **parts))}\n\n".encode())
    handler.wfile.flush()


def ends(handler):
    write(handler, finish="stop")
    write(handler, usage=(50, 9))
    handler.wfile.write(b"data: [DONE]\n\n")


def goes_on(handler):
    while not handler.stopping.wait(0.02):
        write(handler, "la ")


def test_an_llm_answers_as_a_model_of_its_own(llm_served, llm):
    llm.replies(says(llm, then=ends))
    with client_of(llm_served) as client:
        assert [model.id for model in client.models.list()] == ["byline", "byline-extractive", "byline-llm"]
        completion = client.chat.completions.create(model="byline-llm", messages=user(COST))
        assert WORDS in check_citations(completion)
        assert completion.usage.total_tokens == 59
        chunks = list(
            client.chat.completions.create(
                model="byline-llm", messages=user(COST), stream=True, stream_options={"include_usage": True}
            )
        )
        assert (
            "".join(part.choices[0].delta.content or "" for part in chunks if part.choices)
            == completion.choices[0].message.content
        )
        assert chunks[-1].usage == completion.usage
        asked = len(llm.requests)
        client.chat.completions.create(model="byline", messages=user(COST))
        assert len(llm.requests) == asked  # the default answerer is the extractive one


def test_what_an_llm_said_before_it_broke_off_stays(llm_served, llm):
    llm.replies(says(llm, then=lambda _: None))
    with client_of(llm_served) as client:
        chunks = list(client.chat.completions.create(model="byline-llm", messages=user(COST), stream=True))
    assert WORDS in "".join(part.choices[0].delta.content or "" for part in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_stream_that_cannot_go_on_ends_with_an_error(llm_served, llm, tmp_path):
    llm.replies(fails(400, "no"))
    body = {"model": "byline-llm", "messages": user(COST), "stream": True}
    text = llm_served.post("/v1/chat/completions", json=body).text
    compare("error.sse", text, tmp_path)
    assert "[DONE]" not in text
    with client_of(llm_served) as client:
        with pytest.raises(openai.APIError, match="no answer by the LLM") as raised:
            list(client.chat.completions.create(**body))
        assert raised.value.code == "llm_down"
        with pytest.raises(openai.InternalServerError) as raised:
            client.chat.completions.create(**body | {"stream": False})
        assert (raised.value.status_code, raised.value.code) == (503, "llm_down")


def test_a_server_that_stops_ends_its_streams_with_an_error(llm_served, llm):
    llm.replies(says(llm, then=goes_on))
    with client_of(llm_served) as client:
        stream = client.chat.completions.create(model="byline-llm", messages=user(COST), stream=True)
        assert WORDS in next(part.choices[0].delta.content for part in stream if part.choices[0].delta.content)
        llm_served.process.send_signal(signal.SIGTERM)
        with pytest.raises(openai.APIError, match="about to stop") as raised:
            list(stream)
    assert (raised.value.code, raised.value.type) == ("shutting_down", "server_error")
