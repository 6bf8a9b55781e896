"""Forks: each process sends its own reports once."""

from pathlib import Path

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client.scripts import run
from tests.support.progress import Served

CHILDREN = 4
EACH = 50

AFTER_USE = f"""
    import os, sys
    from batchprogress import Reporter
    spool = sys.argv[2] or None
    reporter = Reporter(sys.argv[1], "b", strict=bool(spool), spool=spool)
    def report(who):
        for number in range({EACH}):
            reporter.succeeded(f"{{who}}-{{number}}")
    reporter.succeeded("first")
    assert reporter.flush(60)
    children = []
    for child in range({CHILDREN}):
        report(f"parent{{child}}")  # waits or is in flight when the process forks
        children.append(os.fork())
        if not children[-1]:
            report(f"child{{child}}")
            answered = reporter.close(60)
            os._exit(0 if answered and reporter.counts.recorded == {EACH} else 1)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * {CHILDREN}
    assert reporter.close(60)
    assert reporter.counts.recorded == 1 + {CHILDREN * EACH}
"""


@pytest.mark.parametrize("spooled", [False, True])
async def test_after_a_fork_each_process_sends_its_own_reports_once(
    progress: Served, target: str, tmp_path: Path, *, spooled: bool
) -> None:
    """Reports that wait during a fork stay with the parent; the child has a channel of its own."""
    await progress.create("b", 1 + 2 * CHILDREN * EACH)
    spool = f"{tmp_path}/spool" if spooled else ""
    assert await run(AFTER_USE, target, spool) == (0, "")
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_a_fork_waits_for_the_call_in_flight_and_starts_no_other(progress: Served, target: str) -> None:
    """The child begins with nothing of its parent under way."""
    await progress.create("b", 2)
    source = """
        import os, sys, threading
        from batchprogress import Reporter
        calls, calling, may_go_on = [], threading.Event(), threading.Event()
        def token():  # called at the start of each call
            calls.append(1)
            calling.set()
            may_go_on.wait()
            return "token"
        reporter = Reporter(sys.argv[1], "b", token=token)
        reporter.succeeded("a")
        calling.wait()
        reporter.succeeded("b")
        threading.Timer(0.2, may_go_on.set).start()  # while the fork waits
        if not (child := os.fork()):
            os._exit(len(calls))
        assert os.waitpid(child, 0)[1] >> 8 == 1, "the child was forked after one call"
        assert reporter.counts.recorded >= 1, "and the parent had its answer"
        assert reporter.close(60)
    """
    assert await run(source, target) == (0, "")


async def test_a_multiprocessing_child_flushes_at_its_end(progress: Served, target: str) -> None:
    """Its report is still unsent when its function returns."""
    await progress.create("b", 1)
    source = """
        import multiprocessing, sys, time
        from batchprogress import Reporter
        has_returned = multiprocessing.get_context("fork").Event()
        def token():
            has_returned.wait()
            time.sleep(0.5)  # until a child that does not flush has exited
            return "token"
        reporter = Reporter(sys.argv[1], "b", token=token)
        def work():
            reporter.succeeded("a")
            has_returned.set()
        worker = multiprocessing.get_context("fork").Process(target=work)
        worker.start()
        worker.join()
        assert worker.exitcode == 0
    """
    assert await run(source, target) == (0, "")
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_a_prefork_worker_needs_nothing(progress: Served, target: str) -> None:
    """A reporter made before the fork works after it, and multiprocessing's processes flush at their end."""
    await progress.create("b", CHILDREN * EACH)
    source = f"""
        import multiprocessing, sys
        from batchprogress import Reporter
        reporter = Reporter(sys.argv[1], "b")
        def work(child):
            for number in range({EACH}):
                reporter.succeeded(f"{{child}}-{{number}}")
        fork = multiprocessing.get_context("fork")
        workers = [fork.Process(target=work, args=(child,)) for child in range({CHILDREN})]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert [worker.exitcode for worker in workers] == [0] * {CHILDREN}
    """
    assert await run(source, target) == (0, "")
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_threads_that_fork_at_once_leave_the_reporter_whole(progress: Served, target: str) -> None:
    """No fork releases a lock that another one holds, and none keeps it: reports work afterwards."""
    await progress.create("b", 1)
    source = """
        import os, sys, threading
        from batchprogress import Reporter
        reporter = Reporter(sys.argv[1], "b")
        def fork_often():
            for _ in range(100):
                if not (child := os.fork()):
                    os._exit(0)
                os.waitpid(child, 0)
        sys.setswitchinterval(1e-5)
        threads = [threading.Thread(target=fork_often) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        reporter.succeeded("a")
        assert reporter.close(60)
    """
    assert await run(source, target) == (0, "")
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED
