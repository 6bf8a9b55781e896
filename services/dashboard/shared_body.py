"""A response whose body is shared with other responses, and sent no faster than its client reads."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.dashboard.errors import Busy

SLICE_BYTES = 16 * 1024
"""What is copied for a client at a time: clients that do not read would otherwise each keep a whole copy."""
UNSENT_BYTES_MAX = 64 * 1024 * 1024
"""The size of all different bodies that are being sent: a client that does not read keeps one for 30 s."""


class UnsentBodies:
    """The bodies that are being sent, each counted once."""

    def __init__(self) -> None:
        self._readers: Counter[int] = Counter()
        self._bytes = 0

    @contextmanager
    def sending(self, body: bytes) -> Iterator[None]:
        """Count a body while it is sent.

        Raises:
            Busy: other bodies are too large together.

        """
        key = id(body)  # it is alive, so no other object has its id
        if not self._readers[key]:
            if self._bytes and self._bytes + len(body) > UNSENT_BYTES_MAX:
                raise Busy
            self._bytes += len(body)
        self._readers[key] += 1
        try:
            yield
        finally:
            self._readers[key] -= 1
            if not self._readers[key]:
                del self._readers[key]
                self._bytes -= len(body)


class SharedBody(Response):
    """Sends JSON in slices, each when the client has read the one before.

    Args:
        body: the JSON.
        unsent: all bodies that are being sent.

    """

    media_type = "application/json"

    def __init__(self, body: bytes, unsent: UnsentBodies) -> None:
        super().__init__(body, headers={"Cache-Control": "no-store"})
        self._json = body
        self._unsent = unsent

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send the response."""
        with self._unsent.sending(self._json):
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            for start in range(0, len(self._json), SLICE_BYTES):
                await send(_part(self._json[start : start + SLICE_BYTES], more_body=True))
            await send(_part(b"", more_body=False))


def _part(body: bytes, *, more_body: bool) -> dict[str, object]:
    return {"type": "http.response.body", "body": body, "more_body": more_body}
