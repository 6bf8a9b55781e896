"""Who may ask OperationsService what."""

import grpc
import pytest

from batchprogress.v1 import operations_pb2 as pb
from rpc.callers.principal import Role
from tests.integration.security.conftest import Serve, Tokens, bearing
from tests.integration.security.test_limits import refusal_of


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
