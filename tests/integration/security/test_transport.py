"""What the transport lets a caller without a token do."""

import asyncio
import resource
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2_grpc
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RemoteSettingsChanged

from batchprogress.v1 import progress_pb2 as pb
from rpc.serving import server as server_module
from rpc.serving.health import Health
from rpc.serving.server import METADATA_BYTES_MAX, STREAMS_MAX, ServerOptions, create_server, listen
from tests.integration.security.conftest import Serve
from tests.support.hostile_http2 import attacking
from tests.support.http2_frames import call_headers, greeting, half_message
from tests.support.memory import resident_kib
from tests.support.progress import progress_process, stub_of

CLOSED_SECONDS_MAX = 20.0
"""A busy machine is slow; the limits of these tests are 0.1 to 2 s."""
READ_BYTES = 2**16
QUIET = {"GRPC_VERBOSITY": "NONE"}
"""The core of gRPC logs what it refuses."""
FLOOD_SECONDS = 2.0
IDLE_CONNECTIONS = 3_000
FILES_MAX = 8_192
FLOODS = {
    "rapid reset": 2,
    "open calls": 1,
    "ping": 1,
    "settings": 1,
    "empty continuation": 1,
    "huge headers": 1,
    "hpack bomb": 1,
    "idle": IDLE_CONNECTIONS,
    "idle after greeting": IDLE_CONNECTIONS,
}
"""The number of connections of each attack."""
FLOOD_TIMES_MAX = 3
"""The memory of a flooded server beside that at rest: 1.1 to 2.2 times, by the machine. Without the limits a
flood took 15 times as much."""
CONTINUATION_TIMES_MAX = 6
"""What the transport reads of headers without an end comes and goes, 1.3 to 3.7 times the memory at rest."""


async def is_closed(reader: asyncio.StreamReader) -> bool:
    """Read until the server closes the connection, and drop what it sends."""
    async with asyncio.timeout(CLOSED_SECONDS_MAX):
        try:
            while await reader.read(READ_BYTES):
                pass
        except ConnectionError:
            pass
    return True


async def test_server_announces_its_limits(serve: Serve) -> None:
    """The number of calls on a connection, and the size of their metadata."""
    h2 = H2Connection(H2Configuration(client_side=True))
    h2.initiate_connection()
    async with serve() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(h2.data_to_send())
        while not any(
            isinstance(event, RemoteSettingsChanged)
            for event in h2.receive_data(await reader.read(READ_BYTES))
        ):
            pass
        writer.close()
    assert h2.remote_settings.max_concurrent_streams == STREAMS_MAX
    assert h2.remote_settings.max_header_list_size == METADATA_BYTES_MAX


async def test_connection_that_says_nothing_is_closed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "HANDSHAKE_MS_MAX", 100)
    async with serve() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        assert await is_closed(reader)
        writer.close()


async def test_connections_beyond_the_limit_are_closed_and_those_below_serve(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "CONNECTIONS_MAX", 1)
    async with serve() as server:
        await server.create("b", 1)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(greeting())
        assert await is_closed(reader)
        writer.close()
        await server.report("b", "j")


async def test_message_that_never_ends_is_dropped_with_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection ends after its age and grace."""
    monkeypatch.setattr(server_module, "CONNECTION_AGE_GRACE_MS", 100)
    options = ServerOptions("127.0.0.1:0", connection_age_seconds_max=1)
    server = create_server(options, {})
    health_pb2_grpc.add_HealthServicer_to_server(Health("", asyncio.Event().wait).servicer, server)
    port = listen(server, options)
    await server.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(greeting() + call_headers("/grpc.health.v1.Health/Check") + half_message(b"x"))
    assert await is_closed(reader)
    writer.close()
    await server.stop(None)


@pytest.fixture
def _many_files() -> Iterator[None]:
    """Raise the limit of open files for the processes of a test."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, FILES_MAX)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.more("attacks a process of its own for seconds")
@pytest.mark.usefixtures("_many_files")
@pytest.mark.parametrize(("name", "connections"), FLOODS.items())
async def test_flood_costs_little_memory(sqlite_url: str, name: str, connections: int) -> None:
    """Reports are answered meanwhile and afterwards."""
    rest, peak = await flooded(sqlite_url, name, connections)
    assert peak < FLOOD_TIMES_MAX * rest


@pytest.mark.more("attacks a process of its own for seconds")
async def test_headers_without_an_end_are_read_and_dropped(sqlite_url: str) -> None:
    rest, peak = await flooded(sqlite_url, "continuation", 1)
    assert peak < CONTINUATION_TIMES_MAX * rest


async def flooded(sqlite_url: str, name: str, connections: int) -> tuple[int, int]:
    """Attack a server and report meanwhile; return its memory in KiB at rest, and the most there was."""
    async with (
        progress_process(sqlite_url, **QUIET) as server,
        grpc.aio.insecure_channel(server.target) as channel,
    ):
        stub = stub_of(channel)
        await stub.CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=1_000_000))
        await _report(stub, 0)
        rest = resident_kib(server.pid, "VmRSS")
        async with attacking(server.port, name, connections=connections, seconds=FLOOD_SECONDS) as attack:
            ending = asyncio.create_task(attack.ended())
            number = 1
            while not ending.done():
                await _report(stub, number)
                number += 1
            sent = await ending
        print(f"{name}: {sent}, {number} reports")
        await _report(stub, number)
        return rest, resident_kib(server.pid, "VmHWM")


async def _report(stub: object, number: int) -> None:
    request = pb.ReportJobResultRequest(
        batch_id="b", job_id=f"job-{number}", outcome=pb.JOB_OUTCOME_SUCCEEDED
    )
    while True:
        try:
            await stub.ReportJobResult(request, timeout=CLOSED_SECONDS_MAX)  # type: ignore[attr-defined]
        except grpc.aio.AioRpcError as error:
            assert error.code() in {grpc.StatusCode.CANCELLED, grpc.StatusCode.RESOURCE_EXHAUSTED}  # noqa: PT017
        else:
            return
