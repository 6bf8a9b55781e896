"""Which batches are cancelled, as the newest answers say; shared with the processes that are forked later.

Celery's pool and RQ start jobs in one process and send reports from another. Memory that is mapped before the
fork is the simplest way between them: it needs no thread and no pipe, and no lock that a killed process could
keep. It has a fixed size.

    slot, slot, …   the digest of a batch id (16 bytes), and when the newest answer came (8 bytes)
    last byte       whether any batch was ever noted

A batch has one slot, and replaces another batch there. Then one more job of the other batch runs: its answer
notes that batch again. A slot that two processes write at once matches neither batch.
"""

import mmap
import struct
import time
from collections.abc import Callable
from hashlib import blake2b

SLOTS = 1_024
"""Far more batches than are cancelled in a day, in 24 KiB of memory."""
_SLOT = struct.Struct("<16sd")
_EMPTY = bytes(16)


class CancelledBatches:
    """The cancelled batches that this process and those that it forks have had answers about.

    Args:
        clock: the time in seconds since 1970.

    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._memory = mmap.mmap(-1, SLOTS * _SLOT.size + 1)

    @property
    def is_empty(self) -> bool:
        """Whether no batch was ever noted as cancelled."""
        return not self._memory[-1]

    def note(self, batch_id: str, *, is_cancelled: bool) -> None:
        """Note what an answer says about a batch."""
        digest, offset = _place_of(batch_id)
        if is_cancelled:
            _SLOT.pack_into(self._memory, offset, digest, self._clock())
            self._memory[-1] = 1
        elif _SLOT.unpack_from(self._memory, offset)[0] == digest:  # its id was given to a new batch
            _SLOT.pack_into(self._memory, offset, _EMPTY, 0.0)

    def has(self, batch_id: str, enqueued_time: float = 0.0) -> bool:
        """Whether a batch is cancelled.

        Args:
            batch_id: the batch.
            enqueued_time: when the job of the batch was enqueued. A job that was enqueued after the newest
                answer belongs to a later batch with the same id.

        """
        digest, offset = _place_of(batch_id)
        slot: tuple[bytes, float] = _SLOT.unpack_from(self._memory, offset)
        noted, noted_time = slot
        return noted == digest and enqueued_time <= noted_time


def _place_of(batch_id: str) -> tuple[bytes, int]:
    """Return the digest of a batch and the offset of its slot."""
    digest = blake2b(str(batch_id).encode("utf-8", "replace"), digest_size=16).digest()
    return digest, int.from_bytes(digest[:4], "little") % SLOTS * _SLOT.size
