"""The names of version 0.1 that 0.3 removes: they warn, and behave as before."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

import batchprogress
from batchprogress import BatchNotFound
from batchprogress.v1 import progress_pb2 as pb
from tests.integration.client.test_watching import report
from tests.support.progress import Served


def old(name: str, replacement: str) -> Any:
    """Return a name of version 0.1, which warns of its end."""
    with pytest.warns(
        DeprecationWarning, match=rf"batchprogress\.{name} is deprecated.*{replacement}"
    ) as warned:
        member = getattr(batchprogress, name)
    assert Path(warned[0].filename).name == Path(__file__).name  # a copy may have the original's bytecode
    return member


async def test_watch_yields_messages(progress: Served, target: str) -> None:
    """Both iterators yield the protobuf messages, of a target or over a channel that stays open."""
    await progress.create("b", 1)
    await report(progress, 0, 1)
    watch, watch_async = old("watch", "Client.watch"), old("watch_async", "AsyncClient.watch")
    seen = [batch async for batch in watch_async(progress.channel, "b")]
    seen += await asyncio.to_thread(lambda: list(watch(target, "b", min_interval=1.0)))
    assert [type(batch) for batch in seen] == [pb.Batch] * 2
    revision = (await progress.get("b")).revision
    assert [batch async for batch in watch_async(progress.channel, "b", after_revision=revision)] == []


async def test_watch_raises_the_errors_of_grpc(target: str) -> None:
    """Only an unknown batch has an error of this package."""
    watch, watch_async = old("watch", "Client.watch"), old("watch_async", "AsyncClient.watch")
    for batch_id, error_type in (("b", BatchNotFound), ("not valid", grpc.RpcError)):
        with pytest.raises(error_type):
            await asyncio.to_thread(list, watch(target, batch_id))
        with pytest.raises(error_type):
            _ = [batch async for batch in watch_async(target, batch_id)]


async def test_an_error_of_watch_has_the_cause_that_it_had(target: str) -> None:
    """Following the causes of an error ends."""
    watch = old("watch", "Client.watch")
    with pytest.raises(BatchNotFound) as not_found:
        await asyncio.to_thread(list, watch(target, "b"))
    assert isinstance(not_found.value.__cause__, grpc.RpcError)
    with pytest.raises(grpc.RpcError) as refused:
        await asyncio.to_thread(list, watch(target, "not valid"))
    assert refused.value.__cause__ is None


def test_batches_and_its_error_warn_too() -> None:
    """Their behaviour is tested in test_batches.py."""
    assert old("Batches", "Client").__name__ == "Batches"
    assert issubclass(old("BatchNotChanged", "CallFailed"), batchprogress.ProgressError)


def test_an_unknown_name_raises_as_in_any_module() -> None:
    """Only the names of version 0.1 are looked up."""
    name = "nope"
    with pytest.raises(AttributeError, match=name):
        getattr(batchprogress, name)
