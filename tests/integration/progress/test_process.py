"""The server as a process: how it starts, and how it ends."""

import asyncio
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from pydantic import SecretStr
from sqlalchemy import text

from batches.migrations import migrate
from batches.settings import DatabaseSettings
from batches.store.database import Database
from batchprogress.v1 import progress_pb2 as pb
from process import gc_tuning
from services.progress.__main__ import serve
from services.progress.group_commit import GroupCommit
from services.progress.settings import ProgressSettings
from services.progress.wiring import progress_server
from tests.support.progress import progress_process, start, stub_of

EXIT_BAD_CONFIGURATION = 78
SECONDS_MAX = 30
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
SERVICE = "batchprogress.v1.ProgressService"
OPERATIONS = "batchprogress.v1.OperationsService"


async def refusal_to_start(database_url: str, **environment: str) -> tuple[int, str]:
    """Run a server that must refuse to start; return its exit code and its output."""
    process = await start(database_url, listen="127.0.0.1:0", **environment)
    async with asyncio.timeout(SECONDS_MAX):
        _, output = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def health_stub(channel: grpc.aio.Channel) -> Any:
    """Return the stub of grpc.health.v1."""
    return health_pb2_grpc.HealthStub(channel)


async def test_server_needs_no_configuration(tmp_path: Path) -> None:
    """It creates a new SQLite file with its tables, and serves."""
    async with (
        progress_process(f"sqlite+aiosqlite:///{tmp_path}/new.db") as process,
        grpc.aio.insecure_channel(process.target) as channel,
    ):
        stub = stub_of(channel)
        await stub.CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=1))
        await process.logged(f'"database": "SQLite file {tmp_path}/new.db"')


async def test_sigterm_answers_running_calls(database_url: str) -> None:
    """Every report that was sent is answered, or refused in a way that allows a retry; the exit code is 0."""
    jobs = 500
    async with (
        progress_process(database_url) as process,
        grpc.aio.insecure_channel(process.target) as channel,
    ):
        stub = stub_of(channel)
        await stub.CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=jobs))
        requests = [
            pb.ReportJobResultRequest(batch_id="b", job_id=f"j{n}", outcome=pb.JOB_OUTCOME_SUCCEEDED)
            for n in range(jobs)
        ]
        calls = [asyncio.ensure_future(_answer(stub.ReportJobResult(request))) for request in requests]
        await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        process.send(signal.SIGTERM)
        answers = await asyncio.gather(*calls)
        assert await process.ended() == 0
    assert set(answers) <= {"OK", "UNAVAILABLE", "CANCELLED"}
    async with (
        progress_process(database_url) as process,
        grpc.aio.insecure_channel(process.target) as channel,
    ):
        batch = (await stub_of(channel).GetBatch(pb.GetBatchRequest(batch_id="b"))).batch
    assert batch.succeeded_jobs >= answers.count("OK")


async def _answer(
    call: grpc.aio.UnaryUnaryCall[pb.ReportJobResultRequest, pb.ReportJobResultResponse],
) -> str:
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def test_running_server_is_ready_and_alive(database_url: str) -> None:
    async with (
        progress_process(database_url) as process,
        grpc.aio.insecure_channel(process.target) as channel,
    ):
        for service in ("liveness", "", SERVICE, OPERATIONS):
            await _until_serving(channel, service)


async def _until_serving(channel: grpc.aio.Channel, service: str) -> None:
    watch = health_stub(channel).Watch(health_pb2.HealthCheckRequest(service=service))
    async with asyncio.timeout(SECONDS_MAX):
        async for response in watch:
            if response.status == health_pb2.HealthCheckResponse.SERVING:
                break
    watch.cancel()


async def test_reflection_is_served_only_if_enabled(tmp_path: Path) -> None:
    """PROGRESS_REFLECTION enables it."""
    url = f"sqlite+aiosqlite:///{tmp_path}/t.db"
    for setting, expected in (("false", grpc.StatusCode.UNIMPLEMENTED), ("true", grpc.StatusCode.OK)):
        async with (
            progress_process(url, PROGRESS_REFLECTION=setting) as process,
            grpc.aio.insecure_channel(process.target) as channel,
        ):
            raw: Any = channel
            call = raw.stream_stream(REFLECTION)()
            await call.done_writing()
            assert await call.code() == expected


async def test_second_signal_ends_the_process_at_once(database_url: str) -> None:
    """A second SIGTERM during the drain ends it with 128 + 15."""
    async with (
        progress_process(database_url, PROGRESS_DRAIN_SECONDS="3600", PROGRESS_REFLECTION="true") as process,
        grpc.aio.insecure_channel(process.target) as channel,
    ):
        raw: Any = channel
        endless = raw.stream_stream(REFLECTION)()  # lasts as long as its client
        await endless.write(reflection_pb2.ServerReflectionRequest(list_services="").SerializeToString())
        await endless.read()
        process.send(signal.SIGTERM)
        await process.logged("draining")
        process.send(signal.SIGTERM)
        assert await process.ended() == 128 + signal.SIGTERM


async def test_unreadable_metrics_do_not_end_the_server(tmp_path: Path) -> None:
    """A row that the overview of all batches cannot read costs only these metrics."""
    file = tmp_path / "t.db"
    url = f"sqlite+aiosqlite:///{file}"
    async with (
        progress_process(url) as process,
        grpc.aio.insecure_channel(process.target) as channel,
    ):
        await stub_of(channel).CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=1))
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE batches SET create_time = 'not a time'")
    async with (
        progress_process(url) as process,
        grpc.aio.insecure_channel(process.target) as channel,
    ):
        await process.logged("the metrics of the batches cannot be read")
        await stub_of(channel).CreateBatch(pb.CreateBatchRequest(batch_id="another", total_jobs=1))
        process.send(signal.SIGTERM)
        assert await process.ended() == 0


@pytest.mark.parametrize(
    ("environment", "output"),
    [
        ({"BATCHES_DATABASE_URL": "postgresql://u:secret@h/d"}, "BATCHES_DATABASE_URL: must begin with"),
        ({"BATCHES_DATABASE_URL": "no url"}, "BATCHES_DATABASE_URL: is not a database URL"),
        ({"PROGRESS_DRAIN_SECONDS": "soon"}, "PROGRESS_DRAIN_SECONDS:"),
        ({"PROGRESS_LISTEN": "256.0.0.1:1"}, "cannot listen on 256.0.0.1:1"),
    ],
)
async def test_invalid_setting_exits_78(tmp_path: Path, environment: dict[str, str], output: str) -> None:
    """One line names the setting, without its value."""
    url = environment.pop("BATCHES_DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path}/t.db")
    listen = environment.pop("PROGRESS_LISTEN", "127.0.0.1:0")
    process = await start(url, listen=listen, **environment)
    async with asyncio.timeout(SECONDS_MAX):
        _, raw = await process.communicate()
    assert process.returncode == EXIT_BAD_CONFIGURATION
    assert output in raw.decode()
    assert "secret" not in raw.decode()


@pytest.mark.parametrize("database_engine", ["mysql", "mariadb"], indirect=True)
async def test_server_refuses_another_schema(new_database_url: str) -> None:
    """A server does not start on a schema of another version, and says what to do."""
    code, output = await refusal_to_start(new_database_url)
    assert (code, "python -m batches upgrade" in output) == (EXIT_BAD_CONFIGURATION, True)
    database = Database(new_database_url, connections_max=1)
    await migrate.upgrade(database)
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await database.close()
    code, output = await refusal_to_start(new_database_url)
    assert (code, "newer version" in output) == (EXIT_BAD_CONFIGURATION, True)


async def test_unreachable_database_exits_1() -> None:
    """It logs a message, without a stack trace or the password."""
    code, output = await refusal_to_start("mysql+asyncmy://root:secret@127.0.0.1:1/none")
    assert code == 1
    assert "does not answer" in output
    assert "secret" not in output
    assert "Traceback" not in output


@pytest.fixture
def _flusher_dies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the task that records results die at its start."""

    async def die(_: GroupCommit) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(GroupCommit, "run", die)


@pytest.mark.usefixtures("_flusher_dies")
async def test_program_ends_when_a_background_task_dies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gc_tuning, "tune_gc", lambda: None)  # this process runs other tests
    database = DatabaseSettings(database_url=SecretStr(f"sqlite+aiosqlite:///{tmp_path}/t.db"))
    with pytest.raises(ZeroDivisionError):
        async with asyncio.timeout(SECONDS_MAX):
            await serve(ProgressSettings(listen="127.0.0.1:0"), database)


@pytest.mark.usefixtures("_flusher_dies")
async def test_server_with_a_dead_task_leaves_nothing_behind(tmp_path: Path) -> None:
    """No task and no open port remain."""
    database = DatabaseSettings(database_url=SecretStr(f"sqlite+aiosqlite:///{tmp_path}/t.db"))
    before = asyncio.all_tasks()
    with pytest.raises(ZeroDivisionError):
        async with progress_server(ProgressSettings(listen="127.0.0.1:0"), database) as server:
            await server.wait(asyncio.Event())
    async with asyncio.timeout(SECONDS_MAX):
        while asyncio.all_tasks() - before:  # noqa: ASYNC110  # gRPC ends its own a little later
            await asyncio.sleep(0.01)
    with pytest.raises(ConnectionError):
        await asyncio.open_connection("127.0.0.1", server.admin.port)
