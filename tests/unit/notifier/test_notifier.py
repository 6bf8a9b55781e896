"""What a notifier does when something fails that it does not expect."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from batches.delivery import (
    AttemptResult,
    ClaimedDelivery,
    DeliveryOverview,
    DeliveryState,
    NewDelivery,
    Queue,
)
from batches.event import Event, EventType
from services.notifier.answers import HttpAnswer, NoAnswer
from services.notifier.notifier import Notifier
from services.notifier.subscriptions import SubscriptionsFile
from tests.support.receiver import subscription, write_subscriptions

SECONDS_MAX = 10
QUEUE, OTHER = Queue("billing"), Queue("other")
DELIVERY = ClaimedDelivery(1, "id", 1, "b", EventType.COMPLETED, QUEUE, None, "{}", attempts=1)


@dataclass
class OneDelivery:
    """A store in memory with one delivery."""

    error: Exception | None = None
    """What keeping a result raises."""
    waiting: list[ClaimedDelivery] = field(default_factory=lambda: [DELIVERY])
    kept: list[AttemptResult] = field(default_factory=list)
    is_kept: asyncio.Event = field(default_factory=asyncio.Event)

    async def want_events(self) -> None: ...  # noqa: D102

    async def hand_over_events(self, _deliveries_of: Callable[[Event], Sequence[NewDelivery]]) -> int:  # noqa: D102
        return 0

    async def claim_deliveries(self, _sizes: Mapping[Queue, int], _seconds: float) -> list[ClaimedDelivery]:  # noqa: D102
        claimed, self.waiting = self.waiting, []
        return claimed

    async def keep_attempts(self, results: Sequence[AttemptResult]) -> None:  # noqa: D102
        if self.error is not None:
            raise self.error
        self.kept.extend(results)
        self.is_kept.set()

    async def end_queue(self, _queue: Queue, _answer: str) -> int:  # noqa: D102
        return 0

    async def end_unknown(self, _known: Sequence[Queue], _seconds: float, _answer: str) -> int:  # noqa: D102
        return 0

    async def read_delivery_overview(self) -> DeliveryOverview:  # noqa: D102
        return DeliveryOverview(0, 0, 0.0)


async def succeed(_url: str, _headers: Mapping[str, str], _body: str) -> HttpAnswer | NoAnswer:
    return HttpAnswer(200)


async def break_down(_url: str, _headers: Mapping[str, str], _body: str) -> HttpAnswer | NoAnswer:
    raise OverflowError("a bug")


@pytest.fixture
def file(tmp_path: Path) -> SubscriptionsFile:
    """Return a file with one subscription."""
    written = write_subscriptions(tmp_path, subscription("https://app.example/hooks"))
    return SubscriptionsFile(written, allows_private=False)


async def _run_until_kept(notifier: Notifier, store: OneDelivery) -> None:
    """Run a notifier until the result of its delivery is kept."""
    async with asyncio.timeout(SECONDS_MAX):
        running = asyncio.create_task(notifier.run())
        await store.is_kept.wait()
        notifier.close()
        await running


async def test_an_attempt_that_raises_has_failed_and_is_tried_again(file: SubscriptionsFile) -> None:
    store = OneDelivery()
    await _run_until_kept(Notifier(store, file, break_down, concurrency=1), store)
    [result] = store.kept
    assert (result.state, result.answer) == (DeliveryState.PENDING, "not sent: OverflowError")


async def test_a_delivery_that_cannot_be_signed_has_failed(file: SubscriptionsFile) -> None:
    """Otherwise its attempt would never end, and its receiver would have a place less."""
    store = OneDelivery(waiting=[replace(DELIVERY, body="\ud800")])
    await _run_until_kept(Notifier(store, file, succeed, concurrency=1), store)
    [result] = store.kept
    assert (result.state, result.answer) == (DeliveryState.PENDING, "not sent: UnicodeEncodeError")


async def test_a_notifier_that_cannot_keep_results_ends(file: SubscriptionsFile) -> None:
    """Otherwise it would claim nothing more and look healthy."""
    notifier = Notifier(OneDelivery(error=KeyError("a bug")), file, succeed, concurrency=1)
    async with asyncio.timeout(SECONDS_MAX):
        with pytest.raises(KeyError):
            await notifier.run()


@dataclass
class TwoGone(OneDelivery):
    """A store whose second delivery is answered while the queue of the first one is ended."""

    waiting: list[ClaimedDelivery] = field(default_factory=lambda: [DELIVERY, replace(DELIVERY, queue=OTHER)])
    ended: list[Queue] = field(default_factory=list)
    is_ending: asyncio.Event = field(default_factory=asyncio.Event)
    both_ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def keep_attempts(self, results: Sequence[AttemptResult]) -> None:  # noqa: D102
        self.kept.extend(results)
        if len(self.kept) > 1:
            self.is_kept.set()

    async def end_queue(self, queue: Queue, _answer: str) -> int:  # noqa: D102
        self.ended.append(queue)
        self.is_ending.set()
        await self.is_kept.wait()
        if OTHER in self.ended:
            self.both_ended.set()
        return 0


async def test_a_subscription_may_be_given_up_while_another_one_is_ended(tmp_path: Path) -> None:
    """The notifier goes on, and ends it at once."""
    store = TwoGone()
    entries = subscription("https://app.example/hooks") + subscription("https://other.example/hooks", "other")
    file = SubscriptionsFile(write_subscriptions(tmp_path, entries), allows_private=False)

    async def refuse(url: str, _headers: Mapping[str, str], _body: str) -> HttpAnswer | NoAnswer:
        if "other" in url:
            await store.is_ending.wait()
        return HttpAnswer(410)

    notifier = Notifier(store, file, refuse, concurrency=1)
    async with asyncio.timeout(SECONDS_MAX):
        running = asyncio.create_task(notifier.run())
        ended = asyncio.create_task(store.both_ended.wait())
        await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
        notifier.close()
        await running
    assert store.ended[0] == QUEUE
    assert OTHER in store.ended
