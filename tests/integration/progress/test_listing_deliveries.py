"""ListDeliveries and RetryDelivery: who sees which webhooks, and which are sent again."""

import grpc
import pytest
import pytest_asyncio

from batches.delivery import DeliveryState
from batches.store.batch_store import BatchStore
from batchprogress.v1 import operations_pb2 as pb
from tests.integration.progress.test_bad_input import refused
from tests.integration.store.steps import create
from tests.support.progress import Served
from tests.support.webhooks import claim, hand_over, keep

PENDING, DELIVERED, DEAD = DeliveryState
IDS = ["a", "b", "c"]
List = pb.ListDeliveriesRequest


@pytest_asyncio.fixture
async def ids(store: BatchStore) -> list[str]:
    """Make the deliveries of three batches: one delivered, one dead, one pending."""
    await store.want_events()
    for batch_id in IDS:
        await create(store, 0, batch_id)
    await hand_over(store)
    first, second, third = await claim(store)
    await keep(store, first, DELIVERED)
    await keep(store, second, DEAD)
    return [first.delivery_id, second.delivery_id, third.delivery_id]


async def test_deliveries_are_listed_in_pages_newest_first(progress: Served, ids: list[str]) -> None:
    found, token = list[pb.Delivery](), ""
    for _ in IDS:
        page = await progress.operations.ListDeliveries(List(page_size=1, page_token=token))
        found += page.deliveries
        token = page.next_page_token
    assert token == ""
    assert [one.delivery_id for one in found] == ids[::-1]
    pending, dead, delivered = found
    assert (pending.state, pending.event_type, pending.subscription) == (1, "batch.completed", "billing")
    assert (pending.HasField("next_attempt_time"), pending.HasField("end_time")) == (True, False)
    assert (dead.state, dead.batch_id, dead.attempts, dead.last_answer) == (3, "b", 1, "dead")
    for one in (dead, delivered):
        assert (one.HasField("next_attempt_time"), one.HasField("end_time")) == (False, True)


async def test_deliveries_are_filtered(progress: Served, ids: list[str]) -> None:
    for request, expected in (
        (List(state=pb.DELIVERY_STATE_DEAD), [ids[1]]),
        (List(batch_id="a"), [ids[0]]),
        (List(batch_id="a", state=pb.DELIVERY_STATE_DEAD), []),
    ):
        answer = await progress.operations.ListDeliveries(request)
        assert [one.delivery_id for one in answer.deliveries] == expected


@pytest.mark.usefixtures("ids")
async def test_a_page_token_is_for_its_filters(progress: Served) -> None:
    token = (await progress.operations.ListDeliveries(List(page_size=1))).next_page_token
    other = List(state=pb.DELIVERY_STATE_DEAD, page_token=token)
    assert (await refused(progress.operations.ListDeliveries(other))).fields == ("page_token",)


async def test_a_dead_delivery_is_sent_again(progress: Served, store: BatchStore, ids: list[str]) -> None:
    for _ in range(2):
        request = pb.RetryDeliveryRequest(delivery_id=ids[1])
        again = (await progress.operations.RetryDelivery(request)).delivery
        assert (again.delivery_id, again.state, again.attempts) == (ids[1], pb.DELIVERY_STATE_PENDING, 0)
    (claimed,) = await claim(store)
    assert (claimed.delivery_id, claimed.attempts) == (ids[1], 1)


async def test_an_unknown_delivery_is_not_found(progress: Served) -> None:
    answer = await refused(progress.operations.RetryDelivery(pb.RetryDeliveryRequest(delivery_id="x")))
    assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "DELIVERY_NOT_FOUND")
    answer = await refused(progress.operations.ListDeliveries(List(batch_id="x")))
    assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "BATCH_NOT_FOUND")


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (List(page_size=-1), "page_size"),
        (List(page_token="!"), "page_token"),
        (List(batch_id="a b"), "batch_id"),
        (List(state=9), "state"),  # type: ignore[arg-type]
        (pb.RetryDeliveryRequest(), "delivery_id"),
    ],
)
async def test_an_invalid_request_is_refused(
    progress: Served, request_: List | pb.RetryDeliveryRequest, field: str
) -> None:
    if isinstance(request_, List):
        answer = await refused(progress.operations.ListDeliveries(request_))
    else:
        answer = await refused(progress.operations.RetryDelivery(request_))
    assert (answer.code, answer.fields) == (grpc.StatusCode.INVALID_ARGUMENT, (field,))
