"""From messages about deliveries to the domain, and back."""

from batches.delivery import Delivery, DeliveryFilter, DeliveryState
from batchprogress.v1 import operations_pb2 as pb
from rpc.answers.fields import FieldChecks
from services.batch_message import to_timestamp
from services.progress.requests import PAGE_SIZE_MAX

_STATES = {int(state): state for state in DeliveryState}


def to_delivery_filter(message: pb.ListDeliveriesRequest, id_prefix: str) -> tuple[DeliveryFilter, int]:
    """Check ListDeliveries; return the filter, for batches with the prefix, and the page size."""
    checks = FieldChecks()
    if message.batch_id:
        checks.identifier("batch_id", message.batch_id)
    if message.state and message.state not in _STATES:
        checks.reject("state", "must be PENDING, DELIVERED or DEAD, or unset")
    size = checks.page_size(message.page_size, PAGE_SIZE_MAX)
    checks.done()
    return DeliveryFilter(message.batch_id, _STATES.get(message.state), id_prefix), size


def to_delivery_id(message: pb.RetryDeliveryRequest) -> str:
    """Check RetryDelivery; return the id."""
    checks = FieldChecks()
    delivery_id = checks.identifier("delivery_id", message.delivery_id)
    checks.done()
    return delivery_id


def to_delivery(one: Delivery) -> pb.Delivery:
    """Return the message of a delivery."""
    is_pending = one.state is DeliveryState.PENDING
    return pb.Delivery(
        delivery_id=one.delivery_id,
        batch_id=one.batch_id,
        event_type=one.type.text,
        subscription=one.subscription,
        state=pb.DeliveryState.ValueType(one.state),
        attempts=one.attempts,
        last_answer=one.last_answer,
        create_time=to_timestamp(one.create_time),
        next_attempt_time=to_timestamp(one.next_attempt_time) if is_pending else None,
        end_time=to_timestamp(one.end_time),
    )
