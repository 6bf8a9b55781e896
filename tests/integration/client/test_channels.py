"""The channel of a client, replaced when newer certificates may help."""

from pathlib import Path

import grpc
import pytest

from batchprogress._grpc import channels
from batchprogress._grpc.channels import Channels
from batchprogress._grpc.connection import Connection
from batchprogress._grpc.retry import Failure
from batchprogress.tls import TlsFiles
from batchprogress.v1 import progress_pb2 as pb
from batchprogress.v1 import progress_pb2_grpc
from tests.support.certificates import Authority
from tests.support.progress import served

UNAVAILABLE = Failure(grpc.StatusCode.UNAVAILABLE, "connection refused")


async def test_a_new_channel_cuts_no_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that finds the server down opens a new channel; a stream continues on its own channel."""
    monkeypatch.setattr(channels, "REOPENED_SECONDS_MIN", 0.0)
    authority = Authority("ours")
    certificate, key = authority.sign("server").write(tmp_path, "server")
    tls = TlsFiles(authority.write(tmp_path))
    url = f"sqlite+aiosqlite:///{tmp_path}/t.db"
    async with served(url, tls_certificate_file=certificate, tls_key_file=key) as server:
        connection = Connection(f"127.0.0.1:{server.port}", tls)
        held = Channels(connection, connection.open_async)
        before = progress_pb2_grpc.ProgressServiceStub(held.get())
        await before.CreateBatch(pb.CreateBatchRequest(batch_id="b", total_jobs=1))
        stream = before.WatchBatch(pb.WatchBatchRequest(batch_id="b"))
        states = aiter(stream)
        await anext(states)
        old = held.get()
        held.reopen_after(UNAVAILABLE, old)
        assert held.get() is not old
        after = progress_pb2_grpc.ProgressServiceStub(held.get())
        await after.CancelBatch(pb.CancelBatchRequest(batch_id="b"))
        assert (await anext(states)).batch.state == pb.BATCH_STATE_CANCELLED
        await held.get().close()
