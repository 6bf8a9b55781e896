"""Workers of gevent and eventlet: nothing of ours stops their green threads."""

import pytest

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client.scripts import run
from tests.support.progress import Served

GEVENT = "from gevent import monkey, sleep, spawn; monkey.patch_all()"
EVENTLET = "from eventlet import monkey_patch, sleep, spawn; monkey_patch()"

MORE = pytest.mark.more("repeats with another library, or another patch")
LIBRARIES = [pytest.param(GEVENT, id="gevent"), pytest.param(EVENTLET, id="eventlet", marks=MORE)]

SLOW_SERVER = """
    import socket, sys, time
    from batchprogress import Client, Reporter, Unavailable
    listening = socket.create_server(("127.0.0.1", 0))  # accepts, and never answers
    target = f"127.0.0.1:{listening.getsockname()[1]}"
    steps = []
    def step():
        while True:
            steps.append(time.monotonic())
            sleep(0.01)
    spawn(step)
    reporter = Reporter(target, "b")
    for number in range(50):
        reporter.succeeded(str(number))
    assert not reporter.flush(1.0)
    try:
        Client(target, timeout=1.0).get("b")
    except Unavailable:
        pass
    reporter.close(0.1)
    assert len(steps) > 20, steps  # instead of 200
"""
WORKS = """
    import sys
    from batchprogress import BatchNotFound, Client, Reporter
    client, reporter = Client(sys.argv[1]), Reporter(sys.argv[1], "b")
    client.create("b", 50)
    jobs = [spawn(reporter.succeeded, str(number)) for number in range(50)]
    assert client.wait("b", timeout=60).succeeded_jobs == 50
    try:
        client.get("missing")
    except BatchNotFound:
        pass
    assert reporter.close(60)
    assert reporter.counts.recorded == 50
"""


def patched(library: str, source: str) -> str:
    """Return a script that patches everything first."""
    return f"\n    {library}\n{source}"


@pytest.mark.parametrize("library", LIBRARIES)
async def test_a_server_that_does_not_answer_stops_no_green_thread(library: str) -> None:
    """Neither while reports wait nor during a call."""
    exit_code, errors = await run(patched(library, SLOW_SERVER))
    assert exit_code == 0, errors


@pytest.mark.parametrize("library", LIBRARIES)
async def test_green_threads_create_report_and_watch(progress: Served, target: str, library: str) -> None:
    """As threads do."""
    exit_code, errors = await run(patched(library, WORKS), target)
    assert exit_code == 0, errors
    assert (await progress.get("b")).state == pb.BATCH_STATE_COMPLETED


HALF_PATCHED = [
    pytest.param("from gevent import monkey; monkey.patch_thread()", id="gevent"),
    pytest.param("from gevent import monkey; monkey.patch_all(time=False)", id="sleeps", marks=MORE),
    pytest.param("from eventlet import monkey_patch; monkey_patch(thread=True)", id="eventlet", marks=MORE),
]


@pytest.mark.parametrize("patch", HALF_PATCHED)
async def test_a_process_that_is_patched_by_half_is_refused(target: str, patch: str) -> None:
    """When the reporter or the client is made, with a sentence that says what to do."""
    source = f"""
        {patch}
        import sys
        from batchprogress import Client, GrpcUnusable, Reporter
        for make in (Client, Reporter):
            try:
                make(sys.argv[1])
            except GrpcUnusable as error:
                assert "patch_all" in str(error)
            else:
                raise AssertionError(make)
    """
    exit_code, errors = await run(source, target)
    assert exit_code == 0, errors


UNPATCHED = [
    pytest.param("from gevent import sleep, spawn; from gevent.pool import Pool", id="gevent"),
    pytest.param("from eventlet import sleep, spawn, GreenPool as Pool", id="eventlet", marks=MORE),
]
REFUSED = """
    import sys
    from batchprogress import Client, GrpcUnusable
    client = Client("127.0.0.1:1")
    refused = []
    def get():
        try:
            client.get("b")
        except GrpcUnusable as error:
            assert "patch_all" in str(error)
            refused.append(error)
    spawn(get)
    Pool(1).spawn(get)
    sleep(0.1)
    assert len(refused) == 2, refused
"""


@pytest.mark.parametrize("library", UNPATCHED)
async def test_a_call_in_a_green_thread_of_an_unpatched_process_is_refused(library: str) -> None:
    """It would stop all the others for as long as it takes."""
    exit_code, errors = await run(patched(library, REFUSED))
    assert exit_code == 0, errors


@pytest.mark.parametrize("library", UNPATCHED)
async def test_reports_stop_no_green_thread_of_an_unpatched_process(library: str) -> None:
    """They are sent by a real thread."""
    without_calls = SLOW_SERVER.replace("assert not reporter.flush(1.0)", "sleep(1.0)").replace(
        'Client(target, timeout=1.0).get("b")', "pass"
    )
    exit_code, errors = await run(patched(library, without_calls))
    assert exit_code == 0, errors
