"""Folders give the files that can be read, each once, and say what they leave out."""

import os
from pathlib import Path

import pytest

from ingest.folders import find_files


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def test_a_folder_is_walked_in_order(folder):
    for name in ("b.txt", "a.md", "sub/c.HTML", "sub/deeper/d.jsonl", "another/e.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("Words.")
    files, refusals = find_files([folder])
    names = [str(file.relative_to(folder)) for file in files]
    assert names == ["a.md", "b.txt", "another/e.txt", "sub/c.HTML", "sub/deeper/d.jsonl"]
    assert refusals == []


def test_hidden_files_and_folders_are_skipped(folder):
    (folder / ".git").mkdir()
    for name in (".hidden.txt", ".git/a.txt", "seen.txt"):
        (folder / name).write_text("Words.")
    assert find_files([folder]) == ([folder / "seen.txt"], [])


def test_named_files_are_kept_whatever_they_are(folder):
    paths = [folder / name for name in (".hidden.txt", "report.pdf", "link.txt")]
    paths[0].write_text("Words.")
    paths[1].write_text("Words.")
    paths[2].symlink_to("/etc/hostname")
    assert find_files(paths) == (paths, [])


def test_a_file_comes_once(folder):
    (folder / "a.txt").write_text("Words.")
    (folder / "b.txt").symlink_to("a.txt")
    assert find_files([folder / "a.txt", folder, folder / "b.txt"]) == ([folder / "a.txt"], [])


def test_what_cannot_be_taken_from_a_folder_is_refused(folder, tmp_path):
    (tmp_path / "secret.txt").write_text("Secret.")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "far.txt").write_text("Secret.")
    (folder / "file.pdf").write_text("x")
    (folder / "noext").write_text("x")
    os.mkfifo(folder / "fifo.txt")
    (folder / "away.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "awaydir").symlink_to(tmp_path / "outside")
    (folder / "broken.txt").symlink_to("nowhere")
    (folder / "circle.txt").symlink_to("circle.txt")
    files, refusals = find_files([folder])
    assert files == []
    reasons = {refusal.name.rsplit("/", 1)[1]: refusal.reason for refusal in refusals}
    leaves = "symbolic link that leaves the folder"
    assert reasons.pop("file.pdf").startswith("unsupported kind of file '.pdf'; supported are .htm, ")
    assert reasons.pop("noext").startswith("unsupported kind of file ''")
    assert reasons == {
        "fifo.txt": "not a regular file",
        "away.txt": leaves,
        "awaydir": leaves,
        "broken.txt": "broken symbolic link",
        "circle.txt": "broken symbolic link",
    }


def test_folders_that_hold_themselves_end(folder):
    (folder / "sub").mkdir()
    (folder / "sub" / "a.txt").write_text("Words.")
    (folder / "sub" / "up").symlink_to("..")
    (folder / "twin").symlink_to("sub")
    assert find_files([folder]) == ([folder / "sub" / "a.txt"], [])


@pytest.fixture
def deep_folder(folder, monkeypatch):
    """More folders in each other than Python can call, taken down again: pytest's own clean-up could not."""
    monkeypatch.chdir(folder)
    for _ in range(1200):
        Path("d").mkdir()
        os.chdir("d")
    Path("a.txt").write_text("Words.")
    yield folder
    Path("a.txt").unlink()
    for _ in range(1200):
        os.chdir("..")
        Path("d").rmdir()


def test_a_very_deep_folder_is_walked(deep_folder):
    files, refusals = find_files([deep_folder])
    assert [file.name for file in files] == ["a.txt"]
    assert refusals == []


def test_a_missing_path_is_refused(tmp_path):
    files, refusals = find_files([tmp_path / "none", tmp_path / "nul\0.txt"])
    assert files == []
    assert [refusal.reason for refusal in refusals] == ["missing: there is no such file or folder"] * 2


def test_a_name_that_is_no_text_is_refused_in_printable_words(folder):
    (folder / os.fsdecode(b"caf\xe9.txt")).write_text("Words.")
    files, (refusal,) = find_files([folder])
    assert files == []
    assert refusal.name.endswith("caf\\udce9.txt")
    assert refusal.name.isprintable()
