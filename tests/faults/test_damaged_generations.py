"""Any damage to any file of a generation is found by its hash and named before FAISS or numpy reads the file, and the
newest good generation is served meanwhile."""

import random
import shutil

import faiss
import fault_work
import numpy as np
import pytest

from index.catalog import Catalog
from index.errors import GenerationDamaged, NoGeneration
from index.generation import Generation
from service.live_index import LiveIndex


@pytest.fixture(scope="module")
def root(tmp_path_factory, make_folder):
    """An index of two generations."""
    folder = make_folder(tmp_path_factory.mktemp("damage"))
    folder.run("add", *((number, 1) for number in range(8)))
    folder.run("build")
    folder.run("add", *((number, 1) for number in range(8, 12)))
    folder.run("build")
    return folder.catalog.root


@pytest.fixture
def catalog(root, tmp_path):
    shutil.copytree(root, tmp_path / "index")
    return Catalog(tmp_path / "index")


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def refused(folder, path, monkeypatch):
    """Open a damaged generation: it must be refused with the file's name, and nothing may have been read from it."""
    with monkeypatch.context() as patch:
        for module, reader in ((faiss, "read_index"), (np, "load"), (np, "memmap")):
            patch.setattr(module, reader, lambda *_, **__: pytest.fail("an unverified file was read"))
        with pytest.raises(GenerationDamaged) as caught:
            Generation.open(folder)
    assert caught.value.file == path.relative_to(folder).as_posix()


def test_every_file_cut_at_every_hundredth(catalog, monkeypatch, thorough):
    folder, cuts = catalog.folder("000002"), 0
    for path in files_of(folder):
        content = path.read_bytes()
        for percent in range(0, 100, 1 if thorough else 10):
            path.write_bytes(content[: len(content) * percent // 100])
            refused(folder, path, monkeypatch)
            cuts += 1
        path.write_bytes(content)
    assert cuts >= (100 if thorough else 10) * 13
    assert len(Generation.open(folder).articles) == 12


def test_flipped_bits(catalog, monkeypatch, thorough):
    folder, chance = catalog.folder("000002"), random.Random(500)
    files = files_of(folder)
    places = 600 if thorough else 80
    for number in range(places):
        path = files[number % len(files)]  # every file, however small
        content = path.read_bytes()
        flipped = bytearray(content)
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        refused(folder, path, monkeypatch)
        path.write_bytes(content)
    assert len(Generation.open(folder).articles) == 12


@pytest.mark.parametrize("damage", ["emptied", "missing", "longer", "swapped", "of the other generation"])
def test_files_that_are_not_their_own(catalog, monkeypatch, damage):
    folder = catalog.folder("000002")
    files = files_of(folder)
    for number, path in enumerate(files):
        content = path.read_bytes()
        other = files[(number + 1) % len(files)]
        older = catalog.folder("000001") / path.relative_to(folder)
        match damage:
            case "emptied":
                path.write_bytes(b"")
            case "missing":
                path.unlink()
            case "longer":
                path.write_bytes(content + b"\0")
            case "swapped":
                path.write_bytes(other.read_bytes())
            case _:
                path.write_bytes(older.read_bytes())
        refused(folder, path, monkeypatch)
        path.write_bytes(content)
    assert len(Generation.open(folder).articles) == 12


def test_the_newest_good_generation_is_served_and_the_file_at_fault_is_named(catalog):
    for path in files_of(catalog.folder("000002")):
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        live = LiveIndex(catalog, fault_work.Numbers())
        live.refresh()
        searcher = live.searcher()
        assert searcher.generation.name == "000001"
        assert searcher.search("How many tons of rye in word3x?").hits
        (problem,) = live.problems
        assert (problem.generation, problem.file) == ("000002", path.relative_to(catalog.folder("000002")).as_posix())
        path.write_bytes(content)
    live = LiveIndex(catalog, fault_work.Numbers())
    live.refresh()
    assert (live.searcher().generation.name, live.problems) == ("000002", ())


def test_without_a_good_generation_the_first_fault_is_told(catalog):
    for name in catalog.names():
        (catalog.folder(name) / "texts.bin").unlink()
    live = LiveIndex(catalog, fault_work.Numbers())
    live.refresh()
    with pytest.raises(NoGeneration, match=r"generation '000002': file 'texts\.bin'"):
        live.searcher()
