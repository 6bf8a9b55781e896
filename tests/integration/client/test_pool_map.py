"""`batchprogress.map`: a batch of jobs in a pool of processes or threads."""

import io
import logging
import multiprocessing
import multiprocessing.resource_tracker
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Executor, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

import batchprogress
from batchprogress import BatchConflict, BatchEnded, BatchState, CancelReason, Reporter
from batchprogress._disabled import VARIABLE
from batchprogress.testing import Server
from batchprogress.testing.pytest_plugin import progress_server
from database_servers.ports import free_port
from tests.integration.client import documented

__all__ = ["progress_server"]

SECONDS_MAX = 30.0


def _double(number: int) -> int:
    return 2 * number


def _invert(number: int) -> float:
    return 1 / number


def _kill_worker(number: int) -> int:
    if number == 3:
        os._exit(1)
    return number


def _new_processes() -> Executor:
    return ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))


@contextmanager
def _loky() -> Iterator[Executor]:
    from joblib.externals.loky import get_reusable_executor  # noqa: PLC0415  # slow
    from joblib.externals.loky.backend import resource_tracker  # noqa: PLC0415

    with get_reusable_executor(max_workers=2) as executor:
        yield executor
    for tracker in (resource_tracker, multiprocessing.resource_tracker):
        tracker._resource_tracker._stop()  # noqa: SLF001  # it would outlive the test


POOLS = [
    ThreadPoolExecutor,
    *(
        pytest.param(pool, marks=pytest.mark.more("starts processes"))
        for pool in (ProcessPoolExecutor, _new_processes, _loky)
    ),
]


@pytest.mark.parametrize("new_pool", POOLS)
def test_results_are_in_order_and_every_job_is_reported(
    new_pool: Callable[[], AbstractContextManager[Executor]],
    progress_server: Server,
) -> None:
    """It works with every pool that has `submit`."""
    out = io.StringIO()
    with new_pool() as executor:
        results = batchprogress.map(
            executor, _double, range(20), batch_id="b", target=progress_server.target, file=out
        )
    assert results == [2 * number for number in range(20)]
    batch = progress_server.client.get("b")
    assert (batch.state, batch.succeeded_jobs) == (BatchState.COMPLETED, 20)
    assert out.getvalue().endswith("100 % ████████████████████████ 20/20, completed\n")


def test_a_failure_is_raised_after_all_jobs_have_run(progress_server: Server) -> None:
    """The failures are counted with their kinds; the first in the order of the items is raised."""
    with ThreadPoolExecutor(2) as executor:
        with pytest.raises(ZeroDivisionError):
            batchprogress.map(
                executor, _invert, [1, 0, 2], batch_id="b", target=progress_server.target, bar=False
            )
        results = batchprogress.map(
            executor, _invert, [1, 0], target=progress_server.target, bar=False, return_exceptions=True
        )
    assert results[0] == 1.0
    assert isinstance(results[1], ZeroDivisionError)
    assert (progress_server.client.get("b").succeeded_jobs, progress_server.client.get("b").failed_jobs) == (
        2,
        1,
    )
    (group,) = progress_server.client.failures("b")
    assert (group.error_type, group.sample_job_id) == ("ZeroDivisionError", "1")


@pytest.mark.more("starts processes, one of which dies")
def test_a_worker_that_dies_ends_the_batch(progress_server: Server) -> None:
    """The pool gives all jobs up that have not ended, and they are reported as failed."""
    with ProcessPoolExecutor(2) as executor, pytest.raises(BrokenProcessPool):
        batchprogress.map(
            executor, _kill_worker, range(20), batch_id="b", target=progress_server.target, bar=False
        )
    batch = progress_server.client.get("b")
    assert batch.state is BatchState.COMPLETED
    assert batch.failed_jobs > 0
    assert {one.error_type for one in progress_server.client.failures("b")} == {
        "concurrent.futures.process.BrokenProcessPool"
    }


def test_a_pool_that_refuses_jobs_ends_the_batch(progress_server: Server) -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with pytest.raises(RuntimeError, match="shutdown"):
        batchprogress.map(executor, _double, [1, 2], batch_id="b", target=progress_server.target, bar=False)
    assert progress_server.client.get("b").failed_jobs == 2


def test_an_interrupt_cancels_the_batch_and_the_jobs_that_are_left(
    progress_server: Server,
) -> None:
    """Ctrl-C leaves no batch behind that never ends."""
    goes_on, main = threading.Event(), threading.get_ident()

    def work(_: int) -> None:
        signal.pthread_kill(main, signal.SIGINT)
        goes_on.wait(SECONDS_MAX)

    with ThreadPoolExecutor(1) as executor:
        with pytest.raises(KeyboardInterrupt):
            batchprogress.map(
                executor, work, [1, 2, 3], batch_id="b", target=progress_server.target, bar=False
            )
        goes_on.set()
    batch = progress_server.client.get("b")
    assert batch.state is BatchState.CANCELLED
    assert batch.skipped_jobs >= 1  # 2, unless the interrupt came while the second job was submitted


def test_jobs_are_reported_before_the_last_one_is_submitted(progress_server: Server) -> None:
    """A pool whose queue is bounded lets `submit` wait, for hours if need be."""
    client = progress_server.client

    class Bounded(ThreadPoolExecutor):
        def submit(self, *args: Any, **kwargs: Any) -> Any:
            future = super().submit(*args, **kwargs)
            next(one for one in client.watch("b") if one.ended_jobs >= future.result())
            return future

    with Bounded(1) as executor:
        assert batchprogress.map(
            executor, int, [0, 0, 1, 2], batch_id="b", target=progress_server.target, bar=False
        ) == [0, 0, 1, 2]


def test_jobs_of_a_cancelled_batch_are_not_begun(progress_server: Server) -> None:
    """More failures than the limit allows cancel the batch; what is left is skipped."""
    client, begun = progress_server.client, threading.Event()

    def work(number: int) -> float:
        if number:  # the first job has failed, and the others wait until its report is answered
            begun.wait(SECONDS_MAX)
        return 1 / number

    def release() -> None:
        client.wait("b", timeout=SECONDS_MAX)
        begun.set()

    client.create("b", 50, max_failed_jobs=0)
    releasing = threading.Thread(target=release)
    releasing.start()
    with ThreadPoolExecutor(1) as executor:
        results = batchprogress.map(
            executor,
            work,
            range(50),
            batch_id="b",
            target=progress_server.target,
            max_failed_jobs=0,
            return_exceptions=True,
            bar=False,
        )
    releasing.join()
    batch = client.get("b")
    assert (batch.cancel_reason, batch.pending_jobs) == (CancelReason.FAILURE_LIMIT, 0)
    assert batch.skipped_jobs == sum(isinstance(one, CancelledError) for one in results)


def test_wrong_use_runs_no_job(progress_server: Server) -> None:
    """The batch has ended, has another total, or two items have one id."""
    ran: list[int] = []
    client = progress_server.client
    client.create("ended", 0)
    client.create("other", 5)
    with ThreadPoolExecutor(1) as executor:
        for batch_id, items, error in (("ended", [], BatchEnded), ("other", [1], BatchConflict)):
            with pytest.raises(error):
                batchprogress.map(
                    executor, ran.append, items, batch_id=batch_id, target=progress_server.target
                )
        with pytest.raises(ValueError, match="job id 'x'"):
            batchprogress.map(
                executor, ran.append, [1, 2], job_id=lambda _: "x", target=progress_server.target
            )
    assert ran == []


@pytest.mark.parametrize("name", [17, "", "a b", "\u00fc", "x" * 129])
def test_an_item_whose_report_would_be_refused_runs_no_job(progress_server: Server, name: object) -> None:
    """Its batch would wait for the report of that job for ever."""
    ran: list[int] = []
    job_id: Any = lambda _: name  # noqa: E731  # it is typed to return a string
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="printable ASCII"):
        batchprogress.map(executor, ran.append, [1], job_id=job_id, target=progress_server.target)
    assert ran == []


def test_a_repeated_id_is_found_at_once_among_many_items(progress_server: Server) -> None:
    """Comparing each id with all others would take half an hour."""
    names = [*map(str, range(300_000)), "299999"]
    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="job id '299999'"):
        batchprogress.map(executor, print, names, job_id=str, target=progress_server.target)


def test_jobs_run_while_the_server_is_away(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Work does not depend on its progress; the log says what is missing."""
    monkeypatch.setattr("batchprogress.pool_map.CREATE_SECONDS_MAX", 0.1)
    monkeypatch.setattr("batchprogress.pool_map.END_SECONDS_MAX", 0.1)
    with ThreadPoolExecutor(1) as executor, caplog.at_level(logging.WARNING):
        results = batchprogress.map(executor, _double, [1, 2], target=f"127.0.0.1:{free_port()}")
    assert results == [2, 4]
    assert "the jobs run without progress" in caplog.text


def test_jobs_run_with_reporting_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is sent and no bar is shown."""
    monkeypatch.setenv(VARIABLE, "1")
    out = io.StringIO()
    with ThreadPoolExecutor(1) as executor:
        assert batchprogress.map(executor, _double, [1], target="127.0.0.1:1", file=out) == [2]
    assert out.getvalue() == ""


def test_the_example_runs(progress_server: Server) -> None:
    """`map` is not in __all__, whose examples are run elsewhere."""
    values: dict[str, Any] = {"batchprogress": batchprogress}
    values |= {"client": progress_server.client, "reporter": Reporter(progress_server.target)}
    documented.run(documented.examples_of(batchprogress.map), values, progress_server.target)
