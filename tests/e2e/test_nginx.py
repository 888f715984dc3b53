"""The nginx configuration of docs/deploy, as it stands there but for names and ports, in front of a real server."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from types import SimpleNamespace

import httpx
import llm_server
import pytest
from llm_server import Talker
from processes import ROOT, byline, serving

from service.settings import Settings

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")

pytestmark = [
    pytest.mark.model,
    pytest.mark.server,
    pytest.mark.skipif(NGINX is None or shutil.which("openssl") is None, reason="needs nginx and openssl"),
]

QUESTION = {"message": "When does the new Quillon Bridge open to traffic?", "history": [], "stream": True}
TRUE = "The new Quillon Bridge will cost $289 million."
WORDS = "new Quillon Bridge will cost $289 million and open to traffic in June 2028"

CONFIG = ROOT / "docs" / "deploy" / "nginx.conf"

AROUND = """
daemon off;
{user}
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 128; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/byline.conf;
}}
"""


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def configured(folder, backend, plain, tls):
    """Write the configuration with names and ports of this machine; gives the main file."""
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=byline.example".split()
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    files = ["-keyout", folder / "key.pem", "-out", folder / "cert.pem"]
    subprocess.run([*command, *names, *files], check=True, capture_output=True)
    text = CONFIG.read_text()
    for pattern, put in (
        (r"listen \[::\]:.*\n", "\n"),
        (r"listen 80;", f"listen 127.0.0.1:{plain};"),
        (r"listen 443 ", f"listen 127.0.0.1:{tls} "),
        (r"server 127\.0\.0\.1:8000;", f"server {backend};"),
        (r"/etc/ssl/byline\.example/fullchain\.pem", f"{folder}/cert.pem"),
        (r"/etc/ssl/byline\.example/privkey\.pem", f"{folder}/key.pem"),
        (r"/var/log/nginx/byline\.log", f"{folder}/access.log"),
    ):
        text, changed = re.subn(pattern, put, text)
        assert changed, f"{pattern} is not in {CONFIG}"
    (folder / "byline.conf").write_text(text)
    main = folder / "nginx.conf"
    # Its workers must be able to use this folder.
    main.write_text(AROUND.format(folder=folder, user="user root;" if os.getuid() == 0 else ""))
    return main


def client_of(folder, tls, headers=None):
    trusted = ssl.create_default_context(cafile=folder / "cert.pem")
    headers = {"Host": "byline.example"} | (headers or {})
    return httpx.Client(base_url=f"https://127.0.0.1:{tls}", verify=trusted, headers=headers, timeout=30)


def wait_for(port, process):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, "nginx ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("nginx does not listen")


@pytest.fixture(scope="module")
def behind(sample_data, tmp_path_factory):
    """A server whose LLM is scripted, with nginx before it: `client` speaks to nginx, `server` to the server."""
    folder = tmp_path_factory.mktemp("nginx")
    data = shutil.copytree(sample_data, tmp_path_factory.mktemp("behind") / "data")
    plain, tls = free_ports(2)
    llm, stop = llm_server.start()
    settings = {"BYLINE_LLM_BASE_URL": llm.url, "BYLINE_LLM_MODEL": "tiny", "BYLINE_LLM_FALLBACK": "false"}
    settings |= {"BYLINE_TRUSTED_PROXIES": "127.0.0.1"}
    key = byline("keys", "create", "app", "--scope", "read,write", data=data).stdout.strip()
    with serving(data, **settings) as server:
        main = configured(folder, f"127.0.0.1:{server.base_url.port}", plain, tls)
        process = subprocess.Popen([NGINX, "-c", main, "-p", folder], stderr=subprocess.DEVNULL)
        try:
            wait_for(tls, process)
            with client_of(folder, tls, {"Authorization": f"Bearer {key}"}) as client:
                yield SimpleNamespace(client=client, server=server, llm=llm, folder=folder, plain=plain)
        finally:
            process.terminate()
            process.wait(timeout=15)
            stop()


@pytest.fixture
def client(behind):
    return behind.client


def test_plain_http_is_sent_to_tls(behind):
    answer = httpx.get(f"http://127.0.0.1:{behind.plain}/docs", headers={"Host": "byline.example"})
    assert answer.status_code == 301
    assert answer.headers["location"] == "https://byline.example/docs"


def test_questions_and_refusals_pass_as_the_server_says_them(client):
    reply = client.post("/v1/chat", json={"message": "What does the Merrin Coast order prohibit?", "history": []})
    assert reply.json()["status"] == "answered"
    assert "max-age" in reply.headers["strict-transport-security"]
    assert reply.headers["server"] == "nginx"
    nobody = client.post("/v1/chat", json={"message": "Why?"}, headers={"Authorization": ""})
    assert nobody.status_code == 401
    refused = client.post("/v1/chat", json={"message": ""}, headers={"X-Request-ID": "seen-by-both"})
    assert refused.status_code == 422
    assert refused.headers["x-request-id"] == "seen-by-both"
    assert refused.headers["content-type"] == "application/problem+json"


def test_an_address_that_a_client_claims_is_not_passed_on(behind, client):
    claimed = {"X-Forwarded-For": "203.0.113.9", "Authorization": ""}
    # The server believes its proxy, and counts that address.
    assert "ratelimit-limit" in behind.server.get("/v1/index", headers=claimed).headers
    # The proxy says where the client is really: on this machine, which has no limit.
    answer = client.get("/v1/index", headers=claimed)
    assert answer.status_code == 401
    assert "ratelimit-limit" not in answer.headers


def test_the_log_names_requests_and_holds_no_question(behind, client):
    client.get("/v1/articles?query=sekrit", headers={"X-Request-ID": "for-the-log"})
    log, deadline = behind.folder / "access.log", time.monotonic() + 15
    while "for-the-log" not in log.read_text():  # written once the answer is out
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "/v1/articles" in log.read_text()
    assert "sekrit" not in log.read_text()


def test_a_stream_comes_sentence_by_sentence_and_leaving_it_reaches_the_llm(behind, client):
    talker = Talker(behind.llm, TRUE, WORDS)
    behind.llm.replies(talker)
    with client.stream("POST", "/v1/chat", json=QUESTION | {"answerer": "llm"}) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = response.iter_lines()
        next(line for line in lines if line == "event: sentence")
        assert WORDS in next(lines)
        assert not talker.left.is_set()  # it talks still: nothing waited for the end
    assert talker.left.wait(10)


def test_uploads_have_a_limit_of_their_own(client):
    files = [("files", (f"{number}.txt", b"\xff\x00" * 4_000_000)) for number in range(2)]
    taken = client.post("/v1/articles/files", files=files)
    assert taken.status_code == 200
    assert [line["outcome"] for line in taken.json()["results"]] == ["refused", "refused"]


def test_large_articles_pass_and_too_large_ones_are_refused_as_problems(client):
    words = "The ferry to Orlo runs at seven. "
    taken = client.post("/v1/articles", json={"text": words * 50_000, "external_id": "large"})
    assert taken.status_code == 201
    assert client.delete(taken.headers["location"]).status_code == 204
    refused = client.post("/v1/articles", json={"text": "x" * Settings().max_body_bytes})
    assert refused.status_code == 413
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["type"] == "urn:byline:problem:body-too-large"


def test_the_counts_of_an_operator_are_not_for_everybody(behind, client):
    assert client.get("/metrics").status_code == 404
    assert client.get("/livez").status_code == 200


def test_one_address_cannot_take_all(behind, client):
    statuses = []

    def ask():
        statuses.extend(client.get("/livez").status_code for _ in range(40))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200, 429}
    refused = client.get("/livez")
    while refused.status_code != 429:
        refused = client.get("/livez")
    assert refused.json()["status"] == 429
    assert "retry-after" in refused.headers


def test_a_server_that_is_down_is_said_in_the_form_of_all_errors(tmp_path):
    plain, tls, nobody = free_ports(3)
    main = configured(tmp_path, f"127.0.0.1:{nobody}", plain, tls)
    process = subprocess.Popen([NGINX, "-c", main, "-p", tmp_path], stderr=subprocess.DEVNULL)
    try:
        wait_for(tls, process)
        with client_of(tmp_path, tls) as client:
            answer = client.get("/v1/index")
        assert answer.status_code == 503
        assert answer.json()["type"] == "urn:byline:problem:not-ready"
        assert answer.headers["retry-after"] == "5"
    finally:
        process.terminate()
        process.wait(timeout=15)
