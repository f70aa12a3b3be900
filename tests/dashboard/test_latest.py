"""LatestOnly: the newest request counts, the others stop; errors in words."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from dashboard.latest import LatestOnly
from dashboard.results.base import Rest
from dashboard.session import Session
from xrfengine.errors import XRFError
from xrfengine.jobs import JobList


def chunked(value, n=40, log=None):
    """Work in chunks of 5 ms that can be cancelled between them."""

    def work(*, progress, cancel):
        for i in range(n):
            cancel.check()
            time.sleep(0.005)
            progress((i + 1) / n, f"part {i}")
        if log is not None:
            log.append(value)
        return value

    return work


def run(steps):
    async def main():
        results, errors = [], []
        latest = LatestOnly()
        await steps(latest, results, errors)
        await latest.finished()
        return results, errors

    return asyncio.run(main())


def test_forty_requests_complete_one_computation():
    completed = []

    async def steps(latest, results, errors):
        for i in range(40):
            latest.start(chunked(i, log=completed), then=results.append, failed=errors.append)
            await asyncio.sleep(0.004)
        await asyncio.sleep(0.5)

    assert run(steps) == ([39], [])
    assert completed == [39]


def test_a_late_result_of_an_older_request_is_dropped():
    gate = threading.Event()

    def stubborn(*, progress, cancel):
        gate.wait(5)  # never looks at its token
        return "old"

    async def steps(latest, results, errors):
        latest.start(stubborn, then=results.append, failed=errors.append)
        latest.start(chunked("new", 1), then=results.append, failed=errors.append)
        await latest.finished()
        gate.set()
        await asyncio.sleep(0.1)

    assert run(steps) == (["new"], [])


def test_a_newer_request_between_delivery_and_its_turn_wins():
    waiting = []

    async def main():
        results = []
        latest = LatestOnly(deliver=waiting.append)
        latest.start(chunked("old", 1), then=results.append, failed=results.append)
        await latest.finished()
        latest.start(chunked("new", 1), then=results.append, failed=results.append)
        await latest.finished()
        for callback in waiting:
            callback()
        return results

    assert asyncio.run(main()) == ["new"]


def test_cancel_delivers_nothing():
    async def steps(latest, results, errors):
        latest.start(chunked(1), then=results.append, failed=errors.append)
        await asyncio.sleep(0.02)
        latest.cancel()

    assert run(steps) == ([], [])


def test_errors_for_users_arrive_unchanged_and_others_with_a_reference(caplog):
    told = XRFError("no file", "choose another")

    def wrong(*, progress, cancel):
        raise told

    def broken(*, progress, cancel):
        raise ZeroDivisionError("secret detail")

    async def steps(latest, results, errors):
        latest.start(wrong, then=results.append, failed=errors.append)
        await latest.finished()
        latest.start(broken, then=results.append, failed=errors.append)

    results, errors = run(steps)
    assert results == []
    assert errors[0] is told
    assert "reference" in errors[1].message
    assert "secret" not in str(errors[1])
    assert "secret detail" in caplog.text


def test_progress_shows_after_a_moment_only():
    seen = []

    async def steps(latest, results, errors):
        latest.start(
            chunked(1, 10), then=results.append, failed=errors.append,
            progressed=lambda *step: seen.append(step),
        )  # fmt: skip
        await latest.finished()
        assert seen == []
        latest.start(
            chunked(2, 200), then=results.append, failed=errors.append,
            progressed=lambda *step: seen.append(step),
        )  # fmt: skip

    assert run(steps)[0] == [1, 2]
    assert seen
    assert [fraction for fraction, _ in seen] == sorted(fraction for fraction, _ in seen)


def test_a_job_cancelled_in_the_tray_is_told_to_its_pane():
    async def main():
        stopped, results = [], []
        with ThreadPoolExecutor(1) as executor:
            latest = LatestOnly(jobs=JobList(executor))
            latest.start(
                chunked(1, 400), then=results.append, failed=results.append,
                stopped=lambda: stopped.append(True), label="long",
            )  # fmt: skip
            await asyncio.sleep(0.1)
            assert latest.job.label == "long"
            latest.job.cancel()
            await latest.finished()
        return stopped, results

    assert asyncio.run(main()) == ([True], [])


def test_parts_are_shown_before_the_whole_and_none_after_a_newer_request():
    async def steps(latest, results, errors):
        shown = []

        def work(*, progress, cancel, show):
            for i in range(5):
                cancel.check()
                show(i)
                time.sleep(0.02)
            return "whole"

        latest.start(work, then=results.append, failed=errors.append, arrived=shown.append)
        await latest.finished()
        assert shown == sorted(shown)
        assert shown[-1] == 4
        count = len(shown)
        latest.start(work, then=results.append, failed=errors.append, arrived=shown.append)
        await asyncio.sleep(0.03)
        latest.cancel()
        begun = len(shown)
        await latest.finished()
        await asyncio.sleep(0.1)
        assert len(shown) == begun < count + 5

    assert run(steps) == (["whole"], [])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux gives threads a priority")
def test_patient_work_steps_back_for_other_work():
    def priority(*, progress, cancel):
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    async def main():
        told = []
        for is_patient in (True, False):
            latest = LatestOnly(is_patient=is_patient)
            latest.start(priority, then=told.append, failed=told.append)
            await latest.finished()
        return told

    patient, usual = asyncio.run(main())
    assert patient > usual
    assert usual == os.getpriority(os.PRIO_PROCESS, 0)


def test_work_that_waits_for_rest_begins_after_the_last_choice():
    async def main():
        session, began = Session(), []
        rest, latest = Rest(session), LatestOnly(is_patient=True)

        def work(*, progress, cancel):
            began.append(time.monotonic())

        later = {"then": lambda _: None, "failed": began.append, "after": partial(rest.of, 0.3)}
        latest.start(work, **later)
        for element in ("Fe", "Cu", "Pb"):
            await asyncio.sleep(0.15)
            session.element = element
        last = time.monotonic()
        assert not began
        await latest.finished()
        assert began[0] - last >= 0.29
        latest.start(work, **{**later, "after": partial(rest.of, 60.0)})
        await asyncio.sleep(0.01)
        latest.cancel()
        await asyncio.wait_for(latest.finished(), 5.0)
        assert len(began) == 1

    asyncio.run(main())
