"""OperationsService: what an operator asks about the server, the reconciler and webhooks.

Errors are not handled here: the error interceptor around every method answers them.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import grpc

from batches.delivery import Delivery
from batches.passes import Pass
from batchprogress.v1 import operations_pb2 as pb
from batchprogress.v1 import operations_pb2_grpc
from process.version import VERSION
from rpc.answers.page_tokens import decode_token, next_token
from rpc.answers.pages import page_that_fits
from rpc.callers.principal import Role, caller
from services.batch_message import to_timestamp
from services.progress import convert, delivery_messages, requests
from services.progress.errors import PrefixedToken
from services.progress.reads import Reads, counted_read
from services.progress.scope import require_visible

if TYPE_CHECKING:  # the edge must not load SQLAlchemy to name the store
    from batches.store.batch_store import BatchStore

Context = grpc.aio.ServicerContext[Any, Any]


class OperationsServicer(operations_pb2_grpc.OperationsServiceServicer):
    """One method per RPC; the comments of the contract document each.

    Args:
        store: where the passes and the deliveries are.
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

    @counted_read
    async def ListDeliveries(
        self, request: pb.ListDeliveriesRequest, _context: Context
    ) -> pb.ListDeliveriesResponse:
        selected, size = delivery_messages.to_delivery_filter(request, caller().batch_prefix)
        if selected.batch_id:
            require_visible(selected.batch_id)
        filters = [request.batch_id, request.state]
        before_key = decode_token("ListDeliveries", filters, request.page_token, int)
        page = await self._store.list_deliveries(selected, before_key=before_key, size=size)

        def to_response(found: Sequence[Delivery], next_key: int | None) -> pb.ListDeliveriesResponse:
            return pb.ListDeliveriesResponse(
                deliveries=[delivery_messages.to_delivery(one) for one in found],
                next_page_token=next_token("ListDeliveries", filters, next_key),
            )

        return page_that_fits(page.items, page.next_key, attrgetter("delivery_key"), to_response)

    async def RetryDelivery(
        self, request: pb.RetryDeliveryRequest, _context: Context
    ) -> pb.RetryDeliveryResponse:
        delivery_id = delivery_messages.to_delivery_id(request)
        delivery = await self._store.retry_delivery(delivery_id, caller().batch_prefix)
        return pb.RetryDeliveryResponse(delivery=delivery_messages.to_delivery(delivery))
