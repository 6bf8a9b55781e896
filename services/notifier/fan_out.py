"""Which subscribers get an event. Pure."""

from collections.abc import Collection, Iterator, Sequence

from batches.delivery import NewDelivery, Queue
from batches.event import Event
from batches.webhook_url import origin_of
from services.notifier.messages import body_of
from services.notifier.subscriptions import Subscriptions


def deliveries_of(
    event: Event, subscriptions: Subscriptions, gone: Collection[Queue] = ()
) -> Sequence[NewDelivery]:
    """Return the deliveries of an event.

    Args:
        event: the event.
        subscriptions: the receivers.
        gone: the subscriptions that want no more.

    """
    queues = list(_subscribed(event, subscriptions, gone))
    if not queues and event.notify_url is None:
        return []
    body = body_of(event)
    deliveries = [NewDelivery(event, queue, body) for queue in queues]
    if event.notify_url is not None:
        host = origin_of(event.notify_url).host
        deliveries.append(NewDelivery(event, Queue("", host), body, event.notify_url))
    return deliveries


def _subscribed(event: Event, subscriptions: Subscriptions, gone: Collection[Queue]) -> Iterator[Queue]:
    for queue, receiver in subscriptions.receivers.items():
        if receiver.wants(event) and queue not in gone:
            yield queue
