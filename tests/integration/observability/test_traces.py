"""Spans, sent to a real OTLP endpoint."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.support.progress import served

trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
EXPORT = "opentelemetry.proto.collector.trace.v1.TraceService"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector:
    """An OTLP collector that keeps all spans."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.port = 0

    async def export(self, request: Any, _context: Any) -> Any:
        """Receive spans."""
        for resource in request.resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans
        return trace_service.ExportTraceServiceResponse()

    def named(self, name: str) -> Any:
        """Return the only span with a name."""
        (span,) = (one for one in self.spans if one.name == name)
        return span


@pytest_asyncio.fixture
async def collector() -> AsyncIterator[Collector]:
    """Run a collector that receives traces over gRPC."""
    collector = Collector()
    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(
        collector.export,
        request_deserializer=trace_service.ExportTraceServiceRequest.FromString,
        response_serializer=trace_service.ExportTraceServiceResponse.SerializeToString,
    )
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(EXPORT, {"Export": method}),))
    collector.port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield collector
    await server.stop(None)


async def test_calls_and_flushes_are_spans(collector: Collector, sqlite_url: str) -> None:
    """The span of a call is part of its caller's trace and has its code; that of a flush counts results."""
    async with served(sqlite_url, traces_endpoint=f"http://127.0.0.1:{collector.port}") as server:
        await server.create("b", 1)
        await server.report("b", "j")
        raw: Any = server.channel
        with pytest.raises(grpc.aio.AioRpcError):
            await raw.unary_unary("/batchprogress.v1.ProgressService/GetBatch")(
                b"", metadata=(("traceparent", PARENT),)
            )
    refused = collector.named("batchprogress.v1.ProgressService/GetBatch")
    assert refused.trace_id.hex() == PARENT.split("-")[1]
    assert refused.parent_span_id.hex() == PARENT.split("-")[2]
    codes = {one.key: one.value.int_value for one in refused.attributes}
    assert codes["rpc.grpc.status_code"] == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert {one.key: one.value.int_value for one in collector.named("flush").attributes} == {"results": 1}
    assert collector.named("batchprogress.v1.ProgressService/ReportJobResult").status.code == 0


async def test_missing_collector_fails_no_call(sqlite_url: str) -> None:
    async with served(sqlite_url, traces_endpoint="http://127.0.0.1:1") as server:
        await server.create("b", 1)
        assert (await server.get("b")).total_jobs == 1
