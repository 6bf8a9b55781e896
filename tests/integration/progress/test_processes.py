"""One server of several processes: one port, one log, one page of metrics, one end."""

import asyncio
import os
import signal
from itertools import cycle
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from batchprogress.v1 import progress_pb2 as pb
from database_servers.ports import free_port
from tests.integration.observability.conftest import value
from tests.support.children import (
    PROCESSES,
    children_of,
    is_running,
    lines_of,
    metrics_of,
    processes,
    stub_of_each,
)
from tests.support.eventually import eventually
from tests.support.progress import Stub, progress_process, start

EXIT_BAD_CONFIGURATION = 78
SECONDS_MAX = 60
SERVICE = "batchprogress.v1.ProgressService"


def report(batch_id: str, job_id: str) -> pb.ReportJobResultRequest:
    """Return the report of a job that succeeded."""
    return pb.ReportJobResultRequest(batch_id=batch_id, job_id=job_id, outcome=pb.JOB_OUTCOME_SUCCEEDED)


async def refusal(
    database_url: str, listen: str = "127.0.0.1:0", **environment: str
) -> tuple[int | None, str]:
    """Run a server that must not start; return its exit code and its output."""
    process = await start(database_url, listen=listen, **{"PROGRESS_PROCESSES": "2", **environment})
    async with asyncio.timeout(SECONDS_MAX):
        _, output = await process.communicate()
    return process.returncode, output.decode()


async def states_of(stub: Stub, batch_id: str) -> list[pb.Batch]:
    """Watch a batch to its end."""
    async with asyncio.timeout(SECONDS_MAX):
        watch = stub.WatchBatch(pb.WatchBatchRequest(batch_id=batch_id))
        return [message.batch async for message in watch]


async def test_a_watch_at_one_process_sees_what_the_other_records(database_url: str) -> None:
    async with processes(database_url) as server, stub_of_each(server.target) as (one, other):
        await one.CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=3))
        watching = [asyncio.create_task(states_of(stub, "b")) for stub in (one, other)]
        for number, stub in enumerate((one, other, one)):
            await stub.ReportJobResult(report("b", f"j{number}"))
        for seen in await asyncio.gather(*watching):
            assert (seen[-1].state, seen[-1].succeeded_jobs) == (pb.BATCH_STATE_COMPLETED, 3)


async def test_metrics_of_all_processes_are_one_page(sqlite_url: str) -> None:
    """Counters are added up, totals over all batches are not, whichever process answers."""
    async with processes(sqlite_url) as server, stub_of_each(server.target) as stubs:
        for number, stub in enumerate(stubs):
            await stub.CreateBatch(pb.CreateBatchRequest(batch_id=f"b{number}", total_jobs=10))
            for job in range(number + 1):
                await stub.ReportJobResult(report(f"b{number}", f"j{job}"))
        watches = [stub.WatchBatch(pb.WatchBatchRequest(batch_id="b0")) for stub in stubs]
        for watch in watches:
            await watch.read()
        expected = {
            'batchprogress_call_seconds_count{code="OK",method="CreateBatch"}': PROCESSES,
            'batchprogress_call_seconds_count{code="OK",method="ReportJobResult"}': 3,
            "batchprogress_flush_results_sum": 3,
            "batchprogress_watches": PROCESSES,
            "batchprogress_processes": PROCESSES,
            "batchprogress_ready": 1,
            "batchprogress_process_restarts_total": 0,
            'batchprogress_batches{state="PROCESSING"}': PROCESSES,
        }

        async def seen() -> dict[str, float | None]:
            page = await asyncio.to_thread(metrics_of, server)
            return {series: value(page, series) for series in expected}

        await eventually(lambda: _all_equal(seen, expected))


async def _all_equal(seen: Any, expected: Any) -> bool:
    return all([await seen() == expected for _ in range(3 * PROCESSES)])


async def test_log_tells_the_process_of_each_line(sqlite_url: str) -> None:
    """The server serves once, with the number of its processes; its parent is process 0."""
    async with processes(sqlite_url) as server:
        (serving,) = lines_of(server, "serving")
        assert (serving["process"], serving["processes"]) == (0, PROCESSES)
        server.send(signal.SIGTERM)
        assert await server.ended() == 0
    assert sorted(line["process"] for line in lines_of(server, "stopped")) == [1, 2]


async def test_sigterm_answers_running_calls_of_all_processes(database_url: str) -> None:
    """Every report is answered, or refused in a way that allows a retry; the exit code is 0."""
    jobs = 200
    async with processes(database_url) as server, stub_of_each(server.target) as stubs:
        await stubs[0].CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=jobs))
        turns = zip(cycle(stubs), range(jobs), strict=False)
        calls = [
            asyncio.ensure_future(_code_of(stub.ReportJobResult(report("b", f"j{job}"))))
            for stub, job in turns
        ]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        server.send(signal.SIGTERM)
        codes = await asyncio.gather(*calls)
        assert await server.ended() == 0
    assert set(codes) <= {"OK", "UNAVAILABLE", "CANCELLED"}
    async with processes(database_url) as server, stub_of_each(server.target) as stubs:
        batch = (await stubs[0].GetBatch(pb.GetBatchRequest(batch_id="b"))).batch
    assert batch.succeeded_jobs >= codes.count("OK")


async def _code_of(call: Any) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def test_second_signal_ends_all_processes_at_once(sqlite_url: str) -> None:
    async with processes(sqlite_url, PROGRESS_DRAIN_SECONDS="3600") as server:
        children = children_of(server.pid)
        os.kill(min(children), signal.SIGSTOP)  # it will not drain
        server.send(signal.SIGTERM)
        await server.logged("draining")
        server.send(signal.SIGTERM)
        assert await server.ended() == 128 + signal.SIGTERM
    await eventually(lambda: not any(map(is_running, children)))


async def test_children_end_with_their_parent(sqlite_url: str) -> None:
    """The parent may be killed with -9; its children drain."""
    async with processes(sqlite_url) as server:
        children = children_of(server.pid)
        assert len(children) == PROCESSES
        server.send(signal.SIGKILL)
        await server.ended()
    await eventually(lambda: not any(map(is_running, children)))


@pytest.mark.parametrize("number", ["1", "2"])
async def test_second_server_on_the_port_fails(sqlite_url: str, tmp_path: Path, number: str) -> None:
    """It says so and leaves the port alone, of however many processes it is."""
    other_url = f"sqlite+aiosqlite:///{tmp_path}/other.db"
    async with processes(sqlite_url) as server:
        code, output = await refusal(other_url, server.target, PROGRESS_PROCESSES=number)
        assert code == EXIT_BAD_CONFIGURATION
        assert output.count(f"cannot listen on {server.target}") == 1
        async with stub_of_each(server.target) as stubs:
            assert len(stubs) == PROCESSES


async def test_port_of_another_server_is_not_taken(sqlite_url: str, tmp_path: Path) -> None:
    async with progress_process(sqlite_url) as alone:
        code, output = await refusal(f"sqlite+aiosqlite:///{tmp_path}/other.db", alone.target)
    assert code == EXIT_BAD_CONFIGURATION
    assert output.count(f"cannot listen on {alone.target}") == 1


async def test_port_is_free_again_after_the_end(sqlite_url: str) -> None:
    """Connections that the server closed do not keep the next one from its port."""
    port = free_port()
    for _ in range(2):
        async with processes(sqlite_url, listen=f"127.0.0.1:{port}") as server:
            async with stub_of_each(server.target) as stubs:
                assert len(stubs) == PROCESSES
            server.send(signal.SIGTERM)
            assert await server.ended() == 0


@pytest.mark.parametrize(
    ("environment", "code", "words"),
    [
        ({"BATCHES_DATABASE_URL": "mysql+asyncmy://root@127.0.0.1:1/none"}, 1, "does not answer"),
        (
            {"BATCHES_DATABASE_URL": "sqlite+aiosqlite:////none/t.db"},
            EXIT_BAD_CONFIGURATION,
            "its folder does not exist",
        ),
        ({"PROGRESS_DRAIN_SECONDS": "soon"}, EXIT_BAD_CONFIGURATION, "PROGRESS_DRAIN_SECONDS"),
        ({"PROGRESS_LISTEN": "unix:/tmp/socket"}, EXIT_BAD_CONFIGURATION, "share the Unix socket"),
        ({"PROGRESS_PROCESSES": "0"}, EXIT_BAD_CONFIGURATION, "PROGRESS_PROCESSES"),
    ],
)
async def test_refusal_is_told_once(
    sqlite_url: str, environment: dict[str, str], code: int, words: str
) -> None:
    """The command exits with the code of the process that could not start; no other one was started."""
    listen = environment.pop("PROGRESS_LISTEN", "127.0.0.1:0")
    url = environment.pop("BATCHES_DATABASE_URL", sqlite_url)
    exit_code, output = await refusal(url, listen, **environment)
    assert exit_code == code
    assert output.count(words) == 1
    assert '"process": 2' not in output
    assert "Traceback" not in output


async def test_probe_learns_that_one_process_hangs(sqlite_url: str) -> None:
    """Liveness on the admin port is that of all processes."""
    async with processes(sqlite_url) as server:
        (serving,) = lines_of(server, "serving")
        admin = f"127.0.0.1:{serving['admin_port']}"
        await eventually(lambda: _has_status(admin, SERVICE, health_pb2.HealthCheckResponse.SERVING))
        hanging = min(children_of(server.pid))
        os.kill(hanging, signal.SIGSTOP)
        await eventually(lambda: _has_status(admin, "liveness", health_pb2.HealthCheckResponse.NOT_SERVING))
        os.kill(hanging, signal.SIGCONT)
        await eventually(lambda: _has_status(admin, SERVICE, health_pb2.HealthCheckResponse.SERVING))


async def _has_status(target: str, service: str, status: int) -> bool:
    """Ask over a new connection; one that gets no answer in time counts as no answer."""
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=1)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == status)
