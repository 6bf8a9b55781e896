"""What a receiver of webhooks got, and what is wrong with it."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from batchprogress import webhooks
from batchprogress.errors import InvalidWebhook
from tests.faults.goals import Goals
from tests.faults.webhook_receiver import OK


@dataclass(frozen=True, slots=True)
class Receipt:
    """An attempt that was received."""

    event: webhooks.WebhookEvent
    body: str
    is_accepted: bool
    """Whether it was, or would have been, answered 200: the receiver may have been killed before."""


@dataclass(slots=True)
class Milestones:
    """A number that rises, for which faults wait."""

    number: int = 0
    _goals: Goals = field(default_factory=Goals)

    def add(self) -> None:
        """Count one more."""
        self.number += 1
        self._goals.reached(self.number)

    async def reach(self, goal: int) -> None:
        """Wait for a number."""
        if goal > self.number:
            await self._goals.wait(goal)


@dataclass(slots=True)
class Receipts:
    """All attempts in the order in which they were received."""

    secret: str
    by_batch: dict[str, list[Receipt]] = field(default_factory=lambda: defaultdict(list))
    unverified: list[str] = field(default_factory=list)
    refused: int = 0
    """The attempts that were not answered 200."""
    milestones: Milestones = field(default_factory=Milestones)

    def note(self, line: str) -> None:
        """Verify a request that the receiver wrote down."""
        request = json.loads(line)
        self.refused += request["answer"] != OK
        self.milestones.add()
        try:
            event = webhooks.verify(request["headers"], request["body"], self.secret)
        except InvalidWebhook as error:
            self.unverified.append(f"{error}: {request}")
            return
        receipt = Receipt(event, request["body"], request["answer"] == OK)
        self.by_batch[event.batch.batch_id].append(receipt)

    def missing(self, expected: Mapping[str, Sequence[str]]) -> list[str]:
        """Return the events that were never delivered, given the types of each batch's events."""
        accepted = {
            (batch_id, one.event.type)
            for batch_id, receipts in self.by_batch.items()
            for one in receipts
            if one.is_accepted
        }
        wanted = {(batch_id, type_) for batch_id, types in expected.items() for type_ in types}
        return [f"{batch_id}: {type_}" for batch_id, type_ in sorted(wanted - accepted)]

    def wrong(self, expected: Mapping[str, Sequence[str]]) -> list[str]:
        """Return what should not have been received, or not in this way."""
        owners: dict[str, str] = {}
        found = list(self.unverified)
        for batch_id, receipts in self.by_batch.items():
            found += [f"{batch_id}: {one}" for one in _wrong_of(receipts, expected.get(batch_id, ()))]
            for event_id in {one.event.event_id for one in receipts}:
                if owners.setdefault(event_id, batch_id) != batch_id:
                    found.append(f"{batch_id}: the id {event_id} is also of {owners[event_id]}")
        return found


def _wrong_of(receipts: Sequence[Receipt], expected: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with the attempts of one batch."""
    firsts: dict[str, Receipt] = {}
    accepted: set[str] = set()
    for one in receipts:
        event_id = one.event.event_id
        if event_id not in firsts:
            if unaccepted := firsts.keys() - accepted:
                yield f"{one.event.type} was sent before {sorted(unaccepted)} had been accepted"
            firsts[event_id] = one
        if one.body != firsts[event_id].body:
            yield f"a retry of {event_id} has another body"
        if one.is_accepted:
            accepted.add(event_id)
    types = [one.event.type for one in firsts.values()]
    if types != list(expected):
        yield f"got the events {types} instead of {list(expected)}"
