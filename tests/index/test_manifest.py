"""A generation folder holds exactly what was sealed, or is refused by the name of the file at fault."""

import hashlib
import json
import os
import pickle
import random
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from index.errors import GenerationDamaged, GenerationIncompatible
from index.manifest import (
    FORMAT_VERSION,
    MANIFEST_FILE,
    Counts,
    DenseRecord,
    EmbeddingRecord,
    FileRecord,
    Manifest,
    UnsealedManifest,
    generation_of,
    is_generation_name,
    seal,
    verify,
)

FILES = {
    "articles.jsonl": b'{"id": "art_1", "text": "Caf\xc3\xa9"}\n' * 40,
    "vectors.faiss": bytes(range(256)) * 8,
    "bm25/scores.npy": bytes(reversed(range(256))) * 8,
    "bm25/vocabulary.json": b'{"storm": 0}',
}
HASH_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, example B.1


def draft(generation: str = "000007") -> UnsealedManifest:
    return UnsealedManifest(
        generation=generation,
        built_at="2026-03-01T12:00:00Z",
        embedding=EmbeddingRecord("mini", "53aa", 384, 256, "torch", "fp32"),
        chunking={"max_tokens": 200, "unit": "sentence"},
        cleaning_version=2,
        counts=Counts(articles=1, chunks=3, sentences=9),
        dense=DenseRecord(kind="flat", lists=0, probes=0, recall=1.0),
        embedding_pace=812.5,
        articles={"art_1": "00ff"},
    )


@pytest.fixture
def sealed(tmp_path):
    """A sealed generation under its published name."""
    folder = tmp_path / "000007"
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    seal(folder, draft())
    return folder


def refusal(folder: Path) -> GenerationDamaged:
    with pytest.raises(GenerationDamaged) as caught:
        verify(folder)
    assert caught.value.generation == "000007"
    assert repr(caught.value.file) in str(caught.value)
    assert caught.value.reason in str(caught.value)
    return caught.value


def rewrite(folder: Path, **changes: object) -> None:
    """Write a manifest with other values and a digest that fits them."""
    (folder / MANIFEST_FILE).write_text(replace(verify(folder), **changes).to_json())


EVERY_FILE = [*FILES, MANIFEST_FILE]


class TestSealing:
    def test_a_manifest_lists_every_file_with_its_size_and_hash(self, tmp_path):
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "b.bin").write_bytes(b"abc")
        manifest = seal(tmp_path, draft())
        assert manifest.files == {"a/b.bin": FileRecord(sha256=HASH_OF_ABC, bytes=3)}
        assert manifest.format_version == FORMAT_VERSION

    def test_a_sealed_folder_gives_its_manifest_back(self, sealed):
        manifest = verify(sealed)
        assert set(manifest.files) == set(FILES)
        assert {name: getattr(manifest, name) for name in draft().__dataclass_fields__} == {
            name: getattr(draft(), name) for name in draft().__dataclass_fields__
        }

    def test_the_same_content_gives_the_same_manifest_to_the_byte(self, sealed):
        before = (sealed / MANIFEST_FILE).read_bytes()
        seal(sealed, draft())
        assert (sealed / MANIFEST_FILE).read_bytes() == before

    def test_every_file_and_folder_is_synced_before_the_manifest_and_the_manifest_after(self, sealed, monkeypatch):
        synced = []
        fsync = os.fsync

        def record(descriptor):
            synced.append(os.path.relpath(Path(f"/proc/self/fd/{descriptor}").readlink(), sealed))
            fsync(descriptor)

        (sealed / MANIFEST_FILE).unlink()
        monkeypatch.setattr(os, "fsync", record)
        seal(sealed, draft())
        assert set(synced[:-2]) == {*FILES, "bm25", "."}
        assert synced[-2:] == ["manifest.json.tmp", "."]

    def test_a_link_is_not_sealed(self, tmp_path):
        (tmp_path / "link").symlink_to("/etc/hostname")
        with pytest.raises(GenerationDamaged, match="'link': it is a symbolic link"):
            seal(tmp_path, draft())

    @pytest.mark.parametrize("generation", ["7", "0000007", "00000a", "../..", "٠٠٠٠٠٧", "000007\n", ""])
    def test_a_generation_is_named_with_six_digits(self, generation):
        assert not is_generation_name(generation)
        with pytest.raises(ValueError, match="expected six digits"):
            draft(generation)

    @pytest.mark.parametrize(
        "moment",
        [
            "2026-03-01",
            "20260301T120000Z",
            "2026-03-01T12:00:00",
            "2026-03-01T12:00:00+01:00",
            "2026-13-01T12:00:00Z",
            "yesterday",
        ],
    )
    def test_a_build_time_is_rfc_3339_in_utc(self, moment):
        with pytest.raises(ValueError, match="expected RFC 3339 in UTC"):
            replace(draft(), built_at=moment)

    def test_a_staged_folder_is_named_for_the_generation_it_will_hold(self):
        assert generation_of(Path("index/000007.tmp")) == generation_of(Path("index/000007")) == "000007"


class TestDamage:
    @pytest.mark.parametrize("name", EVERY_FILE)
    def test_a_file_cut_off_anywhere_is_found(self, sealed, name):
        whole = (sealed / name).read_bytes()
        cuts = {0, 1, *(len(whole) * step // 20 for step in range(20)), len(whole) - 1}
        for length in sorted(cuts):
            (sealed / name).write_bytes(whole[:length])
            assert refusal(sealed).file == name
        (sealed / name).write_bytes(whole)
        verify(sealed)

    def test_any_flipped_bit_is_found(self, sealed):
        chance = random.Random(7)
        for turn in range(300):
            name = EVERY_FILE[turn % len(EVERY_FILE)]
            whole = (sealed / name).read_bytes()
            flipped = bytearray(whole)
            flipped[chance.randrange(len(whole))] ^= 1 << chance.randrange(8)
            (sealed / name).write_bytes(flipped)
            assert refusal(sealed).file == name
            (sealed / name).write_bytes(whole)
        verify(sealed)

    @pytest.mark.parametrize("name", EVERY_FILE)
    def test_a_missing_file_is_found(self, sealed, name):
        (sealed / name).unlink()
        damage = refusal(sealed)
        assert (damage.file, damage.reason) == (name, "it is missing")

    @pytest.mark.parametrize("name", EVERY_FILE)
    @pytest.mark.parametrize("extra", [b"\0", b"\n", b" "])
    def test_an_extra_byte_is_found(self, sealed, name, extra):
        with (sealed / name).open("ab") as file:
            file.write(extra)
        assert refusal(sealed).file == name

    def test_two_swapped_files_are_found(self, sealed):
        """The two are of one size: only their hashes tell."""
        one, other = sealed / "vectors.faiss", sealed / "bm25/scores.npy"
        content = one.read_bytes()
        one.write_bytes(other.read_bytes())
        other.write_bytes(content)
        damage = refusal(sealed)
        assert (damage.file, damage.reason) == (
            "bm25/scores.npy",
            "it differs from its SHA-256 in the manifest",
        )

    @pytest.mark.parametrize("name", ["notes.txt", "bm25/notes.txt", "new/notes.txt", "bm25/manifest.json"])
    def test_an_extra_file_is_found(self, sealed, name):
        (sealed / name).parent.mkdir(exist_ok=True)
        (sealed / name).write_text("new")
        damage = refusal(sealed)
        assert (damage.file, damage.reason) == (name, "it is not in the manifest")

    @pytest.mark.parametrize("name", EVERY_FILE)
    def test_a_symbolic_link_is_refused_even_to_the_right_bytes(self, sealed, tmp_path, name):
        (sealed / name).rename(tmp_path / "elsewhere")
        (sealed / name).symlink_to(tmp_path / "elsewhere")
        damage = refusal(sealed)
        assert damage.file == name
        assert "symbolic link" in damage.reason

    def test_a_linked_folder_is_refused(self, sealed, tmp_path):
        (sealed / "bm25").rename(tmp_path / "elsewhere")
        (sealed / "bm25").symlink_to(tmp_path / "elsewhere")
        assert refusal(sealed).file == "bm25"

    def test_a_pipe_is_refused_without_waiting_for_it(self, sealed):
        (sealed / "vectors.faiss").unlink()
        os.mkfifo(sealed / "vectors.faiss")
        damage = refusal(sealed)
        assert damage.file == "vectors.faiss"
        assert "special file" in damage.reason

    def test_sizes_are_compared_before_anything_is_hashed(self, sealed, monkeypatch):
        (sealed / "vectors.faiss").write_bytes(b"short")
        monkeypatch.setattr("index.manifest.sha256_of", lambda path: pytest.fail(f"{path} was hashed"))
        assert refusal(sealed).reason == "it has 5 bytes, the manifest says 2048"

    def test_a_file_that_cannot_be_read_is_damage(self, sealed, monkeypatch):
        """A bad sector comes as an OSError from the read."""

        def fail(path):
            raise OSError(5, "Input/output error", str(path))

        monkeypatch.setattr("index.manifest.sha256_of", fail)
        damage = refusal(sealed)
        assert (damage.file, damage.reason) == ("articles.jsonl", "it cannot be read (Input/output error)")

    def test_damage_survives_the_way_between_processes(self):
        sent = GenerationDamaged("000007", "vectors.faiss", "it is missing")
        received = pickle.loads(pickle.dumps(sent))
        assert (str(received), vars(received)) == (str(sent), vars(sent))

    def test_a_folder_that_is_not_there_is_damage(self, tmp_path):
        assert refusal(tmp_path / "000007").file == "."


class TestName:
    def test_a_generation_under_the_name_of_another_is_refused(self, sealed):
        other = sealed.rename(sealed.with_name("000008"))
        with pytest.raises(GenerationDamaged, match=r"'manifest\.json': it belongs to generation '000007'"):
            verify(other)

    @pytest.mark.parametrize("name", ["000007.tmp", "000009.tmp", "copy of the index"])
    def test_a_folder_that_has_no_name_of_a_generation_may_hold_any(self, sealed, name):
        assert verify(sealed.rename(sealed.with_name(name))).generation == "000007"

    def test_a_copy_on_another_machine_is_as_good(self, sealed, tmp_path):
        shutil.copytree(sealed, tmp_path / "far" / "000007")
        assert verify(tmp_path / "far" / "000007") == verify(sealed)


class TestManifestText:
    @pytest.mark.parametrize("version", [0, FORMAT_VERSION + 1])
    def test_another_format_version_asks_for_a_rebuild(self, sealed, version):
        rewrite(sealed, format_version=version)
        with pytest.raises(GenerationIncompatible, match=rf"format version {version}.*rebuild needed"):
            verify(sealed)

    def test_another_format_version_may_have_other_fields(self, sealed):
        text = signed({"format_version": 99, "shards": []})
        with pytest.raises(GenerationIncompatible, match="format version 99"):
            Manifest.from_json(text, generation="000007")

    @pytest.mark.parametrize("field", [*draft().__dataclass_fields__, "files"])
    def test_a_missing_field_is_refused(self, sealed, field):
        values = unsigned(sealed)
        del values[field]
        assert field in reason_against(values)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("generation", 7),
            ("generation", "7"),
            ("built_at", "now"),
            ("embedding", None),
            ("embedding", {}),
            ("chunking", {"overlap": 0.5}),
            ("chunking", {"titles": True}),
            ("cleaning_version", "2"),
            ("cleaning_version", True),
            ("counts", {"articles": 1, "chunks": 3, "sentences": "9"}),
            ("counts", {"articles": 1, "chunks": 3, "sentences": 9, "words": 80}),
            ("dense", {"kind": "flat", "lists": 0, "probes": 0, "recall": 1}),
            ("embedding_pace", 812),
            ("articles", {"art_1": None}),
            ("articles", ["art_1"]),
            ("files", {"a": "00ff"}),
            ("files", {"a": {"sha256": "00ff", "bytes": 1.0}}),
            ("surprise", 1),
        ],
    )
    def test_a_field_that_is_unknown_or_of_a_wrong_type_is_refused_by_name(self, sealed, field, value):
        assert field in reason_against(unsigned(sealed) | {field: value})

    @pytest.mark.parametrize(
        "text",
        ["", "{", "[]", "null", "{}\n", "NaN", '{"format_version": 1}', "[" * 100_000, "9" * 5_000, "\ud800"],
    )
    def test_a_text_that_is_no_manifest_is_refused(self, text):
        with pytest.raises(GenerationDamaged, match=MANIFEST_FILE):
            Manifest.from_json(text, generation="000007")

    def test_a_value_altered_by_hand_is_refused(self, sealed):
        path = sealed / MANIFEST_FILE
        path.write_text(path.read_text().replace('"chunks":3', '"chunks":4'))
        assert "not as it was written" in refusal(sealed).reason

    @pytest.mark.parametrize(
        ("old", "new"),
        [(",", ", "), ('"chunks":3', '"chunks":3,"chunks":3'), ('"mini"', '"\\u006dini"'), ("\n", "\r\n")],
    )
    def test_the_same_values_spelled_otherwise_are_refused(self, sealed, old, new):
        path = sealed / MANIFEST_FILE
        path.write_bytes(path.read_bytes().replace(old.encode(), new.encode(), 1))
        assert refusal(sealed).file == MANIFEST_FILE

    def test_names_beyond_ascii_are_kept(self, sealed):
        """Linux allows any bytes in a name; those that are no UTF-8 come as lone surrogates."""
        for name in ["Überblick.json", os.fsdecode(b"\xff\xfe.bin")]:
            (sealed / name).write_bytes(b"abc")
        assert seal(sealed, draft()) == verify(sealed)


def unsigned(folder: Path) -> dict:
    values = json.loads((folder / MANIFEST_FILE).read_text())
    del values["manifest_sha256"]
    return values


def signed(values: dict) -> str:
    """Sign as the documented form says, apart from the code under test: sorted, compact, ASCII, own hash."""

    def canonical(what: dict) -> str:
        return json.dumps(what, sort_keys=True, separators=(",", ":"))

    digest = hashlib.sha256(canonical(values).encode()).hexdigest()
    return canonical(values | {"manifest_sha256": digest}) + "\n"


def reason_against(values: dict) -> str:
    with pytest.raises(GenerationDamaged) as caught:
        Manifest.from_json(signed(values), generation="000007")
    assert caught.value.file == MANIFEST_FILE
    return caught.value.reason
