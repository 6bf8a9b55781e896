"""Hands events over to the subscriptions and delivers them, until it is closed.

Any number of notifiers work beside each other: each claims deliveries for a time. What one that dies has
claimed is tried again by another, so a receiver may get an event more than once, with the same webhook-id.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol

import structlog

from batches.delivery import (
    AttemptResult,
    ClaimedDelivery,
    DeliveryOverview,
    DeliveryState,
    NewDelivery,
    Queue,
)
from batches.errors import DatabaseUnavailable
from batches.event import Event
from services.notifier.answers import GONE, HttpAnswer, NoAnswer, result_of
from services.notifier.fan_out import deliveries_of
from services.notifier.messages import headers_of
from services.notifier.schedule import RETRY_SECONDS
from services.notifier.subscriptions import NO_SUBSCRIPTIONS, Receiver, Subscriptions, SubscriptionsFile

POLL_SECONDS = 0.5
"""How often the database is asked for events while there is nothing to do: two reads, some milliseconds."""
LEASE_SECONDS = 90.0
"""When another notifier takes a delivery over: after the longest attempt, and the time to keep its end."""
IN_FLIGHT_MAX = 512
"""Attempts at a time in all: below the usual limit of 1,024 open files of a process."""
UNKNOWN_SECONDS = 3_600.0
"""How long deliveries wait for a receiver that this file does not have: during a rollout another notifier has
another file, and an operator may have removed it by mistake."""
UPKEEP_SECONDS = 60.0
"""How often the lease of the events is renewed and deliveries without a receiver are ended."""
UNKNOWN_ANSWER = "not sent: the file of the notifier has neither this subscription nor this notify_host"

Send = Callable[[str, Mapping[str, str], str], Awaitable[HttpAnswer | NoAnswer]]

_log = structlog.get_logger()


class Store(Protocol):
    """What the notifier needs of the store; batches.store.webhook_store documents each method."""

    async def want_events(self) -> None: ...  # noqa: D102
    async def hand_over_events(self, deliveries_of: Callable[[Event], Sequence[NewDelivery]]) -> int: ...  # noqa: D102
    async def claim_deliveries(  # noqa: D102
        self, sizes: Mapping[Queue, int], lease_seconds: float
    ) -> list[ClaimedDelivery]: ...
    async def keep_attempts(self, results: Sequence[AttemptResult]) -> None: ...  # noqa: D102
    async def end_queue(self, queue: Queue, answer: str) -> int: ...  # noqa: D102
    async def end_unknown(self, known: Sequence[Queue], due_seconds: float, answer: str) -> int: ...  # noqa: D102
    async def read_delivery_overview(self) -> DeliveryOverview: ...  # noqa: D102


class Notifier:
    """One notifier.

    Args:
        store: where events and deliveries are.
        file: the receivers; None: there are none, and no event is touched.
        send: sends a webhook once.
        concurrency: how many attempts are made at a time to each receiver.
        schedule: the waits after failed attempts.

    """

    def __init__(
        self,
        store: Store,
        file: SubscriptionsFile | None,
        send: Send,
        *,
        concurrency: int,
        schedule: tuple[float, ...] = RETRY_SECONDS,
    ) -> None:
        self._store = store
        self._file = file
        self._send = send
        self._concurrency = concurrency
        self._schedule = schedule
        self._gone: set[Queue] = set()
        self._in_flight: Counter[Queue] = Counter()
        self._attempts: set[asyncio.Task[None]] = set()
        self._results: list[AttemptResult] = []
        self._wake = asyncio.Event()
        self._has_results = asyncio.Event()
        self._closing = False
        self._upkeep_at = -UPKEEP_SECONDS
        self.outcomes: Counter[DeliveryState] = Counter()
        """How many attempts came to each state so far; PENDING: they failed and are tried again."""

    @property
    def subscriptions(self) -> Subscriptions:
        """The receivers in use."""
        return NO_SUBSCRIPTIONS if self._file is None else self._file.current

    def close(self) -> None:
        """Claim nothing more; `run` returns when the attempts under way have ended and are kept."""
        self._closing = True
        self._wake.set()

    async def run(self) -> None:
        """Work until `close`. The database may be away for a while.

        Raises:
            Exception: results cannot be kept for another reason; without that nothing more would be sent.

        """
        keeping = asyncio.create_task(self._keep_results())
        keeping.add_done_callback(lambda _: self._wake.set())
        try:
            while not self._closing:
                self._wake.clear()
                if not await self._work() and not keeping.done():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
                if keeping.done():
                    keeping.result()
            while self._in_flight.total() and not keeping.done():
                self._wake.clear()
                await self._wake.wait()
        finally:
            for attempt in self._attempts:
                attempt.cancel()
            keeping.cancel()
            await asyncio.gather(keeping, *self._attempts, return_exceptions=True)

    async def _work(self) -> bool:
        """Do what is due; return whether there may be more at once."""
        try:
            await self._upkeep()
            if not self.subscriptions.receivers:
                return False
            events = await self._store.hand_over_events(self._deliveries_of)
            claimed = await self._store.claim_deliveries(self._free(), LEASE_SECONDS)
        except DatabaseUnavailable:
            return False  # the store has logged the reason
        for delivery in claimed:
            self._start(delivery)
        return bool(events or claimed)

    async def _upkeep(self) -> None:
        if self._file is not None and self._file.refresh():
            self._gone.clear()  # a subscription that was answered 410 begins again with a new file
            self._upkeep_at = -UPKEEP_SECONDS
        if time.monotonic() - self._upkeep_at < UPKEEP_SECONDS or not self.subscriptions.receivers:
            return
        receivers = self.subscriptions.receivers
        if any(one.url is not None for one in receivers.values()):
            await self._store.want_events()
        while await self._store.end_unknown(list(receivers), UNKNOWN_SECONDS, UNKNOWN_ANSWER):
            pass
        gone = frozenset(self._gone)
        for queue in gone:
            while await self._store.end_queue(queue, GONE):
                pass
        if gone == self._gone:  # otherwise another one was answered 410 meanwhile
            self._upkeep_at = time.monotonic()

    def _deliveries_of(self, event: Event) -> Sequence[NewDelivery]:
        return deliveries_of(event, self.subscriptions, self._gone)

    def _free(self) -> dict[Queue, int]:
        """Return how many deliveries of each queue may be claimed, those with the fewest under way first."""
        left = IN_FLIGHT_MAX - self._in_flight.total()
        sizes: dict[Queue, int] = {}
        queues = self.subscriptions.receivers.keys() - self._gone
        for queue in sorted(queues, key=lambda one: (self._in_flight[one], one)):
            size = min(self._concurrency - self._in_flight[queue], left)
            if size > 0:
                sizes[queue] = size
                left -= size
        return sizes

    def _start(self, delivery: ClaimedDelivery) -> None:
        self._in_flight[delivery.queue] += 1
        attempt = asyncio.create_task(self._attempt(delivery))
        self._attempts.add(attempt)
        attempt.add_done_callback(self._attempts.discard)

    async def _attempt(self, delivery: ClaimedDelivery) -> None:
        receiver = self.subscriptions.receivers.get(delivery.queue)
        url = delivery.url if receiver is None or receiver.url is None else receiver.url
        if receiver is None or url is None:  # the file was replaced since: its lease brings the delivery back
            self._in_flight[delivery.queue] -= 1
            self._wake.set()
            return
        answer = await self._answer(delivery, receiver, url)
        result = result_of(delivery, answer, random.random, self._schedule)  # no secret: only a wait
        if isinstance(answer, HttpAnswer) and answer.is_gone and receiver.url is not None:
            self._end_subscription(delivery.queue)
        self._results.append(result)
        self._has_results.set()

    async def _answer(self, delivery: ClaimedDelivery, receiver: Receiver, url: str) -> HttpAnswer | NoAnswer:
        """Send a webhook. An error is no answer: an attempt that never ended would block its receiver."""
        try:
            headers = headers_of(delivery.delivery_id, delivery.body, receiver.secrets, datetime.now(UTC))
            return await self._send(url, headers, delivery.body)
        except Exception as error:  # noqa: BLE001  # a defect, or what only one receiver's answer causes
            _log.exception("an attempt to send a webhook failed", delivery_id=delivery.delivery_id)
            return NoAnswer(f"not sent: {type(error).__name__}")

    def _end_subscription(self, queue: Queue) -> None:
        if queue not in self._gone:
            _log.warning("a subscription was answered 410 and gets no more", subscription=queue.subscription)
        self._gone.add(queue)
        self._upkeep_at = -UPKEEP_SECONDS

    async def _keep_results(self) -> None:
        """Keep results as they come, many in a transaction; while the database is away, they wait."""
        while True:
            await self._has_results.wait()
            self._has_results.clear()
            while self._results:
                some = self._results
                self._results = []
                await self._keep(some)

    async def _keep(self, results: Sequence[AttemptResult]) -> None:
        while True:
            try:
                await self._store.keep_attempts(results)
                break
            except DatabaseUnavailable:
                await asyncio.sleep(POLL_SECONDS)
        for one in results:
            self._in_flight[one.delivery.queue] -= 1
            self.outcomes[one.state] += 1
            if one.state is DeliveryState.DEAD:
                _log.warning(
                    "a webhook is dead",
                    delivery_id=one.delivery.delivery_id,
                    batch_id=one.delivery.batch_id,
                    subscription=one.delivery.queue.subscription or None,
                    answer=one.answer,
                )
        self._wake.set()
