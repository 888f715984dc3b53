"""Keys: their tokens open what their scopes say until they are revoked, and are nowhere on the disk."""

import sqlite3
import stat
from contextlib import closing

import pytest

from service import keys
from service.keys import BadKeyName, KeyRing, KeyStore, KeysUnavailable, UnknownKey


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(keys, "_LOOK_SECONDS", 0.0)
    return tmp_path / "new" / "keys.sqlite"


@pytest.fixture
def store(path):
    store = KeyStore(path)
    yield store
    store.close()


@pytest.fixture
def ring(path):
    ring = KeyRing(path)
    yield ring
    ring.close()


def test_a_token_finds_its_key_and_nothing_else_does(store, ring):
    first, second = store.create("app", ["read"]), store.create("app", ["write", "admin"])
    assert ring.find(first.token) == store.all()[0]
    assert ring.find(first.token).scopes == {"read"}
    assert ring.find(second.token).scopes == {"write", "admin"}
    mark, part, secret = first.token.split("_", 2)
    _, other, _ = second.token.split("_", 2)
    for wrong in (
        "",
        "_",
        "__",
        mark,
        part,
        secret,
        f"{mark}_{part}_",
        f"{mark}_{part}",
        f"{mark}_{other}_{secret}",
        f"{mark}_{part}_{secret[:-1]}",
        f"{mark}_{part}_{secret}x",
        f"other_{part}_{secret}",
        f"{mark}_{part}_{first.key.secret_sha256}",
        f"{mark}_{part}_\ud800é",
        first.token.upper(),
    ):
        assert ring.find(wrong) is None, wrong


def test_a_token_is_long_and_never_the_same(store):
    tokens = {store.create("app", ["read"]).token for _ in range(20)}
    assert len(tokens) == 20
    assert all(len(token.split("_", 2)[2]) >= 43 for token in tokens)  # 256 bits


def test_no_token_is_on_the_disk_and_the_file_is_its_owners(store, path):
    secret = store.create("app", ["read"]).token.split("_", 2)[2]
    store.close()
    assert all(secret.encode() not in file.read_bytes() for file in path.parent.iterdir())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_revoked_key_opens_nothing_and_stays_on_record(store, ring):
    new = store.create("app", ["read"])
    assert ring.any_active
    revoked = store.revoke(new.key.id)
    assert revoked.revoked_at is not None
    assert store.revoke(new.key.id) == revoked
    assert ring.find(new.token) is None
    assert not ring.any_active
    assert ring.are_required
    with pytest.raises(UnknownKey, match="byline keys list"):
        store.revoke("key_no")


def test_without_a_file_there_are_no_keys_and_none_is_made(ring, path):
    assert not ring.are_required
    assert ring.find("byline_x_y") is None
    assert not path.exists()


def test_a_running_server_sees_what_another_process_changes(store, ring, path):
    assert not ring.are_required
    new = store.create("app", ["read"])
    assert ring.find(new.token) is not None
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE keys SET revoked_at = '2026-01-01T00:00:00+00:00'")
        connection.commit()
    assert ring.find(new.token) is None


def test_a_file_that_cannot_be_read_opens_nothing(store, ring, path):
    token = store.create("app", ["read"]).token
    store.close()
    path.write_bytes(b"no database" * 100)
    with pytest.raises(KeysUnavailable, match="cannot be read or written"):
        ring.find(token)


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, "two\nlines"])
def test_a_name_must_be_readable(store, name):
    with pytest.raises(BadKeyName, match="printable name"):
        store.create(name, ["read"])
