"""Processes that die at any step of adding, removing, building, pruning and rolling back lose and break nothing."""

import random
import time

import pytest

from ingest.failpoints import EXIT_CODE, FAILPOINTS

ADDING = [point for point in FAILPOINTS if point.startswith("add.")]
REMOVING = [point for point in FAILPOINTS if point.startswith("remove.")]
BUILDING = [point for point in FAILPOINTS if point.startswith(("build.", "publish."))]
PRUNING = [point for point in FAILPOINTS if point.startswith("prune.")]
ROLLING_BACK = [point for point in FAILPOINTS if point.startswith("rollback.")]
ELSEWHERE = [point for point in FAILPOINTS if point.startswith(("backup.", "restore."))]  # test_backup.py

FIRST = [(number, 1) for number in range(8)]
LATER = [(number, 2) for number in (2, 5)] + [(number, 1) for number in range(8, 12)]


def test_every_failpoint_is_tried():
    assert (
        sorted(
            FAILPOINTS, key=lambda point: "add remove build prune rollback backup restore".split().index(kind(point))
        )
        == ADDING + REMOVING + BUILDING + PRUNING + ROLLING_BACK + ELSEWHERE
    )


def kind(point):
    name = point.split(".")[0]
    return "build" if name == "publish" else name


@pytest.mark.parametrize("failpoint", ADDING)
@pytest.mark.parametrize("first", [True, False], ids=["empty", "filled"])
def test_a_crash_while_adding(folder, failpoint, first):
    if not first:
        folder.run("add", *FIRST)
        folder.run("build")
    folder.run("add", *LATER, failpoint=f"{failpoint}:3", exit_code=EXIT_CODE)
    folder.check(adding=[LATER[2][0]])
    folder.run("add", *LATER)
    folder.check_rebuilt()


@pytest.mark.parametrize("failpoint", REMOVING)
def test_a_crash_while_removing(folder, failpoint):
    folder.run("add", *FIRST)
    folder.run("build")
    folder.run("remove", 1, 2, 3, failpoint=f"{failpoint}:2", exit_code=EXIT_CODE)
    folder.check(removing=[2])
    folder.run("remove", 2, 3)
    generation = folder.check_rebuilt()
    assert len(generation.articles) == 5


@pytest.mark.parametrize("failpoint", BUILDING)
def test_a_crash_in_the_first_build(folder, failpoint):
    folder.run("add", *FIRST)
    folder.run("build", failpoint=failpoint, exit_code=EXIT_CODE)
    generation = folder.check()
    whole = failpoint in BUILDING[BUILDING.index("publish.renamed") :]
    assert (generation is not None) == whole
    assert generation is None or len(generation.articles) == 8
    folder.check_rebuilt()


@pytest.mark.parametrize("failpoint", BUILDING)
def test_a_crash_in_a_later_build(folder, failpoint):
    folder.run("add", *FIRST)
    folder.run("build")
    folder.run("add", *LATER)
    folder.run("remove", 7)
    folder.run("build", failpoint=failpoint, exit_code=EXIT_CODE)
    published = failpoint in BUILDING[BUILDING.index("publish.current") :]
    assert folder.check().name == ("000002" if published else "000001")
    folder.check_rebuilt()


@pytest.mark.parametrize("failpoint", PRUNING)
@pytest.mark.parametrize("operation", ["prune", "build"])
def test_a_crash_while_pruning(folder, failpoint, operation):
    for version in range(1, 4):
        folder.run("add", (0, version))
        folder.run("build")
    folder.run("add", (0, 9))
    folder.run(operation, failpoint=failpoint, exit_code=EXIT_CODE)
    assert folder.check().name == ("000003" if operation == "prune" else "000004")
    folder.check_rebuilt()


@pytest.mark.parametrize("failpoint", ROLLING_BACK)
def test_a_crash_while_rolling_back(folder, failpoint):
    folder.run("add", *FIRST)
    folder.run("build")
    folder.run("add", *LATER)
    folder.run("build")
    folder.run("rollback", failpoint=failpoint, exit_code=EXIT_CODE)
    assert folder.check().name == ("000001" if failpoint == "rollback.current" else "000002")
    folder.run("rollback")
    assert folder.check().name == "000001"
    folder.check_rebuilt()


def test_what_was_embedded_before_a_crash_is_not_embedded_again(folder):
    folder.run("add", *FIRST)
    folder.run("build", failpoint="build.embedded:3", exit_code=EXIT_CODE)
    assert len(list((folder.catalog.root / "unfinished").glob("*/*/manifest.json"))) == 2
    # Dies as soon as something is embedded for the second time: of three parts, one is left.
    folder.run("build", failpoint="build.embedded:2")
    assert len(folder.check().articles) == 8


def test_kills_at_random_times(folder, thorough):
    """Each operation is killed somewhere within the time that it takes, and what must hold is looked at."""
    kills, died, seed = 200 if thorough else 40, 0, 20261125
    chance = random.Random(seed)
    version, took = 1, {}
    for _ in range(kills):
        version += 1
        operation = chance.choices(["add", "remove", "build", "full", "rollback", "prune"], [4, 1, 6, 2, 1, 1])[0]
        numbers = chance.sample(range(14), 4)
        arguments = {"add": [(number, version) for number in numbers], "remove": numbers[:2], "full": ["full"]}
        if operation in ("rollback", "prune") and folder.generation() is None:
            operation = "build"
        if operation in ("build", "full") and not folder.acknowledged():
            operation = "add"
        command = "build" if operation == "full" else operation
        began = time.monotonic()
        process = folder.start(command, *arguments.get(operation, []))
        process.join(chance.uniform(0, took.get(operation, 0.5)))
        process.kill()
        process.join()
        died += process.exitcode != 0
        took[operation] = max(took.get(operation, 0), min(time.monotonic() - began, 1.0))
        folder.check(**{"add": {"adding": numbers}, "remove": {"removing": numbers}}.get(operation, {}))
        if chance.random() < 0.2 and any(folder.library()):
            folder.check_rebuilt()
    assert died > kills / 3
    folder.run("add", (0, version + 1))
    folder.check_rebuilt()
