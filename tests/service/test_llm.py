"""The real `openai` client against a server that says what a script says, well or badly."""

import json
import socket
import threading

import pytest
from llm_server import completion, drips, fails, floods, hangs, hangs_up, says, sends
from pydantic import BaseModel, ConfigDict, SecretStr

from service.assembly import open_llm
from service.llm import Completion, LlmRefused, LlmReplyUnusable, LlmUnavailable, parse_reply
from service.settings import Settings

KEY = "sk-Very.Secret_1"
SOON = [("Retry-After", "0.01")]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


class Colour(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    red: int


def opened(url, **settings):
    return open_llm(Settings(llm_base_url=url, llm_model="tiny", **settings))


@pytest.fixture
def ask(llm_server):
    """A function that asks the scripted server after setting its script."""

    def ask(*script, schema=None, **settings):
        llm_server.replies(*script)
        return opened(llm_server.url, **settings).complete("Be brief.", "Hello?", max_tokens=50, json_schema=schema)

    return ask


def test_without_settings_there_is_no_llm():
    assert open_llm(Settings()) is None


def test_what_is_asked_and_what_comes_back(ask, llm_server):
    assert ask("Hi. Größe 5\u2028") == Completion("Hi. Größe 5\u2028", 7, 3)
    (request,) = llm_server.requests
    assert request.path == "/v1/chat/completions"
    assert request.body == {
        "model": "tiny",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}],
        "temperature": 0,
        "max_tokens": 50,
    }


def test_a_slash_at_the_end_of_the_address_makes_no_difference(llm_server):
    llm_server.replies("Hi.")
    assert opened(llm_server.url + "/").complete("s", "u", max_tokens=5).text == "Hi."
    assert llm_server.requests[0].path == "/v1/chat/completions"


def test_the_key_is_sent_if_there_is_one_and_none_of_the_environment(ask, llm_server, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "from-elsewhere")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/")
    ask("Hi.")
    ask("Hi.", llm_api_key=SecretStr(KEY))
    without, with_key = (request.headers for request in llm_server.requests)
    assert "authorization" not in without
    assert "from-elsewhere" not in str(without) + str(with_key)
    assert with_key["authorization"] == f"Bearer {KEY}"


def test_this_machine_is_asked_without_the_proxy_of_the_environment(ask, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert ask("Hi.").text == "Hi."


def test_tokens_that_are_not_counted_are_unknown(ask):
    assert ask(says("Hi.", usage=None)) == Completion("Hi.", None, None)


@pytest.mark.parametrize(
    "bad", [fails(500, headers=SOON), fails(503), fails(429, headers=SOON), fails(408, headers=SOON), hangs_up]
)
def test_what_fails_in_passing_is_asked_once_more(ask, llm_server, bad):
    assert ask(bad, "Hi.").text == "Hi."
    assert len(llm_server.requests) == 2
    assert llm_server.requests[0].body == llm_server.requests[1].body


@pytest.mark.parametrize(
    ("bad", "tries", "error", "words"),
    [
        (fails(500, "out of memory", headers=SOON), 2, LlmUnavailable, "failed (status 500: out of memory)"),
        (sends(b"<html>Bad Gateway</html>", status=502, headers=SOON, kind="text/html"), 2, LlmUnavailable, "502); "),
        (fails(429, "slow down", headers=SOON), 2, LlmUnavailable, "is busy (status 429: slow down)"),
        (fails(429, headers=[("Retry-After", "3600")]), 1, LlmUnavailable, "is busy (status 429"),
        (fails(401, "bad key"), 1, LlmRefused, "refuses the key (status 401: bad key); correct llm_api_key"),
        (fails(403), 1, LlmRefused, "refuses the key (status 403"),
        (fails(404, "no model"), 1, LlmRefused, "or no model 'tiny' (status 404: no model)"),
        (fails(400, "context is 4096"), 1, LlmRefused, "refuses the request (status 400: context is 4096)"),
        (sends(b"", status=301, headers=[("Location", "/v2")]), 1, LlmRefused, "correct llm_base_url"),
        (sends(b'{"error": "plain"}', status=400), 1, LlmRefused, "plain"),
        (sends(b"x" * 10_000_000, status=400), 1, LlmRefused, "xxx…)"),
        (hangs_up, 2, LlmUnavailable, "cannot be reached, or broke off"),
        (sends(b'{"choices": [', length=500), 2, LlmUnavailable, "broke off (peer closed connection"),
        (sends(b"not HTTP json"), 1, LlmReplyUnusable, "sent no chat completion (Invalid JSON"),
        (sends(b"<html>Welcome</html>", kind="text/html"), 1, LlmReplyUnusable, "often ends in /v1"),
        (sends(b""), 1, LlmReplyUnusable, "sent no chat completion"),
        (sends(b"[]"), 1, LlmReplyUnusable, "sent no chat completion"),
        (sends(b'{"choices": []}'), 1, LlmReplyUnusable, "(choices: "),
        (sends(b'{"choices": [{"message": {"content": 5}}]}'), 1, LlmReplyUnusable, "choices.0.message.content: "),
        (sends(b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'), 1, LlmReplyUnusable, "Invalid JSON"),
        (sends(b'{"choices": [{"message": {"content": "\\ud800"}}]}'), 1, LlmReplyUnusable, "Invalid JSON"),
        (sends(b"[" * 100_000), 1, LlmReplyUnusable, "Invalid JSON"),
        (sends(b" " * 10_000_000), 1, LlmReplyUnusable, "larger than 1000000 bytes"),
        (floods, 1, LlmReplyUnusable, "larger than 1000000 bytes"),
        (sends(b"x", headers=[("Content-Encoding", "gzip")]), 1, LlmReplyUnusable, "turn its compression off"),
        (says(""), 1, LlmReplyUnusable, "is empty"),
        (says(" \n"), 1, LlmReplyUnusable, "is empty"),
        (says(None), 1, LlmReplyUnusable, "is empty"),
        (says(None, refusal="No."), 1, LlmReplyUnusable, "declined to reply"),
        (says("Well,", finish="content_filter"), 1, LlmReplyUnusable, "declined to reply"),
        (says("The answer is", finish="length"), 1, LlmReplyUnusable, "was cut off"),
    ],
)  # fmt: skip
def test_what_goes_wrong_ends_in_an_error_that_says_what_to_do(ask, llm_server, bad, tries, error, words):
    with pytest.raises(error) as caught:
        ask(bad)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 600
    assert len(llm_server.requests) == tries


@pytest.mark.parametrize(
    "bad",
    [
        hangs,
        drips(HEAD + b"Content-Length: 900000\r\n\r\n"),
        drips(HEAD + b"X-Endless: "),
        drips(b"HTTP/1.1 500 Oh\r\nContent-Length: 900000\r\n\r\n"),
    ],
    ids=["says nothing", "drips a body", "drips a header", "drips an error"],
)
def test_a_slow_server_is_given_up_at_the_limit(ask, bad):
    with pytest.raises(LlmUnavailable, match=r"no whole reply within 0\.3 seconds; raise llm_timeout_seconds"):
        ask(bad, llm_timeout_seconds=0.3)


def test_two_tries_share_one_limit(ask, llm_server):
    with pytest.raises(LlmUnavailable, match="within 1 seconds"):
        ask(fails(500, headers=SOON), hangs, llm_timeout_seconds=1)
    assert len(llm_server.requests) == 2


def test_where_nothing_listens():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
    with pytest.raises(LlmUnavailable, match=f"the LLM at {url} cannot be reached.*check that it runs"):
        opened(url).complete("s", "u", max_tokens=5)


def test_an_address_that_only_looks_like_one():
    with pytest.raises(LlmRefused, match="is not a web address"):
        opened("http://1.2.3.999/v1")


def test_a_server_that_repeats_the_key_does_not_get_it_into_the_message(ask):
    with pytest.raises(LlmRefused) as caught:
        ask(fails(401, f"Incorrect API key provided: {KEY}."), llm_api_key=SecretStr(KEY))
    assert "provided: ***." in str(caught.value)
    assert caught.value.__suppress_context__
    with pytest.raises(LlmUnavailable) as caught:
        ask(sends(f"Bearer {KEY}".encode(), status=500, headers=SOON), llm_api_key=SecretStr(KEY))
    assert KEY not in str(caught.value)


def test_a_schema_is_asked_for(ask, llm_server):
    schema = Colour.model_json_schema()
    reply = ask({"name": "rust", "red": 183}, schema=schema)
    assert parse_reply(reply.text, Colour) == Colour(name="rust", red=183)
    (request,) = llm_server.requests
    assert request.body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "reply", "strict": True, "schema": schema},
    }
    assert request.system == "Be brief."


@pytest.mark.parametrize("status", [400, 422])
def test_a_server_without_schemas_is_told_in_words_and_not_asked_again(llm_server, status):
    llm_server.replies(fails(status, "response_format is unknown"), '{"name": "rust", "red": 183}')
    model, schema = opened(llm_server.url), Colour.model_json_schema()
    for _ in range(2):
        assert "rust" in model.complete("Be brief.", "u", max_tokens=5, json_schema=schema).text
    asked = [
        ("response_format" in request.body, json.dumps(schema) in request.system) for request in llm_server.requests
    ]
    assert asked == [(True, False), (False, True), (False, True)]
    model.complete("Be brief.", "u", max_tokens=5, json_schema={"type": "object"})
    assert "response_format" in llm_server.requests[-1].body  # perhaps it was that schema alone


def test_a_request_that_is_refused_for_another_reason_says_nothing_about_schemas(llm_server):
    llm_server.replies(fails(400, "too long"))
    model, schema = opened(llm_server.url), Colour.model_json_schema()
    with pytest.raises(LlmRefused, match="too long"):
        model.complete("s", "u", max_tokens=5, json_schema=schema)
    llm_server.replies("{}")
    model.complete("s", "u", max_tokens=5, json_schema=schema)
    assert "response_format" in llm_server.requests[-1].body


def test_the_key_is_in_nothing_that_the_model_shows():
    model = opened("http://127.0.0.1:9/v1", llm_api_key=SecretStr(KEY))
    assert KEY not in f"{model!r} {vars(model)}"


def test_threads_may_ask_at_once(llm_server):
    llm_server.replies("Hi.")
    model, said = opened(llm_server.url), []
    threads = [
        threading.Thread(target=lambda: said.append(model.complete("s", "u", max_tokens=5).text)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == ["Hi."] * 4


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "rust", "red": 183}',
        ' \n{"name": "rust", "red": 183}\n',
        '```json\n{"name": "rust", "red": 183}\n```',
        '```\n{"name": "rust", "red": 183}```\n',
    ],
)
def test_json_is_read_with_or_without_a_code_block(text):
    assert parse_reply(text, Colour) == Colour(name="rust", red=183)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("It is rust.", "Invalid JSON"),
        ('{"name": "rust", "red": 18', "Invalid JSON"),
        ('{"name": "rust"}', "red: is missing"),
        ('{"name": "secret words", "red": "very"}', "red: must be a whole number"),
        ('{"name": "rust", "red": 1, "blue": 2}', "blue: is not a known name"),
        ('["rust"]', "must be an object"),
        ('Sure: {"name": "rust", "red": 183}', "Invalid JSON"),
    ],
)
def test_another_form_is_refused_without_repeating_the_reply(text, fault):
    with pytest.raises(LlmReplyUnusable, match=fault) as caught:
        parse_reply(text, Colour)
    assert "rust" not in str(caught.value)
    assert "secret words" not in str(caught.value)


def test_the_scripted_server_sends_what_the_api_documents():
    """The fake's completion holds every field that the client's own model requires."""
    from openai.types.chat import ChatCompletion

    ChatCompletion.model_validate(completion("Hi."))
