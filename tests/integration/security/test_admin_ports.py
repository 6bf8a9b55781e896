"""The admin ports: usable without TLS and tokens, but only to observe."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_channelz.v1 import channelz_pb2, channelz_pb2_grpc
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from database_servers.ports import free_port
from rpc.serving.admin import CHANNELZ
from tests.integration.security.conftest import Serve, Tokens
from tests.support.certificates import Authority

SECONDS_MAX = 20.0
SERVICE = "batchprogress.v1.ProgressService"
OPERATIONS = "batchprogress.v1.OperationsService"


async def test_probes_need_neither_tls_nor_a_token(serve: Serve, tokens: Tokens, tmp_path: Path) -> None:
    """Kubernetes' probes support neither; the admin port answers them, but has no batches."""
    authority = Authority("ours")
    admin = f"127.0.0.1:{free_port()}"
    tls = authority.mutual_tls(tmp_path)
    async with (
        serve(tokens_file=tokens.path, admin_listen=admin, **tls),
        grpc.aio.insecure_channel(admin) as channel,
    ):
        raw: Any = channel
        request = health_pb2.HealthCheckRequest(service="liveness").SerializeToString()
        answer = await raw.unary_unary("/grpc.health.v1.Health/Check")(request, wait_for_ready=True)
        assert (
            health_pb2.HealthCheckResponse.FromString(answer).status == health_pb2.HealthCheckResponse.SERVING
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await raw.unary_unary(f"/{SERVICE}/ListBatches")(b"")
        assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
        reflection = raw.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")()
        await reflection.done_writing()
        assert await reflection.code() is grpc.StatusCode.OK


async def test_each_port_lists_what_it_serves(serve: Serve) -> None:
    """Reflection lists exactly the services that answer on the port."""
    admin = f"127.0.0.1:{free_port()}"
    async with (
        serve(admin_listen=admin, reflection=True) as server,
        grpc.aio.insecure_channel(admin) as channel,
    ):
        everywhere = {health.SERVICE_NAME, reflection.SERVICE_NAME}
        ours = {SERVICE, OPERATIONS, *everywhere}
        assert await listed(server.channel) == await served(server.channel) == ours
        assert await listed(channel) == await served(channel) == {CHANNELZ, *everywhere}


async def test_channelz_counts_the_calls_of_every_port(serve: Serve) -> None:
    admin = f"127.0.0.1:{free_port()}"
    async with serve(admin_listen=admin) as server, grpc.aio.insecure_channel(admin) as channel:
        await served(server.channel)
        stub = channelz_pb2_grpc.ChannelzStub(channel)
        answer = await stub.GetServers(channelz_pb2.GetServersRequest(), timeout=SECONDS_MAX)
    assert max(one.data.calls_started for one in answer.server) >= 3


async def listed(channel: Any) -> set[str]:
    """Return the services that reflection lists."""
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)
    call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    return {one.name async for answer in call for one in answer.list_services_response.service}


async def served(channel: Any) -> set[str]:
    """Return the services that answer, of this project and of gRPC."""
    found = set()
    for method in (
        f"{SERVICE}/ListBatches",
        f"{OPERATIONS}/ListPasses",
        f"{health.SERVICE_NAME}/Check",
        f"{CHANNELZ}/GetServers",
        f"{reflection.SERVICE_NAME}/ServerReflectionInfo",
    ):
        call = channel.stream_stream(f"/{method}")(iter([b""]), timeout=SECONDS_MAX)
        with suppress(grpc.aio.AioRpcError):
            async for _ in call:
                found.add(method.partition("/")[0])
    return found
