"""What a caller may do depends on its roles only."""

from typing import Any

import grpc
import pytest

from batchprogress.v1 import job_status_pb2, operations_pb2, progress_pb2
from batchprogress.v1 import progress_pb2 as pb
from rpc.callers.principal import Role
from services.job_status import permissions as job_status
from services.progress import permissions as progress
from tests.integration.security.conftest import Serve, Tokens, bearing, first_answer
from tests.support.answers import answered
from tests.support.progress import Served

SERVICES = {
    "progress": (progress_pb2.DESCRIPTOR.services_by_name["ProgressService"], progress.REQUIRED_ROLES),
    "operations": (
        operations_pb2.DESCRIPTOR.services_by_name["OperationsService"],
        progress.REQUIRED_ROLES,
    ),
    "job_status": (job_status_pb2.DESCRIPTOR.services_by_name["JobStatusService"], job_status.REQUIRED_ROLES),
}
BY_ROLE = {
    Role.WORKER: {"ReportJobResult", "ReportJobResults"},
    Role.READER: {
        "GetBatch",
        "GetJobResult",
        "ListBatches",
        "ListJobResults",
        "ListFailureGroups",
        "ListPendingJobs",
        "GetBatchHistory",
        "ListRepairs",
        "WatchBatch",
        "WatchBatches",
        "CreateWatchToken",
    },
    Role.OPERATOR: {"CreateBatch", "AddJobs", "SealBatch", "CancelBatch", "DeleteBatch"},
}
METHODS = [method.name for method in SERVICES["progress"][0].methods]


@pytest.mark.parametrize("name", SERVICES)
def test_every_method_has_a_required_role(name: str) -> None:
    """A new method of the contract fails here before it is forbidden to everybody."""
    descriptor, needed = SERVICES[name]
    contract = {f"/{descriptor.full_name}/{method.name}" for method in descriptor.methods}
    assert contract <= needed.keys()
    assert {one for one in needed if one.startswith(f"/{descriptor.full_name}/")} == contract


@pytest.mark.parametrize("role", Role)
async def test_role_allows_its_methods_and_no_others(serve: Serve, tokens: Tokens, role: Role) -> None:
    token = tokens.add("someone", role)
    async with serve(tokens_file=tokens.path) as server, bearing(server.port, token) as client:
        codes = {name: await code_of(client, name) for name in METHODS}
    refused = {name for name, code in codes.items() if code == ("PERMISSION_DENIED", "ROLE_MISSING")}
    assert set(METHODS) - refused == BY_ROLE[role]
    assert ("UNAUTHENTICATED", "TOKEN_INVALID") not in codes.values()


async def test_method_without_an_entry_is_forbidden_to_everybody(
    serve: Serve, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A caller with every role is refused too."""
    token = tokens.add("all", *Role)
    monkeypatch.delitem(progress.REQUIRED_ROLES, f"/{progress.SERVICE}/GetBatch")
    async with serve(tokens_file=tokens.path) as server, bearing(server.port, token) as client:
        assert await code_of(client, "GetBatch") == ("PERMISSION_DENIED", "ROLE_MISSING")
        assert await code_of(client, "ListBatches") == ("OK", "")


async def test_unknown_method_does_not_exist_whatever_the_role(serve: Serve, tokens: Tokens) -> None:
    """Without a token, it is refused like any other."""
    token = tokens.add("someone", Role.WORKER)
    async with serve(tokens_file=tokens.path) as server, bearing(server.port, token) as client:
        for channel, code in ((client.channel, "UNIMPLEMENTED"), (server.channel, "UNAUTHENTICATED")):
            raw: Any = channel
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await raw.unary_unary("/made.Up/Method")(b"")
            assert caught.value.code().name == code


async def test_forbidden_call_changes_nothing(serve: Serve, tokens: Tokens) -> None:
    """A worker cannot cancel a batch; its own reports still count."""
    operator, worker = tokens.add("operator", *Role), tokens.add("worker", Role.WORKER)
    async with (
        serve(tokens_file=tokens.path) as server,
        bearing(server.port, operator) as owner,
        bearing(server.port, worker) as client,
    ):
        await owner.create("b", 1)
        assert (await code_of(client, "CancelBatch"))[0] == "PERMISSION_DENIED"
        assert (await owner.get("b")).state == pb.BATCH_STATE_PROCESSING
        await client.report("b", "j")
        assert (await owner.get("b")).succeeded_jobs == 1


async def test_health_needs_no_token(serve: Serve, tokens: Tokens) -> None:
    """A load balancer gets health without a token, but nothing else."""
    tokens.add("someone", *Role)
    async with serve(tokens_file=tokens.path) as server:
        raw: Any = server.channel
        assert await raw.unary_unary("/grpc.health.v1.Health/Check")(b"") is not None
        assert await code_of(server, "ListBatches") == ("UNAUTHENTICATED", "TOKEN_INVALID")


async def code_of(client: Served, method: str) -> tuple[str, str]:
    """Call a method about the batch `b`; return code and reason."""
    request_type = getattr(pb, f"{method}Request")
    fields = request_type.DESCRIPTOR.fields_by_name
    call = getattr(client.stub, method)(request_type(**({"batch_id": "b"} if "batch_id" in fields else {})))
    try:
        await first_answer(call, is_stream=method.startswith("Watch"))
    except grpc.aio.AioRpcError as error:
        answer = answered(error)
        return answer.code.name, answer.reason
    return "OK", ""
