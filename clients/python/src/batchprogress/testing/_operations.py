"""OperationsService of a server without a reconciler and without webhooks."""

import grpc

from batchprogress.testing._refusals import Refused
from batchprogress.testing._rpc import answers
from batchprogress.v1 import operations_pb2, operations_pb2_grpc


class MemoryOperationsServicer(operations_pb2_grpc.OperationsServiceServicer):
    """Answers the calls about the server: there is no reconciler and no webhook; everybody may do everything.

    Args:
        version: the version of the package.

    """

    def __init__(self, version: str) -> None:
        self._version = version

    @answers
    def GetServerInfo(
        self, _request: operations_pb2.GetServerInfoRequest
    ) -> operations_pb2.GetServerInfoResponse:
        return operations_pb2.GetServerInfoResponse(
            version=self._version, database="memory", roles=["worker", "reader", "operator"]
        )

    @answers
    def ListPasses(self, _request: operations_pb2.ListPassesRequest) -> operations_pb2.ListPassesResponse:
        return operations_pb2.ListPassesResponse()

    @answers
    def ListDeliveries(
        self, _request: operations_pb2.ListDeliveriesRequest
    ) -> operations_pb2.ListDeliveriesResponse:
        return operations_pb2.ListDeliveriesResponse()

    @answers
    def RetryDelivery(
        self, request: operations_pb2.RetryDeliveryRequest
    ) -> operations_pb2.RetryDeliveryResponse:
        text = f"there is no delivery {request.delivery_id}"
        raise Refused(grpc.StatusCode.NOT_FOUND, "DELIVERY_NOT_FOUND", text)
