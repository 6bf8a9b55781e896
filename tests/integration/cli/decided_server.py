"""A progress server whose answers to GetBatch and to one kind of watch a test decides."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.protobuf.message import Message

from batchprogress._grpc.connection import Connection
from batchprogress.cli.client import AsyncCommandClient
from batchprogress.v1 import progress_pb2 as pb

SERVICE = "batchprogress.v1.ProgressService"


@asynccontextmanager
async def decided_server(
    get: Callable[[pb.GetBatchRequest], pb.Batch],
    request: type[Message],
    watch: Callable[[Any], AsyncIterator[Message]],
) -> AsyncIterator[AsyncCommandClient]:
    """Serve while the context is open; yields a client.

    Args:
        get: returns the answer to GetBatch.
        request: the class of the requests for watches, which names the method.
        watch: yields the responses of a watch.

    """

    async def answer(asked: pb.GetBatchRequest, _context: Any) -> pb.GetBatchResponse:
        return pb.GetBatchResponse(batch=get(asked))

    async def stream(asked: Any, _context: Any) -> AsyncIterator[Message]:
        async for response in watch(asked):
            yield response

    method = request.DESCRIPTOR.name.removesuffix("Request")
    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "GetBatch": grpc.unary_unary_rpc_method_handler(
            answer, pb.GetBatchRequest.FromString, pb.GetBatchResponse.SerializeToString
        ),
        method: grpc.unary_stream_rpc_method_handler(
            stream, request.FromString, lambda one: one.SerializeToString()
        ),
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield AsyncCommandClient(Connection(f"127.0.0.1:{port}"), None)
    finally:
        await server.stop(None)
