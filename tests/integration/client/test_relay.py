"""A relay: what a process that forks reports, its child sends."""

import signal

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client.scripts import run, script
from tests.support.progress import Served

BEGIN = """
    import os, signal, sys
    from batchprogress import Reporter
    from batchprogress.integrations.relay import Relay, is_writable
    reporter = Reporter(sys.argv[1])
    relay = Relay(reporter)
    relay.start()
"""


async def test_a_process_and_its_forks_report_through_one_child(progress: Served, target: str) -> None:
    """Forks before, between and after reports: all are sent, and no process but the child has called gRPC."""
    await progress.create("b", 40)
    source = f"""{BEGIN}
    for number in range(20):
        relay.succeeded(f"parent{{number}}", batch_id="b")
        if not (child := os.fork()):
            relay.failed(f"child{{number}}", ValueError("ä" * 3000), batch_id="b", attempt=2)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    relay.close()
    assert reporter.counts.recorded == 0
    """
    assert await run(source, target, GRPC_ENABLE_FORK_SUPPORT="0") == (0, "")
    batch = await progress.get("b")
    assert (batch.succeeded_jobs, batch.failed_jobs, batch.state) == (20, 20, pb.BATCH_STATE_COMPLETED)


async def test_what_a_killed_process_had_reported_is_sent(progress: Served, target: str) -> None:
    """The child outlives its parent until everything in the pipe is answered."""
    await progress.create("b", 500)
    source = f"""{BEGIN}
    for number in range(500):
        relay.succeeded(str(number), batch_id="b")
    os.kill(os.getpid(), signal.SIGKILL)
    """
    exit_code, _ = await run(source, target)
    assert exit_code == -signal.SIGKILL
    async for message in progress.stub.WatchBatch(pb.WatchBatchRequest(batch_id="b")):
        batch = message.batch
    assert batch.succeeded_jobs == 500


async def test_the_child_after_one_that_was_frozen_is_not(
    target: str,
) -> None:
    """Reports wait again for room in the pipe of the next one."""
    source = f"""{BEGIN}
    os.kill(relay._child, signal.SIGSTOP)
    while not relay._is_full:
        relay.succeeded("a", batch_id="b")
    os.kill(relay._child, signal.SIGKILL)
    os.waitpid(relay._child, 0)
    relay.start()
    assert not relay._is_full
    """
    exit_code, _ = await run(source, target)
    assert exit_code == 0


async def test_a_killed_child_is_replaced(progress: Served, target: str) -> None:
    """The report that finds it gone goes to the next one."""
    await progress.create("b", 2)
    source = f"""{BEGIN}
    relay.succeeded("a", batch_id="b")
    os.kill(relay._child, signal.SIGKILL)
    os.waitpid(relay._child, 0)
    relay.succeeded("b", batch_id="b")
    relay.close()
    """
    assert await run(source, target) == (0, "")
    assert "b" in [
        one.job_id
        for one in (await progress.stub.ListJobResults(pb.ListJobResultsRequest(batch_id="b"))).job_results
    ]


async def test_a_child_that_ended_is_replaced_before_the_next_fork(progress: Served, target: str) -> None:
    """Whoever forks starts it before: all processes forked after that share one, and no zombie is left."""
    await progress.create("b", 10)
    source = f"""{BEGIN}
    os.kill(relay._child, signal.SIGKILL)
    os.waitid(os.P_PID, relay._child, os.WEXITED | os.WNOWAIT)
    children = set()
    for number in range(10):
        relay.start()
        children.add(relay._child)
        if not (child := os.fork()):
            relay.succeeded(str(number), batch_id="b")
            os._exit(relay._child not in children)
        assert os.waitpid(child, 0)[1] == 0
    assert len(children) == 1
    relay.close()
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        os._exit(0)
    """
    assert await run(source, target) == (0, "")
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_a_child_that_is_frozen_stops_no_job(progress: Served, target: str) -> None:
    """What the pipe has no room for is refused; what it has is sent when the child goes on.

    One report that is taken shows that it has gone on.
    """
    await progress.create("b", 6001)
    source = f"""{BEGIN}
    os.kill(relay._child, signal.SIGSTOP)
    for number in range(6000):
        relay.succeeded(str(number), batch_id="b")
    os.kill(relay._child, signal.SIGCONT)
    assert relay._is_full
    assert is_writable(relay._pipe, 60)
    relay.skipped("last", batch_id="b")
    assert not relay._is_full
    relay.close()
    """
    exit_code, errors = await run(source, target)
    assert exit_code == 0
    assert errors.count("BUFFER_FULL") == 1
    batch = await progress.get("b")
    assert 100 < batch.succeeded_jobs < 6000
    assert batch.skipped_jobs == 1


async def test_what_ends_a_whole_group_does_not_end_the_child_first(progress: Served, target: str) -> None:
    """SIGINT and SIGTERM come to worker and relay alike; what the worker reports after them is sent."""
    await progress.create("b", 1)
    source = f"""{BEGIN.replace("relay.start()", "os.setpgrp(); relay.start()")}
    signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM}})
    print("ready", flush=True)
    signal.sigwait({{signal.SIGTERM}})
    relay.succeeded("last", batch_id="b")
    relay.close()
    """
    async with script(source, target) as worker:
        await worker.says("ready")
        worker.send_to_group(signal.SIGTERM)
        assert await worker.ended() == (0, "")
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED
