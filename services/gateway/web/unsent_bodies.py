"""Bounds the bodies of answers that wait for clients to read them."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

SLICE_BYTES = 16 * 1024
"""What is copied for a client at a time: clients that do not read would otherwise each keep a whole copy."""
UNSENT_BYTES_MAX = 64 * 1024 * 1024
"""The size of all different bodies that are being sent: a client that does not read keeps one for 30 s."""


class NoRoom(Exception):
    """The bodies that are being sent are too large together."""


class UnsentBodies:
    """The bodies that are being sent, each counted once."""

    def __init__(self) -> None:
        self._readers: Counter[int] = Counter()
        self._bytes = 0

    @contextmanager
    def sending(self, body: bytes) -> Iterator[Iterator[bytes]]:
        """Count a body while it is sent; yields its slices.

        Args:
            body: the body, which may be sent to other clients, too.

        Raises:
            NoRoom: other bodies are too large together.

        """
        key = id(body)  # it is alive, so no other object has its id
        if not self._readers[key]:
            if self._bytes and self._bytes + len(body) > UNSENT_BYTES_MAX:
                del self._readers[key]
                raise NoRoom
            self._bytes += len(body)
        self._readers[key] += 1
        try:
            yield (body[start : start + SLICE_BYTES] for start in range(0, len(body), SLICE_BYTES))
        finally:
            self._readers[key] -= 1
            if not self._readers[key]:
                del self._readers[key]
                self._bytes -= len(body)
