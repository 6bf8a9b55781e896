"""Children that are forked right after a call: the call process makes their calls."""

import os
import secrets
import signal

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client.scripts import run, script
from tests.support import leftovers
from tests.support.progress import Served

FORKS = 50
MANY_FORKS = int(os.environ.get("FORKS", "300"))
"""The full size is 10,000."""

FORKING = """
    import os, sys
    from batchprogress import Client, Reporter
    started = None
    for number in range(int(sys.argv[2])):
        with Client(sys.argv[1]) as client, Reporter(sys.argv[1], "b") as reporter:
            client.create(f"b{number}", 1)
            reporter.succeeded(f"parent-{number}")
            assert reporter.flush(60)
        if not (child := os.fork()):
            if number % 3 == 0:
                reporter = client.reporter(f"b{number}")
                reporter.succeeded("a")
                sys.exit(0)  # which flushes
            with Reporter(sys.argv[1], f"b{number}") as reporter:
                reporter.succeeded("a")
                answered = reporter.flush(60)
            os._exit(not answered)
        assert os.waitpid(child, 0) == (child, 0)
        if started is None:
            started = len(os.listdir("/proc/self/fd"))
        if number % 50 == 49:
            print(number, flush=True)
    try:
        os.wait()
    except ChildProcessError:
        pass
    else:
        raise AssertionError("a child is left")
    assert len(os.listdir("/proc/self/fd")) <= started + 5, os.listdir("/proc/self/fd")
"""


@pytest.mark.parametrize(
    "forks",
    [FORKS, pytest.param(MANY_FORKS, marks=pytest.mark.more("forks 300 times"))],
    ids=["few", "many"],
)
async def test_a_fork_right_after_calls_hangs_nobody_and_loses_nothing(
    progress: Served, target: str, forks: int
) -> None:
    """Neither the parent inside os.fork() nor a child, which reports and exits; and no process is left."""
    mark = secrets.token_hex(8)
    await progress.create("b", forks)
    async with script(FORKING, target, str(forks), **{leftovers.VARIABLE: mark}) as forking:
        for number in range(49, forks, 50):
            await forking.prints(str(number))
        assert await forking.ended() == (0, "")
    assert leftovers.processes_left(mark) == []
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED
    for number in range(forks):
        assert (await progress.get(f"b{number}")).state == pb.BATCH_STATE_COMPLETED


CALL_PROCESSES = """
    import os, pathlib, signal, sys
    from contextlib import suppress
    from batchprogress import Reporter
    from batchprogress._grpc import call_processes as control
    reporter = Reporter(sys.argv[1], "b")
    def call_processes():
        mine = f"OF_TEST={os.environ['OF_TEST']}".encode()
        for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                is_mine = path.parent.name != str(os.getpid()) and mine in path.read_bytes()
                if is_mine and b"call_process.py" in (path.parent / "cmdline").read_bytes():
                    yield int(path.parent.name)
    def report_in_child(job_id):
        if not os.fork():
            reporter.succeeded(job_id)
            os._exit(not reporter.close(60))
        assert os.wait()[1] == 0
    reporter.succeeded("a")
    assert reporter.flush(60)
"""


async def test_children_share_a_call_process_which_is_replaced_if_it_is_killed(
    progress: Served, target: str
) -> None:
    """It is a child of nobody who waits for all children."""
    await progress.create("b", 4)
    source = f"""{CALL_PROCESSES}
    report_in_child("b")
    try:
        os.wait()
    except ChildProcessError:
        pass  # and not a wait for ever
    (killed,) = call_processes()
    os.kill(killed, signal.SIGKILL)
    assert control._control.recv(1) == b""  # waits until its sockets are closed
    report_in_child("c")
    (another,) = call_processes()
    report_in_child("d")
    assert [*call_processes()] == [another] != [killed]
    """
    assert await run(source, target, OF_TEST=target) == (0, "")
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_a_killed_parent_leaves_no_call_process(progress: Served, target: str) -> None:
    """Also with a child's watch under way."""
    mark = secrets.token_hex(8)
    await progress.create("b", 2)
    source = """
        import os, sys, threading
        from batchprogress import Client
        client = Client(sys.argv[1])
        client.get("b")
        read_end, write_end = os.pipe()
        if not (child := os.fork()):
            os.close(write_end)
            next(client.watch("b"))
            print("watching", flush=True)
            os.read(read_end, 1)  # until the parent is killed
            os._exit(0)
        os.wait()
    """
    async with script(source, target, **{leftovers.VARIABLE: mark}) as parent:
        await parent.prints("watching")
        parent.send(signal.SIGKILL)
        await parent.ended()
    assert leftovers.processes_left(mark) == []


async def test_a_call_process_without_descriptors_left_serves_again_later(
    progress: Served, target: str
) -> None:
    """A call that it cannot take fails and is tried again; calls in flight go on."""
    await progress.create("b", 2, sealed=False)
    source = """
        import os, resource, sys, threading
        from batchprogress import Client
        from batchprogress._grpc import call_processes
        client = Client(sys.argv[1], timeout=60.0)
        client.get("b")
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (32, limits[1]))  # the call process inherits it
        if not (child := os.fork()):
            first = call_processes._control
            states = client.watch("b")
            next(states)
            watches = [client.watch("b") for _ in range(60)]
            resource.setrlimit(resource.RLIMIT_NOFILE, (200, limits[1]))
            threads = [threading.Thread(target=next, args=[watch], daemon=True) for watch in watches]
            for thread in threads:
                thread.start()
            for thread in threads[:15]:
                thread.join(0.1)
            print("full", flush=True)
            assert next(states).total_jobs == 3
            assert call_processes._control is first
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    """
    async with script(source, target) as parent:
        await parent.prints("full")
        await progress.stub.AddJobs(pb.AddJobsRequest(batch_id="b", additional_jobs=1, request_id="r"))
        assert (await parent.ended())[0] == 0


async def test_a_child_that_has_closed_all_descriptors_reports(progress: Served, target: str) -> None:
    """Daemons do so; what they open afterwards has the same numbers and stays open."""
    await progress.create("b", 1)
    source = """
        import os, sys
        from batchprogress import Client, Reporter
        Client(sys.argv[1]).get("b")
        if not (child := os.fork()):
            os.closerange(3, 1000)
            files = [os.open(os.devnull, os.O_RDONLY) for _ in range(50)]
            with Reporter(sys.argv[1], "b") as reporter:
                reporter.succeeded("a")
                answered = reporter.flush(60)
            for file in files:
                os.fstat(file)
            os._exit(not answered)
        assert os.waitpid(child, 0)[1] == 0
    """
    assert await run(source, target) == (0, "")
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


async def test_what_a_child_does_to_a_watch_leaves_its_parents_watch_alone(
    progress: Served, target: str
) -> None:
    """A child that ends it sends nothing to the server, and one that goes on opens its own."""
    await progress.create("b", 2, sealed=False)
    source = """
        import os, sys
        from batchprogress import Client
        states = Client(sys.argv[1]).watch("b")
        assert next(states).total_jobs == 2
        if not (ending := os.fork()):
            states.close()
            sys.exit(0)
        assert os.waitpid(ending, 0)[1] == 0
        if not (watching := os.fork()):
            assert next(states).total_jobs == 3
            os._exit(0)
        print("forked", flush=True)
        assert next(states).total_jobs == 3
        assert os.waitpid(watching, 0)[1] == 0
    """
    async with script(source, target) as parent:
        await parent.prints("forked")
        await progress.stub.AddJobs(pb.AddJobsRequest(batch_id="b", additional_jobs=1, request_id="r"))
        exit_code, errors = await parent.ended()
    assert exit_code == 0, errors


async def test_a_child_that_exits_leaves_the_watch_of_an_event_loop_alone(
    progress: Served, target: str
) -> None:
    """Its interpreter lets go of every stream at its end."""
    await progress.create("b", 2, sealed=False)
    source = """
        import asyncio, os, sys
        from batchprogress import AsyncClient
        async def watch():
            states = AsyncClient(sys.argv[1]).watch("b")
            assert (await anext(states)).total_jobs == 2
            if not (child := os.fork()):
                del states
                sys.exit(0)
            assert os.waitpid(child, 0)[1] == 0
            print("forked", flush=True)
            assert (await anext(states)).total_jobs == 3
        asyncio.run(watch())
    """
    async with script(source, target) as parent:
        await parent.prints("forked")
        await progress.stub.AddJobs(pb.AddJobsRequest(batch_id="b", additional_jobs=1, request_id="r"))
        exit_code, errors = await parent.ended()
    assert exit_code == 0, errors
