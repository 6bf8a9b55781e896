"""New batches are found once, in whatever order their transactions are committed."""

from collections.abc import Collection
from dataclasses import dataclass, field

import pytest

from batches.batch import Batch, BatchState
from batches.listing import Created
from services.progress import discovery
from services.progress.discovery import Discovery
from tests.unit.progress.memory_store import NOW

KEYS_MAX = 1_000


@dataclass
class Store:
    """A store of batches by key."""

    keys: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)
    after: list[int | None] = field(default_factory=list)

    async def read_created(self, after: int | None, known: Collection[int] | None) -> Created:
        """Answer as the real store does."""
        self.after.append(after)
        newest = max(self.keys, default=0)
        keys = sorted(key for key in self.keys if key > (newest - KEYS_MAX if after is None else after))
        new = [] if known is None else [self.batch(key) for key in keys if key not in known]
        return Created(NOW, newest, keys, new)

    def batch(self, key: int) -> Batch:
        """Return the batch with a key."""
        return Batch(
            batch_key=key,
            batch_id=f"b{key}",
            sealed=True,
            announced_jobs=1,
            state=BatchState.CANCELLED if key in self.ended else BatchState.PROCESSING,
            create_time=NOW,
            read_time=NOW,
        )


async def found(one: Discovery) -> list[int]:
    """Return the keys of the batches that a read finds."""
    return [batch.batch_key for batch in (await one.read()).batches]


async def test_each_new_batch_is_found_once() -> None:
    """Those that exist at the first read are not new."""
    store = Store({1, 2})
    one = Discovery(store.read_created)
    assert await found(one) == []
    store.keys |= {3, 4}
    assert await found(one) == [3, 4]
    assert await found(one) == []


async def test_batch_whose_transaction_commits_late_is_found() -> None:
    """Its key is below the newest one."""
    store = Store({1, 4})
    one = Discovery(store.read_created)
    await one.read()
    store.keys |= {3, 6}
    assert await found(one) == [3, 6]
    store.keys.add(5)
    assert await found(one) == [5]


async def test_keys_are_looked_at_again_for_half_a_minute_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quiet server reads none of them."""
    monkeypatch.setattr(discovery, "LATE_SECONDS_MAX", 0.0)
    store = Store(set(range(1, 500)))
    one = Discovery(store.read_created)
    await one.read()
    await one.read()
    await one.read()
    assert store.after[-1] == 499


async def test_many_known_keys_are_looked_at_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reads between find newer keys alone."""
    monkeypatch.setattr(discovery, "KNOWN_FEW", 1)
    store = Store({1, 2, 3})
    one = Discovery(store.read_created)
    await one.read()
    await one.read()
    store.keys |= {5}
    assert await found(one) == [5]
    assert store.after[-2:] == [0, 3]


async def test_remembered_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lowest are forgotten, and no longer read."""
    monkeypatch.setattr(discovery, "KNOWN_MAX", 2)
    store = Store({1, 2, 3, 4, 5})
    one = Discovery(store.read_created)
    await one.read()
    await one.read()
    await one.read()
    assert store.after[-1] == 4


async def test_key_that_a_fail_over_has_freed_is_found_again() -> None:
    """After a failed read, known keys may be those of other batches; batches that had ended stay old."""
    store = Store({1, 2, 3}, ended={1})
    one = Discovery(store.read_created)
    await one.read()
    one.failed()
    store.keys.add(4)
    assert await found(one) == [2, 3, 4]
    assert await found(one) == []


async def test_batch_that_ended_before_it_was_delivered_is_found_again() -> None:
    """It was read, and then the read of the watched batches failed."""
    store = Store({1}, ended={1, 2})
    one = Discovery(store.read_created)
    await one.read()
    store.keys.add(2)
    for _ in range(2):
        assert await found(one) == [2]
        one.failed()
    assert await found(one) == [2]
    one.delivered()
    one.failed()
    assert await found(one) == []


async def test_key_above_the_newest_is_new_after_the_newest_was_deleted() -> None:
    """Databases of a fail-over give keys again."""
    store = Store({1, 2, 3})
    one = Discovery(store.read_created)
    await one.read()
    store.keys = {1, 2}
    assert await found(one) == []
    store.keys = {1, 2, 3}
    assert await found(one) == [3]


async def test_forgotten_discovery_begins_again() -> None:
    """What came meanwhile is not new."""
    store = Store({1})
    one = Discovery(store.read_created)
    await one.read()
    one.forget()
    store.keys.add(2)
    assert await found(one) == []
