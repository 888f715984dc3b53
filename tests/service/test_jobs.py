"""Builds in the background: one at a time, and every one comes to an end that can be seen."""

import threading
import time
from types import SimpleNamespace

import pytest

from index.errors import BuildCancelled, BuildRunning
from index.reports import BuildReport, Progress
from ingest.article import RefusedInput
from service.jobs import KEPT_JOBS, BuildJobs, JobsClosed

REPORT = BuildReport("000001", True, 1, 1, 0, 0, 1, 0, ())


class Steered:
    """A build that waits to be told how to go on."""

    def __init__(self):
        self.go_on = threading.Event()
        self.fulls = []

    def __call__(self, full, on_progress, cancelled):
        self.fulls.append(full)
        on_progress(Progress("embed", 3, 8))
        while not self.go_on.wait(0.01):
            if cancelled():
                raise BuildCancelled("stopped")
        return REPORT


@pytest.fixture
def steered():
    return Steered()


@pytest.fixture
def jobs(steered):
    jobs = BuildJobs(steered)
    yield jobs
    jobs.close()


def ended(jobs, job):
    deadline = time.monotonic() + 10
    while not job.finished and time.monotonic() < deadline:
        job = jobs.wait_for_change(job.id, job.version, 1)
    return job


def test_a_build_succeeds_with_its_report(jobs, steered):
    job = jobs.start(True)
    assert (job.state, job.result, job.finished) == ("queued", None, False)
    assert job.id.startswith("build_")
    steered.go_on.set()
    job = ended(jobs, job)
    assert (job.state, job.result, job.error) == ("succeeded", REPORT, None)
    assert job.created_at <= job.started_at <= job.finished_at
    assert steered.fulls == [True]


def test_progress_is_seen_while_it_runs(jobs):
    job = jobs.start(False)
    while job.progress is None:
        job = jobs.wait_for_change(job.id, job.version, 5)
    assert (job.state, job.progress.phase, job.progress.done, job.progress.total) == (
        "running",
        "embed",
        3,
        8,
    )
    assert job.progress.eta_s is None


def test_a_second_start_gives_the_running_build(jobs, steered):
    first = jobs.start(False)
    assert jobs.start(True).id == first.id
    steered.go_on.set()
    ended(jobs, first)
    assert jobs.start(False).id != first.id
    assert steered.fulls[0] is False


def test_cancel_ends_a_running_build_once(jobs):
    job = jobs.start(False)
    assert jobs.cancel(job.id)
    job = ended(jobs, job)
    assert (job.state, job.result, job.error) == ("cancelled", None, None)
    assert not jobs.cancel(job.id)
    assert not jobs.cancel("build_unknown")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (BuildRunning(4711), "process 4711"),
        (RefusedInput("the article is empty"), "the article is empty"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ZeroDivisionError("secret"), "internal error; the server's log has the details"),
    ],
)
def test_an_error_fails_the_build_with_its_message(error, message):
    def run(_full, _on_progress, _cancelled):
        raise error

    jobs = BuildJobs(run)
    job = ended(jobs, jobs.start(False))
    assert job.state == "failed"
    assert message in job.error
    assert "secret" not in job.error
    jobs.close()


def test_waiting_ends_with_the_time(jobs):
    job = jobs.start(False)
    while job.progress is None:
        job = jobs.wait_for_change(job.id, job.version, 5)
    assert jobs.wait_for_change(job.id, job.version, 0.05) == job
    assert jobs.wait_for_change("build_unknown", 0, 0.01) is None


def test_close_cancels_and_no_more_is_started(steered):
    jobs = BuildJobs(steered)
    job = jobs.start(False)
    jobs.close()
    assert jobs.get(job.id).state == "cancelled"
    with pytest.raises(JobsClosed, match="stopping"):
        jobs.start(False)


def test_the_last_builds_are_kept(steered):
    steered.go_on.set()
    jobs = BuildJobs(steered)
    made = [ended(jobs, jobs.start(False)).id for _ in range(KEPT_JOBS + 3)]
    assert jobs.get(made[2]) is None
    assert all(jobs.get(kept) for kept in made[3:])
    jobs.close()


def test_the_remaining_time_follows_from_the_pace(monkeypatch):
    seconds = iter([100.0, 110.0])
    monkeypatch.setattr("service.jobs.time", SimpleNamespace(monotonic=lambda: next(seconds)))

    def run(_full, on_progress, _cancelled):
        on_progress(Progress("embed", 0, 60))
        on_progress(Progress("embed", 20, 60))
        return REPORT

    jobs = BuildJobs(run)
    job = ended(jobs, jobs.start(False))
    # 20 texts took 10 s, so the 40 that are left take 20 s.
    assert job.progress.eta_s == 20.0
    jobs.close()
