"""A progress server of several processes: its children, and a connection to each of them."""

import json
import urllib.request
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from batchprogress.v1 import progress_pb2 as pb
from tests.integration.observability.test_request_ids import request_id_in
from tests.support.progress import ProgressProcess, Stub, progress_process, stub_of

PROCESSES = 2
CHANNEL_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.initial_reconnect_backoff_ms", 50))
"""Each channel has a connection of its own."""
CONNECTIONS_MAX = 200
"""That none of so many goes to one of two processes would be an accident of 1 in 2 ** 199."""
RANDOM_CHARACTERS = 12
"""The part of a request id that a process has made once."""


@asynccontextmanager
async def processes(database_url: str, **environment: str) -> AsyncIterator[ProgressProcess]:
    """Run a server of two processes while the context is open."""
    settings = {"PROGRESS_PROCESSES": str(PROCESSES), **environment}
    async with progress_process(database_url, **settings) as parent:
        yield parent


def children_of(pid: int) -> set[int]:
    """Return the process ids of the children that a process has now."""
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return {int(child) for one in lists for child in one.read_text().split()}


def is_running(pid: int) -> bool:
    """Return whether a process runs: it exists, and is no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@asynccontextmanager
async def stub_of_each(target: str) -> AsyncIterator[list[Stub]]:
    """Connect until each process has a connection; yield one stub of each."""
    async with AsyncExitStack() as stack:
        found: dict[str, Stub] = {}
        for _ in range(CONNECTIONS_MAX):
            opened = grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)
            channel = await stack.enter_async_context(opened)
            found.setdefault(await _process_of(stub_of(channel)), stub_of(channel))
            if len(found) == PROCESSES:
                break
        yield list(found.values())


async def _process_of(stub: Stub) -> str:
    try:
        await stub.GetBatch(pb.GetBatchRequest(batch_id="none"), wait_for_ready=True)
    except grpc.aio.AioRpcError as error:
        return request_id_in(error)[:RANDOM_CHARACTERS]
    raise AssertionError("a batch that does not exist was found")


def lines_of(process: ProgressProcess, event: str) -> list[dict[str, Any]]:
    """Return the lines of the log with an event."""
    lines = [json.loads(line) for line in process.log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def metrics_of(process: ProgressProcess) -> str:
    """Scrape a server."""
    (serving,) = lines_of(process, "serving")
    with urllib.request.urlopen(f"http://127.0.0.1:{serving['metrics_port']}/metrics", timeout=20) as answer:
        return str(answer.read().decode())
