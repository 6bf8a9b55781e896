"""Pools of multiprocessing end their workers by SIGTERM: no report of theirs is lost."""

from pathlib import Path
from textwrap import dedent

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client.scripts import run
from tests.support.progress import Served

JOBS = 100
MORE_RUNS = 3

POOL = """
    import multiprocessing, sys, time
    from batchprogress import Reporter

    reporter = None

    def token():
        time.sleep(float(sys.argv[3]))
        return "token"

    def work(job_id, target, batch_id):
        global reporter
        if reporter is None:
            reporter = Reporter(target, batch_id, token=token)
        reporter.succeeded(str(job_id))

    def main():
        with multiprocessing.get_context(sys.argv[2]).Pool(4) as pool:
            pool.starmap(work, [(job, sys.argv[1], "b") for job in range(int(sys.argv[4]))])
"""


async def run_pool(progress: Served, target: str, folder: Path, method: str, token_seconds: float) -> None:
    """Run a pool whose `with` block ends as soon as the last job has returned."""
    (folder / "pool_of_test.py").write_text(dedent(POOL))
    await progress.create("b", JOBS)
    source = f"""
        import sys
        sys.path.insert(0, {str(folder)!r})
        import pool_of_test
        if __name__ == "__main__":
            pool_of_test.main()
    """
    assert await run(source, target, method, str(token_seconds), str(JOBS)) == (0, "")
    batch = await progress.get("b")
    assert (batch.succeeded_jobs, batch.state) == (JOBS, pb.BATCH_STATE_COMPLETED)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
async def test_a_pool_that_is_terminated_loses_no_report(
    progress: Served, target: str, tmp_path: Path, method: str
) -> None:
    """The first call of each worker is still to be made when the pool ends."""
    await run_pool(progress, target, tmp_path, method, token_seconds=0.3)


@pytest.mark.more("runs each kind of pool three more times")
@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize("_run", range(MORE_RUNS))
async def test_no_run_of_a_pool_loses_a_report(
    progress: Served, target: str, tmp_path: Path, method: str, _run: int
) -> None:
    """As it comes, with a server that answers at once."""
    await run_pool(progress, target, tmp_path, method, token_seconds=0.0)


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
