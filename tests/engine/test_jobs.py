"""Progress, cancelling and the job list."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xrfengine.errors import Cancelled
from xrfengine.jobs import CancelToken, JobList, chunks, part


@given(st.integers(0, 500), st.integers(1, 60))
def test_chunks_cover_everything_once(n, size):
    covered = [i for piece in chunks(n, size) for i in range(n)[piece]]
    assert covered == list(range(n))
    assert all(piece.stop - piece.start <= size for piece in chunks(n, size))


def test_part_maps_a_step_into_the_whole():
    seen = []
    inner = part(lambda fraction, message="": seen.append((fraction, message)), 0.2, 0.6)
    inner(0.0)
    inner(0.5, "half")
    inner(1.0)
    assert seen == [(0.2, ""), (0.4, "half"), (pytest.approx(0.6), "")]


def test_child_token_follows_its_parent_but_not_the_other_way():
    parent = CancelToken()
    child, sibling = CancelToken(parent), CancelToken(parent)
    sibling.cancel()
    assert not parent.is_cancelled
    assert not child.is_cancelled
    parent.cancel()
    with pytest.raises(Cancelled):
        child.check()


@pytest.fixture
def jobs():
    with ThreadPoolExecutor(2) as executor:
        yield JobList(executor, keep=3)


def test_job_reports_its_result_and_progress(jobs):
    def work(value, progress, cancel):
        progress(0.5, "half way")
        cancel.check()
        return value * 2

    job = jobs.submit("doubling", work, 21)
    assert job.future.result(5) == 42
    assert (job.state, job.fraction, job.message) == ("done", 1.0, "half way")
    assert job.remaining_s is None


def test_cancelled_job_ends_as_cancelled(jobs):
    started = threading.Event()

    def work(progress, cancel):
        started.set()
        while True:
            cancel.check()

    job = jobs.submit("endless", work)
    assert started.wait(5)
    job.cancel()
    with pytest.raises(Cancelled):
        job.future.result(5)
    assert job.state == "cancelled"
    assert job not in jobs.active()


def test_failure_reaches_who_waits(jobs):
    def work(progress, cancel):
        raise ValueError("no such thing")

    job = jobs.submit("failing", work)
    with pytest.raises(ValueError, match="no such thing"):
        job.future.result(5)
    assert job.state == "failed"
    assert isinstance(job.error, ValueError)


def test_only_the_latest_jobs_are_remembered(jobs):
    for number in range(6):
        jobs.submit(str(number), lambda progress, cancel: None).future.result(5)
    assert [job.label for job in jobs.all()] == ["3", "4", "5"]
