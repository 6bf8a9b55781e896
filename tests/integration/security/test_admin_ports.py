"""The admin ports: reached without TLS and tokens, and good for nothing but looking."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from tests.integration.security.conftest import Serve, Tokens
from tests.support.certificates import Authority
from tests.support.databases.ports import free_port

SERVICE = "batchprogress.v1.ProgressService"


async def test_probes_need_neither_tls_nor_a_token(serve: Serve, tokens: Tokens, tmp_path: Path) -> None:
    """Kubernetes' probes, which speak neither, ask the admin port; no batch can be asked for there."""
    authority = Authority("ours")
    certificate, key = authority.sign("server").write(tmp_path, "server")
    ca = tmp_path / "ca.pem"
    ca.write_bytes(authority.certificate)
    admin = f"127.0.0.1:{free_port()}"
    tls = {"tls_certificate_file": certificate, "tls_key_file": key, "tls_client_ca_file": ca}
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
