"""Who may ask OperationsService what."""

from pathlib import Path

import grpc
import pytest

from batches.store.batch_store import BatchStore
from batches.store.database import Database
from batchprogress.v1 import operations_pb2 as pb
from rpc.callers.principal import Role
from tests.integration.security.conftest import Serve, Tokens, bearing
from tests.integration.security.test_limits import refusal_of
from tests.integration.store.steps import create
from tests.support.progress import served
from tests.support.webhooks import claim, hand_over


@pytest.mark.parametrize("role", Role)
async def test_every_token_learns_about_itself(serve: Serve, tokens: Tokens, role: Role) -> None:
    token = tokens.add("someone", role, prefix="own-")
    async with serve(tokens_file=tokens.path) as server, bearing(server.port, token) as client:
        info = await client.operations.GetServerInfo(pb.GetServerInfoRequest())
        refusal = await refusal_of(server.operations.GetServerInfo(pb.GetServerInfoRequest()))
    assert (info.caller, list(info.roles), info.batch_prefix) == ("someone", [role], "own-")
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")


@pytest.mark.parametrize(
    ("role", "prefix", "reason"),
    [
        (Role.READER, "", None),
        (Role.READER, "own-", "PREFIXED_TOKEN"),
        (Role.WORKER, "", "ROLE_MISSING"),
        (Role.OPERATOR, "", "ROLE_MISSING"),
    ],
)
async def test_only_a_reader_of_all_batches_lists_passes(
    serve: Serve, tokens: Tokens, role: Role, prefix: str, reason: str | None
) -> None:
    token = tokens.add("someone", role, prefix=prefix)
    async with serve(tokens_file=tokens.path) as server, bearing(server.port, token) as client:
        call = client.operations.ListPasses(pb.ListPassesRequest())
        if reason is None:
            assert list((await call).passes) == []
        else:
            refusal = await refusal_of(call)
            assert (refusal.code, refusal.reason) == (grpc.StatusCode.PERMISSION_DENIED, reason)


async def test_calls_of_operations_count_towards_the_rate(serve: Serve, tokens: Tokens) -> None:
    token = tokens.add("slow", Role.READER, more="calls_per_second_max = 1\n")
    async with serve(tokens_file=tokens.path) as server, bearing(server.port, token) as client:
        await client.operations.ListPasses(pb.ListPassesRequest())
        refusal = await refusal_of(client.operations.GetServerInfo(pb.GetServerInfoRequest()))
    assert refusal.reason == "CALLER_RATE"


@pytest.mark.parametrize("role", Role)
async def test_readers_list_deliveries_and_operators_retry_them(
    serve: Serve, tokens: Tokens, role: Role
) -> None:
    token = tokens.add("someone", role)
    async with serve(tokens_file=tokens.path) as server, bearing(server.port, token) as client:
        retry = await refusal_of(client.operations.RetryDelivery(pb.RetryDeliveryRequest(delivery_id="x")))
        assert retry.reason == ("DELIVERY_NOT_FOUND" if role is Role.OPERATOR else "ROLE_MISSING")
        listing = client.operations.ListDeliveries(pb.ListDeliveriesRequest(batch_id="x"))
        reason = (await refusal_of(listing)).reason
        assert reason == ("BATCH_NOT_FOUND" if role is Role.READER else "ROLE_MISSING")


async def test_a_token_with_a_prefix_reaches_only_deliveries_of_its_batches(
    tokens: Tokens, tmp_path: Path
) -> None:
    reader = tokens.add("reader", Role.READER, prefix="own-")
    operator = tokens.add("operator", Role.OPERATOR, prefix="own-")
    url = f"sqlite+aiosqlite:///{tmp_path}/t.db"
    async with served(url, tokens_file=tokens.path) as server:
        own, other = await _deliveries_of(url, "own-a", "other")
        async with bearing(server.port, reader) as client:
            listed = await client.operations.ListDeliveries(pb.ListDeliveriesRequest())
            assert [one.delivery_id for one in listed.deliveries] == [own]
            foreign = client.operations.ListDeliveries(pb.ListDeliveriesRequest(batch_id="other"))
            assert (await refusal_of(foreign)).reason == "BATCH_NOT_FOUND"
        async with bearing(server.port, operator) as client:
            again = await client.operations.RetryDelivery(pb.RetryDeliveryRequest(delivery_id=own))
            assert again.delivery.batch_id == "own-a"
            call = client.operations.RetryDelivery(pb.RetryDeliveryRequest(delivery_id=other))
            assert (await refusal_of(call)).reason == "DELIVERY_NOT_FOUND"


async def _deliveries_of(url: str, *batch_ids: str) -> list[str]:
    """Make a delivery of each batch; return their ids."""
    database = Database(url, connections_max=1)
    store = BatchStore(database)
    await store.want_events()
    for batch_id in batch_ids:
        await create(store, 0, batch_id)
    await hand_over(store)
    ids = [one.delivery_id for one in await claim(store)]
    await database.close()
    return ids
