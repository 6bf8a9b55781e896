"""Real servers on free ports, and clients for them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from pydantic import SecretStr

from batchprogress.v1 import job_status_pb2 as pb
from batchprogress.v1 import job_status_pb2_grpc
from rpc.serving.deployable import Deployable
from services.job_status.settings import JobStatusSettings
from services.job_status.wiring import job_status_server, open_source

LISTEN = "127.0.0.1:0"


@dataclass(frozen=True)
class Client:
    """A connection to a server."""

    channel: grpc.aio.Channel
    target: str = ""
    """host:port if this module started the server."""

    async def counts(self, batch_id: str) -> pb.GetBatchStatusResponse:
        """Return the counts of a batch."""
        stub = job_status_pb2_grpc.JobStatusServiceStub(self.channel)
        return await stub.GetBatchStatus(pb.GetBatchStatusRequest(batch_id=batch_id))

    async def page(self, batch_id: str, size: int = 0, token: str = "") -> pb.ListJobStatusesResponse:
        """Return a page of jobs."""
        request = pb.ListJobStatusesRequest(batch_id=batch_id, page_size=size, page_token=token)
        return await job_status_pb2_grpc.JobStatusServiceStub(self.channel).ListJobStatuses(request)

    async def pages(self, batch_id: str, size: int) -> list[pb.ListJobStatusesResponse]:
        """Return all pages of jobs."""
        pages = [await self.page(batch_id, size)]
        while pages[-1].next_page_token:
            pages.append(await self.page(batch_id, size, pages[-1].next_page_token))
        return pages


@asynccontextmanager
async def serving(source: str, url: str | None = None, **settings: Any) -> AsyncIterator[Client]:
    """Serve a queue as the process would; stops at exit."""
    if url is not None:
        settings["database_url"] = SecretStr(url)
    chosen = JobStatusSettings(listen=LISTEN, source=source, drain_seconds=0, **settings)
    async with job_status_server(chosen, open_source(chosen)) as server, connected(server) as client:
        yield client


@asynccontextmanager
async def connected(server: Deployable) -> AsyncIterator[Client]:
    """Connect to a running server."""
    target = f"127.0.0.1:{server.port}"
    async with grpc.aio.insecure_channel(target) as channel:
        yield Client(channel, target)
