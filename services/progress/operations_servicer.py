"""OperationsService: what an operator asks about the server and the reconciler.

Errors are not handled here: the error interceptor around every method answers them.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import grpc

from batches.passes import Pass
from batchprogress.v1 import operations_pb2 as pb
from batchprogress.v1 import operations_pb2_grpc
from process.version import VERSION
from rpc.answers.page_tokens import decode_token, next_token
from rpc.answers.pages import page_that_fits
from rpc.callers.principal import Role, caller
from services.batch_message import to_timestamp
from services.progress import convert, requests
from services.progress.errors import PrefixedToken
from services.progress.reads import Reads, counted_read

if TYPE_CHECKING:  # the edge must not load SQLAlchemy to name the store
    from batches.store.batch_store import BatchStore

Context = grpc.aio.ServicerContext[Any, Any]


class OperationsServicer(operations_pb2_grpc.OperationsServiceServicer):
    """One method per RPC; the comments of the contract document each.

    Args:
        store: where the passes are.
        reads: runs the reads of callers.

    """

    def __init__(self, store: "BatchStore", reads: Reads) -> None:
        self._store = store
        self.reads = reads

    @counted_read
    async def GetServerInfo(
        self, _request: pb.GetServerInfoRequest, _context: Context
    ) -> pb.GetServerInfoResponse:
        info, principal = await self._store.read_server_info(), caller()
        return pb.GetServerInfoResponse(
            version=VERSION,
            database=info.database,
            caller=principal.name if principal.is_authenticated else "",
            roles=[role for role in Role if role in principal.roles],
            batch_prefix=principal.batch_prefix,
            last_pass_time=to_timestamp(info.last_pass_time),
        )

    @counted_read
    async def ListPasses(self, request: pb.ListPassesRequest, _context: Context) -> pb.ListPassesResponse:
        if caller().batch_prefix:
            raise PrefixedToken
        size = requests.to_page_size(request)
        before_key = decode_token("ListPasses", None, request.page_token, int)
        page = await self._store.list_passes(before_key=before_key, size=size)

        def to_response(passes: Sequence[Pass], next_key: int | None) -> pb.ListPassesResponse:
            return pb.ListPassesResponse(
                passes=[convert.to_pass(one) for one in passes],
                next_page_token=next_token("ListPasses", None, next_key),
            )

        return page_that_fits(page.items, page.next_key, attrgetter("pass_key"), to_response)
