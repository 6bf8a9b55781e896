"""CreateBatch.notify_url: kept for the events of the batch, refused for other hosts, never returned."""

import asyncio
from pathlib import Path

import grpc
import pytest

from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress import Client, InvalidRequest
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.cli.command import CommandLine
from tests.integration.progress.test_bad_input import refused
from tests.support.progress import served
from tests.support.webhooks import taken_events

URL = "https://app.example/hooks?key=1"
OTHER = "https://other.example/hooks?key=1"


async def test_events_of_a_batch_have_its_url(tmp_path: Path) -> None:
    database_url = f"sqlite+aiosqlite:///{tmp_path}/t.db"
    async with served(database_url, notify_hosts="app.example") as server:
        request = pb.CreateBatchRequest(batch_id="b", total_jobs=0, notify_url=URL)
        created = (await server.stub.CreateBatch(request)).batch
        assert "app.example" not in str(created)
        cli = CommandLine(f"127.0.0.1:{server.port}")
        assert (await cli.run("create", "c", "--total", "0", "--notify-url", URL)).code == 0
        refusal = await cli.run("create", "d", "--total", "0", "--notify-url", OTHER)
        assert (refusal.code, "key=1" in refusal.err) == (6, False)
        await server.create("without", 0)
    database = Database(database_url, connections_max=1)
    events = await taken_events(BatchStore(database))
    await database.close()
    assert [(one.batch.batch_id, one.notify_url) for one in events] == [("b", URL), ("c", URL)]


async def test_other_hosts_and_invalid_urls_are_refused(tmp_path: Path) -> None:
    async with served(f"sqlite+aiosqlite:///{tmp_path}/t.db", notify_hosts="app.example") as server:
        for url, code, reason in (
            (OTHER, grpc.StatusCode.FAILED_PRECONDITION, "NOTIFY_URL_REFUSED"),
            ("http://app.example/", grpc.StatusCode.FAILED_PRECONDITION, "NOTIFY_URL_REFUSED"),
            ("https://user@app.example/", grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"),
            (URL + "x" * 2_000, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"),
        ):
            request = pb.CreateBatchRequest(batch_id="b", total_jobs=1, notify_url=url)
            answer = await refused(server.stub.CreateBatch(request))
            assert (answer.code, answer.reason) == (code, reason)
        answer = await refused(server.stub.GetBatch(pb.GetBatchRequest(batch_id="b")))
        assert answer.reason == "BATCH_NOT_FOUND"


async def test_the_client_raises_what_the_server_refuses(tmp_path: Path) -> None:
    async with served(f"sqlite+aiosqlite:///{tmp_path}/t.db") as server:
        with (
            Client(f"127.0.0.1:{server.port}") as client,
            pytest.raises(InvalidRequest, match="PROGRESS_NOTIFY_HOSTS"),
        ):
            await asyncio.to_thread(client.create, "b", 1, notify_url=URL)
