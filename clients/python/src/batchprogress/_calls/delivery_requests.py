"""The calls about deliveries: the request that each sends, and how its answer is read. Pure."""

from batchprogress._calls.convert import DELIVERY_STATE_NUMBERS, to_delivery
from batchprogress._calls.requests import Call
from batchprogress.models import Delivery, DeliveryState
from batchprogress.paging import Page
from batchprogress.v1 import operations_pb2 as pb
from batchprogress.v1.operations_pb2_grpc import OperationsServiceStub


def deliveries_page(
    batch_id: str, state: DeliveryState | None, page_size: int, page_token: str
) -> Call[Page[Delivery]]:
    """Read a page of deliveries."""
    request = pb.ListDeliveriesRequest(
        batch_id=batch_id,
        state=pb.DELIVERY_STATE_UNSPECIFIED if state is None else DELIVERY_STATE_NUMBERS[state],
        page_size=page_size,
        page_token=page_token,
    )

    def read(response: pb.ListDeliveriesResponse) -> Page[Delivery]:
        return Page(tuple(map(to_delivery, response.deliveries)), response.next_page_token)

    return Call("ListDeliveries", request, read, batch_id, stub=OperationsServiceStub)


def retry_delivery(delivery_id: str) -> Call[Delivery]:
    """Send a delivery again."""

    def read(response: pb.RetryDeliveryResponse) -> Delivery:
        return to_delivery(response.delivery)

    request = pb.RetryDeliveryRequest(delivery_id=delivery_id)
    return Call("RetryDelivery", request, read, stub=OperationsServiceStub)
