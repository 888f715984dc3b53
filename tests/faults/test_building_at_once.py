"""Several processes that build the same index at once make one generation, and all are told of it."""

import time


def test_five_builds_at_once_are_one(folder):
    folder.run("add", *((number, 1) for number in range(40)))
    processes = [folder.start("build") for _ in range(5)]
    for process in processes:
        assert process.join()
    assert [process.exitcode for process in processes] == [0] * 5
    assert folder.catalog.names() == ["000001"]
    assert folder.notes().count("built 000001") == 5
    assert len(folder.check().articles) == 40


def test_a_build_that_waited_for_another_sees_what_came_after_its_beginning(folder):
    """Whoever adds and then builds finds it, be it that a build was running which had read the library before."""
    folder.run("add", *((number, 1) for number in range(60)))
    first = folder.start("build")
    while not list((folder.catalog.root / "unfinished").glob("*/*")):
        assert first.exitcode is None
        time.sleep(0.001)
    folder.run("add", (99, 1))
    folder.run("build")
    assert first.join()
    generation = folder.check()
    assert {one.id: one for one in generation.articles} == folder.library()
    assert len(generation.articles) == 61


def test_a_full_build_is_done_even_if_another_was_running(folder):
    folder.run("add", *((number, 1) for number in range(40)))
    first = folder.start("build")
    second = folder.start("build", "full")
    assert first.join()
    assert second.join()
    assert (first.exitcode, second.exitcode) == (0, 0)
    assert len(folder.check().articles) == 40


def test_the_lock_of_a_killed_build_is_free_at_once(folder):
    folder.run("add", *((number, 1) for number in range(60)))
    process = folder.start("build")
    while not list((folder.catalog.root / "unfinished").glob("*/*")):
        time.sleep(0.001)
    process.kill()
    process.join()
    folder.check_rebuilt()
