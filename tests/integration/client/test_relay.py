"""The relay: a child process sends the reports of a process that forks."""

import signal

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client.scripts import run, script
from tests.support.progress import Served

BEGIN = """
    import os, signal, sys
    import batchprogress.integrations.relay
    from batchprogress import Reporter
    from batchprogress.integrations.relay import Relay, is_writable
    reporter = Reporter(sys.argv[1])
    relay = Relay(reporter)
    relay.start()
"""


async def test_a_process_and_its_forks_report_through_one_child(progress: Served, target: str) -> None:
    """Forks before, between and after reports: all reports are sent, and only the child calls gRPC."""
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


async def test_reports_of_a_killed_worker_are_sent(progress: Served, target: str) -> None:
    """The child outlives the worker until every report in the pipe is answered."""
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


async def test_a_child_that_replaces_a_frozen_one_is_waited_for_again(target: str) -> None:
    """No report waits long for the frozen one; a report waits for room in the pipe of the next one."""
    source = f"""{BEGIN}
    os.kill(relay._child, signal.SIGSTOP)
    signal.alarm(10)  # ends the script if a report waits
    while not relay._is_full:
        relay.succeeded("a", batch_id="b")
    batchprogress.integrations.relay.WRITE_SECONDS_MAX = 3_600.0
    relay.succeeded("b", batch_id="b")
    os.kill(relay._child, signal.SIGKILL)
    os.waitpid(relay._child, 0)
    relay.start()
    assert not relay._is_full
    """
    exit_code, _ = await run(source, target)
    assert exit_code == 0


async def test_a_killed_child_is_replaced(progress: Served, target: str) -> None:
    """The next report goes to a new child, in the worker and in a process that it had forked before."""
    await progress.create("b", 2)
    source = f"""{BEGIN}
    read, write = os.pipe()
    if not (job := os.fork()):
        os.read(read, 1)
        relay.succeeded("job", batch_id="b")
        relay.close()
        os._exit(0)
    os.kill(relay._child, signal.SIGKILL)
    os.waitpid(relay._child, 0)
    os.write(write, b"x")
    assert os.waitpid(job, 0)[1] == 0
    relay.succeeded("worker", batch_id="b")
    relay.close()
    """
    assert await run(source, target) == (0, "")
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_a_child_that_exited_is_replaced_before_the_next_fork(progress: Served, target: str) -> None:
    """After `start`, all processes forked later share one child, and no zombie is left."""
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


async def test_a_frozen_child_stops_no_job(progress: Served, target: str) -> None:
    """Reports are refused while the pipe is full; those in the pipe are sent once the child runs again.

    Once a report is accepted, the next ones wait for room again.
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


async def test_a_signal_to_the_process_group_does_not_end_the_child(progress: Served, target: str) -> None:
    """It reaches worker and relay at once; the relay sends what the worker reports afterwards."""
    await progress.create("b", 1)
    source = f"""{BEGIN.replace("relay.start()", "os.setpgrp(); relay.start()")}
    signal.pthread_sigmask(signal.SIG_BLOCK, {{signal.SIGTERM}})
    print("ready", flush=True)
    signal.sigwait({{signal.SIGTERM}})
    child = relay._child
    relay.succeeded("last", batch_id="b")
    assert relay._child == child
    relay.close()
    """
    async with script(source, target) as worker:
        await worker.prints("ready")
        worker.send_to_group(signal.SIGTERM)
        assert await worker.ended() == (0, "")
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_a_spawned_program_reports_through_the_child_of_the_process_that_spawned_it(
    progress: Served, target: str
) -> None:
    """It starts no child of its own, and what it spawns itself does not keep the pipe open."""
    await progress.create("b", 1)
    source = f"""{BEGIN}
    program = "\\n".join((
        "import os, sys",
        "from batchprogress import Reporter",
        "from batchprogress.integrations.relay import PIPE_VARIABLE, Relay",
        "relay = Relay(Reporter(sys.argv[1]))",
        "relay.inherit()",
        "relay.succeeded('spawned', batch_id='b')",
        "assert not relay._child",
        "assert PIPE_VARIABLE not in os.environ",
        "assert not os.get_inheritable(relay._pipe)",
    ))
    command = [sys.executable, "-c", program, sys.argv[1]]
    with relay.shared():
        spawned = os.posix_spawn(sys.executable, command, os.environ)
        assert os.waitpid(spawned, 0)[1] == 0
    assert not os.get_inheritable(relay._pipe)
    relay.close()
    """
    assert await run(source, target) == (0, "")
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_a_pipe_that_is_not_the_shared_one_is_not_inherited(target: str) -> None:
    """The descriptor may have been closed on the way, and used again."""
    source = f"""{BEGIN}
    other = Relay(reporter)
    for value in ("", "x", "99:1", f"{{os.pipe()[0]}}:1"):
        os.environ["BATCHPROGRESS_RELAY_PIPE"] = value
        other.inherit()
        assert other._pipe is None, value
    relay.close()
    """
    assert await run(source, target) == (0, "")
