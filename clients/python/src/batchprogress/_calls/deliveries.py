"""The calls of Client about deliveries of webhooks."""

from batchprogress._calls import delivery_requests
from batchprogress._calls.caller import Caller
from batchprogress._limits import PAGE_SIZE_MAX
from batchprogress.models import Delivery, DeliveryState
from batchprogress.paging import Pages


class Deliveries:
    """Lists deliveries, and sends them again."""

    _caller: Caller

    def deliveries(
        self,
        *,
        batch_id: str = "",
        state: DeliveryState | None = None,
        page_size: int = PAGE_SIZE_MAX,
        page_token: str = "",
    ) -> Pages[Delivery]:
        """List the deliveries of webhooks, newest first; they are kept for 30 days after their end.

        Args:
            batch_id: only deliveries of this batch. Default: of all batches.
            state: only deliveries in this state. Default: all.
            page_size: the number of deliveries to read at a time, 1 to 1,000.
            page_token: the next_page_token of an earlier page. Default: the first page.

        Returns:
            The deliveries, to be iterated over, by item or by page.

        Raises:
            BatchNotFound: when the iteration reads a page; there is no such batch.
            ServerTooOld: the server does not know this call.

        Example:
            >>> for one in client.deliveries(state=DeliveryState.DEAD):
            ...     print(one.subscription, one.event_type, one.batch_id, one.last_answer)

        """
        return Pages(
            lambda token: self._caller.answer(
                delivery_requests.deliveries_page(batch_id, state, page_size, token)
            ),
            page_token,
        )

    def retry_delivery(self, delivery_id: str) -> Delivery:
        """Send a delivery that was delivered or given up again, with the same webhook-id.

        One that is still pending stays as it is.

        Args:
            delivery_id: the delivery.

        Returns:
            The delivery, which is pending.

        Raises:
            DeliveryNotFound: there is no such delivery.
            ServerTooOld: the server does not know this call.

        Example:
            >>> for one in client.deliveries(state=DeliveryState.DEAD):
            ...     client.retry_delivery(one.delivery_id)

        """
        return self._caller.answer(delivery_requests.retry_delivery(delivery_id))
