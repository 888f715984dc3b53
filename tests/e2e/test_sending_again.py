"""Requests with an Idempotency-Key over the wire: two servers on one data folder, and one that is killed."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from processes import serving

from ingest.failpoints import EXIT_CODE

pytestmark = pytest.mark.server

WITHOUT_MODEL = f"""
import os, sys
os.environ["BYLINE_ANSWER_READER"] = "false"
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import index.embedding
from stand_in import StandIn
index.embedding.load_embedder = lambda *_, **__: StandIn()
from service.cli import main
main()
"""
PROGRAM = ("-c", WITHOUT_MODEL)
TEXT = "The ferry to Lund island stops in winter.\n\nThe captain said so on Tuesday."


def send(client, key="k"):
    return client.post("/v1/articles", json={"text": TEXT}, headers={"Idempotency-Key": key})


def test_two_servers_do_a_request_once(tmp_path):
    with serving(tmp_path, program=PROGRAM) as one, serving(tmp_path, program=PROGRAM) as other:
        with ThreadPoolExecutor(8) as pool:
            replies = list(pool.map(send, [one, other] * 8))
        done = [reply for reply in replies if reply.status_code == 201]
        assert {reply.status_code for reply in replies} <= {201, 409}
        assert sum("idempotency-replayed" not in reply.headers for reply in done) == 1
        assert len({reply.content for reply in done}) == 1
        assert send(other).content == send(one).content == done[0].content


def test_a_server_that_is_killed_leaves_a_request_that_may_be_sent_again(tmp_path):
    with serving(tmp_path, program=PROGRAM, BYLINE_FAILPOINT="add.committed") as client:
        with pytest.raises(httpx.TransportError):
            send(client)
        assert client.process.wait(15) == EXIT_CODE
    with serving(tmp_path, program=PROGRAM) as client:
        again = send(client)
        # It was stored, and the server died before it could say so.
        assert (again.status_code, again.json()["outcome"]) == (200, "unchanged")
        assert "idempotency-replayed" not in again.headers
        assert send(client).headers["idempotency-replayed"] == "true"
    with serving(tmp_path, program=PROGRAM) as client:
        assert send(client).content == again.content
    assert list((tmp_path / "replies").glob("*.lock")) == []
