"""Reports are sent or kept in the spool, no matter how the reporter's process ends."""

import signal
from pathlib import Path

import pytest

from batchprogress import AsyncReporter
from batchprogress.v1 import progress_pb2 as pb
from tests.faults.cluster import Cluster
from tests.integration.client.scripts import run, script
from tests.support.progress import Served

JOBS = 500
REPORT = f"""
    import sys
    from batchprogress import Reporter
    reporter = Reporter(sys.argv[1], "b")
    for number in range({JOBS}):
        reporter.succeeded(f"j{{number}}")
"""


@pytest.mark.parametrize(("end", "code"), [("", 0), ("raise SystemExit(3)", 3), ("1 / 0", 1)])
async def test_an_exit_flushes(progress: Served, target: str, end: str, code: int) -> None:
    """The exit may be a normal end, SystemExit or an uncaught exception."""
    await progress.create("b", JOBS)
    exit_code, _ = await run(f"{REPORT}\n    {end}", target)
    assert exit_code == code
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_reports_of_threads_that_outlive_the_main_thread_are_flushed(
    progress: Served, target: str
) -> None:
    """Even the first report may come from such a thread."""
    await progress.create("b", 1)
    late = """
        import sys, threading
        from batchprogress import Reporter
        reporter = Reporter(sys.argv[1], "b")
        def work():
            threading.main_thread().join()
            reporter.succeeded("a")
        threading.Thread(target=work).start()
    """
    assert (await run(late, target))[0] == 0
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_an_exit_without_a_server_ends(servers: Cluster, target: str) -> None:
    """An exit waits a bounded time, logs how many reports are unsent, and keeps its exit code."""
    await servers.end(0, signal.SIGKILL)
    source = REPORT.replace('"b")', '"b", exit_seconds_max=0.2)')
    exit_code, errors = await run(source, target)
    assert exit_code == 0
    assert f"{JOBS} reports are unsent at the end" in errors


TERMINATED = f"""
    import signal, sys, time
    from batchprogress import Reporter
    reporter = Reporter(sys.argv[1], "b")
    {{before}}
    assert reporter.flush_on_sigterm()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    print("ready", flush=True)
    while signal.SIGTERM not in signal.sigpending():
        time.sleep(0.01)
    for number in range({JOBS}):
        reporter.succeeded(f"j{{{{number}}}}")
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])  # with all these reports unsent
    time.sleep(15)  # the flush takes 5 s at most, then the signal ends the script
"""


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ("", -signal.SIGTERM),
        ("signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))", 7),
    ],
)
async def test_sigterm_flushes_and_then_does_what_it_did_before(
    progress: Served, target: str, before: str, code: int
) -> None:
    """After flush_on_sigterm, the process ends as it would have, with its reports sent."""
    await progress.create("b", JOBS)
    async with script(TERMINATED.format(before=before), target) as worker:
        await worker.prints("ready")
        worker.send(signal.SIGTERM)
        exit_code, _ = await worker.ended()
    assert exit_code == code
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_sigterm_is_left_alone_where_it_cannot_be_chained(target: str) -> None:
    """Outside the main thread nothing is installed, and flush_on_sigterm returns False."""
    source = """
        import signal, sys, threading
        from batchprogress import Reporter
        returned = []
        thread = threading.Thread(target=lambda: returned.append(Reporter(sys.argv[1]).flush_on_sigterm()))
        thread.start(); thread.join()
        assert returned == [False] and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    """
    assert await run(source, target) == (0, "")


REPORTS_TO_SPOOL = """
    import signal, sys
    from batchprogress import Reporter
    reporter = Reporter(sys.argv[1], "b", spool=sys.argv[2])
    for number in range(int(sys.argv[3]), int(sys.argv[4])):
        reporter.succeeded(f"j{number}")
    print("reported", flush=True)
    signal.pause()
"""
RECOVERS = """
    import sys
    from batchprogress import Reporter
    with Reporter(sys.argv[1], "b", spool=sys.argv[2]) as reporter:
        assert reporter.flush(60)
"""


async def test_reports_of_killed_workers_are_sent_by_the_next_process(
    servers: Cluster, progress: Served, target: str, tmp_path: Path
) -> None:
    """Two workers without a server are killed by SIGKILL; a third sends the reports of both."""
    await progress.create("b", JOBS)
    spool = tmp_path / "spool"
    await servers.end(0, signal.SIGKILL)
    for first, last in ((0, 200), (200, JOBS)):
        async with script(REPORTS_TO_SPOOL, target, str(spool), str(first), str(last)) as worker:
            await worker.prints("reported")
            worker.send(signal.SIGKILL)
            assert (await worker.ended())[0] == -signal.SIGKILL
    assert len(list(spool.iterdir())) in {1, 2}  # the second may have copied the file of the first
    await servers.start(0)
    assert await run(RECOVERS, target, str(spool)) == (0, "")
    batch = (await progress.stub.GetBatch(pb.GetBatchRequest(batch_id="b"), wait_for_ready=True)).batch
    assert (batch.succeeded_jobs, batch.state) == (JOBS, pb.BATCH_STATE_COMPLETED)
    assert list(spool.iterdir()) == []


async def test_a_spool_that_cannot_be_written_fails_no_job(progress: Served, target: str) -> None:
    """Reports are sent from memory, and one log line says that they are not in the spool."""
    await progress.create("b", JOBS)
    source = REPORT.replace('"b")', '"b", spool="/dev/null/spool")')
    exit_code, errors = await run(source, target)
    assert (exit_code, errors.count("cannot be kept in the spool")) == (0, 1)
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_an_async_reporter_recovers_and_leaves_the_same_files(
    servers: Cluster, progress: Served, target: str, tmp_path: Path
) -> None:
    """Closed without a server, it leaves its reports to the next one."""
    await progress.create("b", 2)
    spool = tmp_path / "spool"
    await servers.end(0, signal.SIGKILL)
    async with script(REPORTS_TO_SPOOL, target, str(spool), "0", "1") as worker:
        await worker.prints("reported")
        worker.send(signal.SIGKILL)
        await worker.ended()
    unsent = AsyncReporter(target, "b", spool=spool)
    unsent.succeeded("j1")
    assert not await unsent.close(0.0)
    await servers.start(0)
    async with AsyncReporter(target, "b", spool=spool) as reporter:
        assert await reporter.flush(60)
    assert reporter.counts.recorded == 2
    assert list(spool.iterdir()) == []
