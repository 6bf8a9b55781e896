"""The component `secured`: the programs with their certificates and tokens as mounted in the pods."""

import asyncio
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest
import pytest_asyncio

from batchprogress import AsyncReporter, TlsFiles
from batchprogress.v1 import job_status_pb2, job_status_pb2_grpc
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.job_status.queues import LaravelQueue
from tests.integration.reconciler.scenes import Process
from tests.k8s.cluster import Namespace, eventually
from tests.k8s.probes import pass_probes
from tests.k8s.secured import Installed
from tests.support.progress import Stub, stub_of
from tests.unit.k8s.layout import Manifest

pytestmark = [
    pytest.mark.xdist_group("kubernetes"),
    pytest.mark.usefixtures("controllers"),
    pytest.mark.parametrize("database_engine", ["sqlite"], indirect=True),
]

BATCH = "sync"
JOBS = 7
PAGE_SECONDS_MAX = 10.0


@pytest_asyncio.fixture
async def installed(
    namespace: Namespace,
    database_url: str,
    new_database_url: str,
    tmp_path: Path,
) -> AsyncIterator[Installed]:
    """Run progress, the dashboard, and job-status with a batch of Laravel that has ended."""
    queue = LaravelQueue(new_database_url)
    await queue.create()
    await queue.put(BATCH, {f"job-{number}": "succeeded" for number in range(JOBS)})
    installed = Installed(namespace, tmp_path)
    installed.apply({"batchprogress-database": database_url, "batchprogress-queue": new_database_url})
    async with AsyncExitStack() as stack:
        for name in installed.ports:
            pod = eventually(_pods_of(namespace, name))[0]
            process = await installed.start(pod)
            stack.push_async_callback(_kill, process)
            if name in installed.admin_ports:
                await pass_probes(pod, installed.admin_ports[name])
        yield installed


async def test_progress_requires_tls_and_a_token_with_the_right_role(installed: Installed) -> None:
    """It accepts a report with a worker's token over TLS."""
    enqueuer = _stub(installed, installed.tokens["enqueuer"])
    await enqueuer.create(BATCH)
    reporter = AsyncReporter(
        installed.target("progress"),
        BATCH,
        credentials=TlsFiles(installed.ca),
        token=installed.tokens["worker"],
        strict=True,
    )
    async with reporter:
        reporter.succeeded("job-1")
    for caller, code in (
        (_stub(installed, None), grpc.StatusCode.UNAUTHENTICATED),
        (_stub(installed, installed.tokens["worker"]), grpc.StatusCode.PERMISSION_DENIED),
        (Caller(grpc.aio.insecure_channel(installed.target("progress"))), grpc.StatusCode.UNAVAILABLE),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.create("another")
        assert caught.value.code() == code
        await caller.close()
    await enqueuer.close()


async def test_job_status_requires_a_client_certificate(installed: Installed) -> None:
    """The reconciler has one, and completes the batch."""
    enqueuer = _stub(installed, installed.tokens["enqueuer"])
    await enqueuer.create(BATCH)
    credentials = grpc.ssl_channel_credentials(installed.ca.read_bytes())
    async with grpc.aio.secure_channel(installed.target("job-status"), credentials) as channel:
        stub = job_status_pb2_grpc.JobStatusServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetBatchStatus(job_status_pb2.GetBatchStatusRequest(batch_id=BATCH))
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    installed.namespace.kubectl("create", "job", "--from=cronjob/reconciler", "by-hand")
    (pod,) = eventually(lambda: installed.namespace.pods_of("by-hand"))
    finished = await Process(await installed.start(pod)).finished()
    assert (finished.code, finished.summary["completed"]) == (0, 1), finished
    await enqueuer.close()


async def test_dashboard_reads_batches_over_tls(installed: Installed) -> None:
    """Its probe and its page are plaintext."""
    enqueuer = _stub(installed, installed.tokens["enqueuer"])
    await enqueuer.create(BATCH)
    await enqueuer.close()
    url = f"http://{installed.target('dashboard')}"
    await asyncio.to_thread(eventually, lambda: _page(f"{url}/health"))
    assert f'"{BATCH}"' in await asyncio.to_thread(_page, f"{url}/v1/batches")


class Caller:
    """A client that creates batches; it owns its channel."""

    def __init__(self, channel: grpc.aio.Channel, token: str | None = None) -> None:
        self._channel = channel
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._stub: Stub = stub_of(channel)

    async def create(self, batch_id: str) -> None:
        """Create a batch."""
        request = pb.CreateBatchRequest(batch_id=batch_id, total_jobs=JOBS)
        await self._stub.CreateBatch(request, metadata=self._metadata)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()


def _stub(installed: Installed, token: str | None) -> Caller:
    credentials = grpc.ssl_channel_credentials(installed.ca.read_bytes())
    return Caller(grpc.aio.secure_channel(installed.target("progress"), credentials), token)


def _pods_of(namespace: Namespace, name: str) -> Callable[[], list[Manifest]]:
    return lambda: namespace.all_of("pods", f"app.kubernetes.io/name={name}")


def _page(url: str) -> str:
    """Return the response of the dashboard, empty if it is not running yet."""
    try:
        with urllib.request.urlopen(url, timeout=PAGE_SECONDS_MAX) as answer:  # noqa: S310  # our own
            body: bytes = answer.read()
    except OSError:
        return ""
    return body.decode()


async def _kill(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.communicate()
