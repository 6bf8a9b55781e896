"""Finds new batches for watches of many: the change feed asks it at every tick.

Batches become visible in the order of the commits, not of their keys. So the keys of the last half minute are
looked at again, and those that were found are remembered.
"""

import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection

from batches.batch import Batch
from batches.listing import Created

LATE_SECONDS_MAX = 30.0
"""How long after its key a batch may become visible: longer than any transaction lasts."""
LATE_LOOK_SECONDS = 1.0
"""How often late keys are looked for if many are known."""
KNOWN_FEW = 1_000
"""So few keys are read at every tick: a millisecond."""
KNOWN_MAX = 10_000
"""Keys that are remembered. If more batches are created in LATE_SECONDS_MAX, late ones have less time."""

ReadCreated = Callable[[int | None, Collection[int] | None], Awaitable[Created]]
"""Gets a key and those known above it; returns the other batches above it. None: see the store."""


class Discovery:
    """Knows which batches have been found.

    Args:
        read_created: reads the store.

    """

    def __init__(self, read_created: ReadCreated) -> None:
        self._read_created = read_created
        self._known: set[int] = set()
        self._newest: int | None = None
        self._delivered = 0
        """The newest key of a read whose batches were delivered."""
        self._floor = 0
        self._samples: deque[tuple[float, int]] = deque()
        self._late_look_at = 0.0
        self._may_be_rewound = False

    def forget(self) -> None:
        """Forget everything: nobody watches."""
        self._newest, self._may_be_rewound = None, False
        self._known.clear()
        self._samples.clear()

    def delivered(self) -> None:
        """Note that the last batches were delivered: after a failure, only the others are found again."""
        if self._newest is not None:
            self._delivered = self._newest

    def failed(self) -> None:
        """Note a failed read: a fail-over may have lost batches, and new ones may have their keys."""
        self._may_be_rewound = self._newest is not None

    async def read(self) -> Created:
        """Return the batches that became visible since the last read; none at the first read.

        Raises:
            DatabaseUnavailable: the database does not answer.

        """
        if self._newest is None:
            created = await self._read_created(None, None)
            self._begin(created)
            self._delivered = created.newest_key  # it brings no batch
            return created
        if self._may_be_rewound:
            return await self._read_again()
        after = self._after(self._newest)
        created = await self._read_created(after, self._known)
        self._note(created, self._newest)
        return created

    def _begin(self, created: Created) -> None:
        self._known = set(created.keys)
        self._newest = created.newest_key
        self._floor = min(self._known, default=1) - 1
        self._samples = deque([(time.monotonic(), created.newest_key)])
        self._may_be_rewound = False

    async def _read_again(self) -> Created:
        """Read after a fail-over: a known key may be that of another batch now."""
        created = await self._read_created(None, ())
        self._begin(created)
        new = [batch for batch in created.batches if self._is_new(batch)]
        return Created(created.read_time, created.newest_key, created.keys, new)

    def _after(self, newest: int) -> int:
        now = time.monotonic()
        if len(self._known) > KNOWN_FEW and now < self._late_look_at:
            return newest
        self._late_look_at = now + LATE_LOOK_SECONDS
        return self._floor

    def _note(self, created: Created, newest: int) -> None:
        if created.newest_key < newest:  # deleted, or lost by a fail-over: another batch may get the key
            self._known = {key for key in self._known if key <= created.newest_key}
        self._known.update(created.keys)
        self._newest = created.newest_key
        now = time.monotonic()
        self._samples.append((now, created.newest_key))
        floor = self._floor
        while self._samples and self._samples[0][0] <= now - LATE_SECONDS_MAX:
            floor = max(floor, self._samples.popleft()[1])
        if len(self._known) > KNOWN_MAX:
            floor = max(floor, sorted(self._known)[-KNOWN_MAX])
        floor = min(floor, created.newest_key)
        if floor != self._floor:
            self._floor = floor
            self._known = {key for key in self._known if key > floor}

    def _is_new(self, batch: Batch) -> bool:
        return batch.batch_key > self._delivered or not batch.has_ended
