"""Builds in the background: one at a time, and every one comes to an end that every process can see."""

import os
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from index.errors import BuildCancelled, BuildRunning
from index.reports import BuildReport, Plan, Progress, Skipped
from ingest.article import RefusedInput
from service.building import run_job
from service.builds import BuildJobs, InThread, JobsClosed, follow
from service.jobs import KEPT_JOBS, BuildJob, JobRecords

REPORT = BuildReport("000001", True, 1, 1, 0, 0, 1, 0, (Skipped("art_1", "art_1 is damaged"),))


class Steered:
    """A build that waits to be told how to go on."""

    def __init__(self):
        self.go_on = threading.Event()
        self.fulls = []

    def __call__(self, full, *, on_plan, on_progress, cancelled):
        self.fulls.append(full)
        on_plan(Plan(8, 5, 3, "the model is another", 12.5))
        on_progress(Progress("embed", 3, 8))
        while not self.go_on.wait(0.01):
            if cancelled():
                raise BuildCancelled("stopped")
        return REPORT


@pytest.fixture
def steered():
    return Steered()


@pytest.fixture
def records(tmp_path):
    return JobRecords(tmp_path / "builds")


@pytest.fixture
def jobs(records, steered):
    jobs = BuildJobs(records, InThread(steered))
    yield jobs
    jobs.close()


def until(true, seconds=10):
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


def ended(jobs, job):
    until(lambda: jobs.get(job.id).finished)
    return jobs.get(job.id)


def at_work(jobs, job):
    until(lambda: jobs.get(job.id).progress)
    return jobs.get(job.id)


def test_a_build_succeeds_with_its_report(jobs, steered):
    job = jobs.start(True)
    assert (job.state, job.result, job.finished) == ("queued", None, False)
    steered.go_on.set()
    job = ended(jobs, job)
    assert (job.state, job.result, job.error) == ("succeeded", REPORT, None)
    assert job.created_at <= job.started_at <= job.finished_at
    assert steered.fulls == [True]


def test_plan_and_progress_are_seen_while_it_runs(jobs):
    job = at_work(jobs, jobs.start(False))
    assert (job.state, job.progress.phase, job.progress.done, job.progress.total) == ("running", "embed", 3, 8)
    assert job.progress.eta_s is None
    assert job.plan == Plan(8, 5, 3, "the model is another", 12.5)
    assert job.pid == os.getpid()


def test_a_record_is_read_as_it_was_written(jobs, steered):
    running = at_work(jobs, jobs.start(False))
    assert BuildJob.from_json(running.to_json()) == running
    steered.go_on.set()
    job = ended(jobs, running)
    assert BuildJob.from_json(job.to_json()) == job


def test_a_second_start_gives_the_running_build_to_whoever_asks(jobs, steered, records):
    first = jobs.start(False)
    assert jobs.start(True).id == first.id
    others = BuildJobs(JobRecords(records._folder), InThread(steered))
    assert others.start(True).id == first.id
    steered.go_on.set()
    assert follow(records, first.id, lambda _: None).state == "succeeded"
    assert ended(jobs, jobs.start(False)).id != first.id
    assert steered.fulls == [False, False]


def test_a_build_is_cancelled_once_by_any_process(jobs, records):
    job = jobs.start(False)
    assert JobRecords(records._folder).cancel(job.id)
    job = ended(jobs, job)
    assert (job.state, job.result, job.error) == ("cancelled", None, None)
    assert not jobs.cancel(job.id)
    assert not jobs.cancel("build_unknown")
    assert not jobs.cancel("../../etc/passwd")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (BuildRunning(4711), "process 4711"),
        (RefusedInput("the article is empty"), "the article is empty"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (ZeroDivisionError("secret"), "internal error; the log"),
    ],
)
def test_an_error_fails_the_build_with_its_message(records, error, message):
    def run(_full, **_):
        raise error

    jobs = BuildJobs(records, InThread(run))
    job = ended(jobs, jobs.start(False))
    assert job.state == "failed"
    assert message in job.error
    assert "secret" not in job.error


def test_whoever_is_told_of_a_success_searches_what_was_built(records, steered):
    opened = []
    jobs = BuildJobs(records, InThread(steered), lambda: opened.append(1))
    job = jobs.start(False)
    steered.go_on.set()
    ended(jobs, job)
    jobs.get(job.id)
    assert opened == [1]


def test_close_cancels_and_no_more_is_started(records, steered):
    jobs = BuildJobs(records, InThread(steered))
    job = jobs.start(False)
    jobs.close()
    assert jobs.get(job.id).state == "cancelled"
    with pytest.raises(JobsClosed, match="stopping"):
        jobs.start(False)


def test_the_last_builds_are_kept_and_survive_the_server(records, steered, tmp_path):
    steered.go_on.set()
    jobs = BuildJobs(records, InThread(steered))
    made = [ended(jobs, jobs.start(False)).id for _ in range(KEPT_JOBS + 3)]
    restarted = JobRecords(tmp_path / "builds")
    assert restarted.get(made[1]) is None
    assert all(restarted.get(kept).state == "succeeded" for kept in made[4:])
    for kind in ("json", "lock"):
        assert len(list((tmp_path / "builds").glob(f"build_*.{kind}"))) <= KEPT_JOBS + 1


def test_the_remaining_time_follows_from_the_pace(records, monkeypatch):
    seconds = iter([100.0, 110.0])
    monkeypatch.setattr("service.building.time", SimpleNamespace(monotonic=lambda: next(seconds)))

    def run(_full, *, on_progress, **_):
        on_progress(Progress("embed", 0, 60))
        on_progress(Progress("embed", 20, 60))
        raise BuildCancelled("enough")

    _, handle = records.start_or_join(False)
    # 20 articles took 10 s, so the 40 that are left take 20 s.
    assert run_job(handle, run).progress.eta_s == 20.0


def test_a_build_that_succeeded_has_done_all(records):
    def run(_full, *, on_progress, **_):
        on_progress(Progress("publish", 0, 1))
        return REPORT

    _, handle = records.start_or_join(False)
    progress = run_job(handle, run).progress
    assert (progress.phase, progress.done, progress.total) == ("publish", 1, 1)


BUILDING = """
import structlog, sys, time
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
from pathlib import Path
from service.building import run_job
from service.jobs import JobRecords
job, handle = JobRecords(Path(sys.argv[1])).start_or_join(False)
if sys.argv[2] == "running":
    run_job(handle, lambda full, **_: (print(job.id, flush=True), time.sleep(60)))
print(job.id, flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("state", ["queued", "running"])
def test_a_build_whose_process_died_has_failed_with_the_reason(records, tmp_path, state):
    command = [sys.executable, "-c", BUILDING, str(tmp_path / "builds"), state]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        job_id = process.stdout.readline().strip()
        assert records.get(job_id).state == state
        assert records.start_or_join(False)[0].id == job_id
        process.send_signal(signal.SIGKILL)
        process.wait()
    job = records.get(job_id)
    assert (job.state, job.finished) == ("failed", True)
    assert f"({process.pid}) died" in job.error
    assert records.get(job_id) == job
    _, handle = records.start_or_join(False)
    assert handle is not None
    handle.close()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"id": 7}', "\x00" * 30])
def test_an_unreadable_record_is_no_build_and_stops_none(records, tmp_path, text):
    job, handle = records.start_or_join(False)
    handle.close()
    (tmp_path / "builds" / f"{job.id}.json").write_text(text)
    assert records.get(job.id) is None
    assert records.start_or_join(False)[1] is not None


def test_a_build_goes_on_when_its_record_cannot_be_written(records, tmp_path, steered, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    _, handle = records.start_or_join(False)
    steered.go_on.set()
    monkeypatch.setattr("service.jobs.replace_text", full)
    monkeypatch.setattr("pathlib.Path.write_text", full)
    assert run_job(handle, steered).result == REPORT
