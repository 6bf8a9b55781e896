"""Pools of processes lose no report: multiprocessing ends its workers by SIGTERM."""

import os
import signal
from itertools import product
from pathlib import Path
from textwrap import dedent

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client.scripts import run
from tests.support.progress import Served

JOBS = 100
POOLS = ("Pool", "ProcessPoolExecutor")
METHODS = ("fork", "spawn", "forkserver")
OWNERS = ("parent", "child")
"""Who makes the reporter: the parent, which has reported before and passes it on, or each child."""
MORE_RUNS = int(os.environ.get("POOL_RUNS", "3"))
"""The full size is 50."""

POOL = """
    import multiprocessing, sys, time
    from concurrent.futures import ProcessPoolExecutor
    from batchprogress import Reporter

    _, target, pool, method, owner, seconds = sys.argv
    reporter = None

    def token():
        time.sleep(float(seconds))
        return "token"

    def new_reporter():
        return Reporter(target, "b", token=token, exit_seconds_max=30.0)  # the machine may be busy

    def keep(given):
        global reporter
        reporter = given

    def work(job_id):
        global reporter
        if reporter is None:
            reporter = new_reporter()
        reporter.succeeded(str(job_id))

    def main():
        given = None
        if owner == "parent":
            given = new_reporter()
            given.succeeded("parent")
            assert given.flush(60)
        context, options = multiprocessing.get_context(method), {"initializer": keep, "initargs": [given]}
        if pool == "Pool":
            with context.Pool(4, **options) as workers:
                workers.map(work, range(JOBS))
        else:
            with ProcessPoolExecutor(4, context, **options) as workers:
                list(workers.map(work, range(JOBS)))
""".replace("JOBS", str(JOBS))


async def run_pool(progress: Served, folder: Path, kind: tuple[str, str, str], token_seconds: float) -> None:
    """Run a pool whose `with` block ends as soon as the last job has returned."""
    (folder / "pool_of_test.py").write_text(dedent(POOL))
    await progress.create("b", JOBS + ("parent" in kind))
    source = f"""
        import sys
        sys.path.insert(0, {str(folder)!r})
        import pool_of_test
        if __name__ == "__main__":
            pool_of_test.main()
    """
    target = f"127.0.0.1:{progress.port}"
    assert await run(source, target, *kind, str(token_seconds)) == (0, "")
    batch = await progress.get("b")
    assert (batch.pending_jobs, batch.state) == (0, pb.BATCH_STATE_COMPLETED)


@pytest.mark.parametrize("method", METHODS)
async def test_a_pool_that_is_terminated_loses_no_report(
    progress: Served, tmp_path: Path, method: str
) -> None:
    """The first call of each worker is still to be made when the pool ends; its parent has made one."""
    await run_pool(progress, tmp_path, ("Pool", method, "parent"), token_seconds=0.3)


@pytest.mark.more("runs each kind of pool several times")
@pytest.mark.parametrize("kind", tuple(product(POOLS, METHODS, OWNERS)), ids=":".join)
@pytest.mark.parametrize("_run", range(MORE_RUNS))
async def test_no_run_of_a_pool_loses_a_report(
    progress: Served, tmp_path: Path, kind: tuple[str, str, str], _run: int
) -> None:
    """As it comes, with a server that answers at once."""
    await run_pool(progress, tmp_path, kind, token_seconds=0.0)


async def test_a_pool_whose_program_handles_sigterm_is_left_alone(target: str) -> None:
    """A handler of the program's own says what SIGTERM does; it is inherited by fork."""
    source = """
        import multiprocessing, os, signal, sys
        from batchprogress import Reporter
        reporter = Reporter(sys.argv[1], "b")
        def handle(*_):
            os._exit(7)
        def work(reported):
            signal.signal(signal.SIGTERM, handle)
            reporter.succeeded("a")
            assert signal.getsignal(signal.SIGTERM) is handle
            reported.set()
            signal.pause()
        fork = multiprocessing.get_context("fork")
        reported = fork.Event()
        worker = fork.Process(target=work, args=(reported,))
        worker.start()
        assert reported.wait(60)
        worker.terminate()
        worker.join()
        assert worker.exitcode == 7, worker.exitcode
    """
    assert await run(source, target) == (0, "")


WAITING_FOR_A_LOCK = """
    import signal, sys, threading, time
    sys.setswitchinterval(1_000)  # so that the main thread is not interrupted before it waits
    is_terminated, waits = threading.Event(), []
    def token():
        is_terminated.wait()
        return "token"
    def terminate():
        while not waits:
            time.sleep(0)
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
        is_terminated.set()
    def wait_for_a_lock():
        locked = threading.Lock()
        locked.acquire()
        threading.Thread(target=terminate).start()
        waits.append(1)
        locked.acquire()
"""
"""Has SIGTERM arrive as if it were just before the main thread waits for a lock that is never released."""


async def test_sigterm_flushes_while_the_main_thread_handles_no_signal(progress: Served, target: str) -> None:
    """A child of multiprocessing needs no call for it."""
    await progress.create("b", 1)
    source = f"""{WAITING_FOR_A_LOCK}
    import multiprocessing
    from batchprogress import Reporter
    def work():
        Reporter(sys.argv[1], "b", token=token).succeeded("a")
        wait_for_a_lock()
    worker = multiprocessing.get_context("fork").Process(target=work)
    worker.start()
    worker.join()
    assert worker.exitcode == -signal.SIGTERM, worker.exitcode
    """
    assert await run(source, target) == (0, "")
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_sigterm_flushes_in_the_child_of_a_program_that_flushes_on_sigterm(
    progress: Served, target: str
) -> None:
    """The child installs again what it inherited, with a thread of its own."""
    await progress.create("b", 1)
    source = f"""{WAITING_FOR_A_LOCK}
    import os
    from batchprogress import Reporter
    reporter = Reporter(sys.argv[1], "b", token=token)
    assert reporter.flush_on_sigterm()
    if not (child := os.fork()):
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL  # there is nothing to flush yet
        reporter.succeeded("a")
        wait_for_a_lock()
    assert os.waitpid(child, 0)[1] == signal.SIGTERM
    """
    assert await run(source, target) == (0, "")
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_a_handler_that_the_program_installs_later_is_the_only_one(target: str) -> None:
    """The thread that waits for SIGTERM leaves it to that handler."""
    source = """
        import os, signal, sys
        from batchprogress import Reporter
        reporter = Reporter(sys.argv[1], "b")
        assert reporter.flush_on_sigterm()
        called = []
        signal.signal(signal.SIGTERM, lambda *_: called.append(1))
        os.kill(os.getpid(), signal.SIGTERM)
        reporter.succeeded("a")
        assert reporter.flush(60)  # in this time, the thread would have ended the process
        assert called == [1], called
    """
    exit_code, errors = await run(source, target)
    assert exit_code == 0, errors


async def test_two_reporters_flush_on_sigterm_while_the_main_thread_handles_none(
    progress: Served, target: str
) -> None:
    """One after the other, then the signal ends the process."""
    await progress.create("b", 2)
    source = f"""{WAITING_FOR_A_LOCK}
    from batchprogress import Reporter
    for job_id in "12":
        reporter = Reporter(sys.argv[1], "b", token=token)
        assert reporter.flush_on_sigterm()
        reporter.succeeded(job_id)
    wait_for_a_lock()
    """
    exit_code, errors = await run(source, target)
    assert exit_code == -signal.SIGTERM, errors
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED
